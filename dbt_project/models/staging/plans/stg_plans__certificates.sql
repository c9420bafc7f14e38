with source as (
    select * from {{ source('plans', 'certificates') }}
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
        slot,
        member_key,
        household_key,
        route,
        need,
        issued_on,
        valid_until,
        enrolment,
        name,
        name_kana,
        sex,
        birth_date,
        qualified_on,
        supersedes_certificate_id
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
