with source as (
    select * from {{ source('plans', 'release_lots') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        lot_id,
        posting_date,
        is_released,
        withheld_reason_code,
        sha256_clear
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
