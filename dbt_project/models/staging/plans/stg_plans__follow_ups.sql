with source as (
    select * from {{ source('plans', 'follow_ups') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        run_on,
        envelope_id,
        certificate_id,
        member_key,
        envelope_outcome,
        outcome,
        reason_code,
        bundle_id
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
