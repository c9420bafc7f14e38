with source as (
    select * from {{ source('plans', 'pulls') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        certificate_id,
        envelope_id,
        lot_id,
        posting_date,
        member_key,
        reason_code,
        outcome,
        outcome_reason_code,
        order_number
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
