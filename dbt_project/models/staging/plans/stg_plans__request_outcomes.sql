with source as (
    select * from {{ source('plans', 'request_outcomes') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        request_id,
        member_key,
        kind,
        outcome,
        reason_code
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
