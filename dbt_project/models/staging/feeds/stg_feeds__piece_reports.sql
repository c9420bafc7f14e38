with source as (
    select * from {{ source('feeds', 'piece_reports') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        lot_id,
        envelope_id,
        event_type,
        occurred_on,
        tracking_number,
        replacement_id,
        source_file,
        row_number,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
