with source as (
    select * from {{ source('register_campaign', 'members') }}
),

final as (
    select
        as_of,
        member_key,
        household_key,
        enrolment,
        name,
        name_kana,
        sex,
        birth_date,
        qualified_on,
        decided_on,
        lost_on,
        protected
    from source
)

select * from final
