with evaluated as (
    select * from {{ ref('int_members_evaluated') }}
),

-- Read twice, for other columns each time: a copy of all rows in memory would cost more than the second scan.
members as not materialized (
    select * from {{ ref('stg_register__members') }}
),

newest_members as (
    select * from {{ ref('stg_newest_register__members') }}
),

released_text as (
    select * from {{ ref('int_released_text') }}
),

employers as (
    select * from {{ ref('int_employers_judged') }}
    where reason_code is null
),

run_context as (
    select * from {{ ref('stg_context') }}
    where run_kind = 'employer_list' and run_on is not null
),

-- Nobody's name goes to a place that a protected person could be looked for through.
protected_people as (
    select member_key
    from newest_members
    where protected
),

protected_households as (
    select {{ household_of_member('member_key') }} as household_key
    from protected_people
    where {{ suffix_of('member_key') }} = 0
),

-- Voluntary on the campaign's day or since: either way this employer has nothing to hand over.
voluntary_households as (
    select household_key
    from members
    where {{ suffix_of('member_key') }} = 0 and enrolment = 'voluntary'
    union all
    select household_key
    from newest_members
    where {{ suffix_of('member_key') }} = 0 and enrolment = 'voluntary'
),

listed as (
    select
        evaluated.member_key,
        {{ employer_of_household('evaluated.household_key') }} as employer_key,
        released_text.name as released_name
    from evaluated
    cross join run_context
    anti join protected_people on evaluated.member_key = protected_people.member_key
    anti join protected_households on evaluated.household_key = protected_households.household_key
    anti join voluntary_households on evaluated.household_key = voluntary_households.household_key
    left join released_text on evaluated.member_key = released_text.member_key
    where
        evaluated.effective_disposition = 'target'
        -- Whom a person released is held all the same until the newest register can be printed.
        and (evaluated.disposition = 'target' or released_text.member_key is not null)
),

final as (
    select
        listed.employer_key,
        employers.prefecture,
        listed.member_key,
        {{ substituted('coalesce(listed.released_name, members.name)') }} as name,
        employers.name as employer_name,
        employers.postal_code,
        employers.address,
        employers.building
    from listed
    inner join employers on listed.employer_key = employers.employer_key
    inner join members on listed.member_key = members.member_key
)

select * from final
