with source as (
    select * from {{ source('feeds', 'return_reports') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        envelope_id,
        tracking_number,
        returned_on,
        reason_code,
        source_file,
        row_number,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
