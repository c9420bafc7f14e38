with source as (
    select * from {{ source('feeds', 'acknowledgements') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        file_name,
        lot_id,
        result,
        reason_code,
        envelope_count,
        certificate_count,
        acknowledged_on,
        source_file,
        row_number,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
