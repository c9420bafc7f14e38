with source as (
    select * from {{ source('nothing_to_do', 'nothing_to_do') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        plan_kind,
        looked_at,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
