with source as (
    select * from {{ source('plans', 'plan') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        plan_kind,
        posting_date,
        run_on,
        register_as_of,
        first_sequence,
        last_sequence,
        envelope_count,
        certificate_count,
        member_count
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
