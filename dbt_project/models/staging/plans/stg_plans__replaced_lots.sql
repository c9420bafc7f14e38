with source as (
    select * from {{ source('plans', 'replaced_lots') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        lot_id,
        reason_code
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
