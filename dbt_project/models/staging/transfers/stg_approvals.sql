with source as (
    select * from {{ source('approvals', 'approvals') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        subject_sha256,
        decision,
        decided_by,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
