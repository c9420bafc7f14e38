with source as (
    select * from {{ source('plans', 'list_lines') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        list_id,
        lot_id,
        employer_key,
        member_key,
        name
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
