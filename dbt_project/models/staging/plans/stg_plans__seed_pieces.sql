with source as (
    select * from {{ source('plans', 'seed_pieces') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        envelope_id,
        sequence,
        lot_id,
        position_in_lot
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
