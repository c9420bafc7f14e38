with evaluated as (
    select * from {{ ref('int_members_evaluated') }}
),

members as (
    select * from {{ ref('stg_register__members') }}
),

newest_members as (
    select * from {{ ref('stg_newest_register__members') }}
),

rejected_people as (
    select distinct row_key as member_key
    from {{ ref('stg_newest_register__rejects') }}
    where file = 'members' and row_key is not null
),

released_text as (
    select * from {{ ref('int_released_text') }}
),

employers as (
    select * from {{ ref('int_employers_judged') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
    where run_kind = 'employer_list' and run_on is not null
),

-- Read once, and few: whom the newest register keeps off every list.
kept_off as (
    select
        member_key,
        {{ household_of_member('member_key') }} as household_key,
        protected,
        {{ suffix_of('member_key') }} = 0 as is_insured,
        enrolment
    from newest_members
    where protected or (enrolment = 'voluntary' and {{ suffix_of('member_key') }} = 0)
),

-- Nobody's name goes to a place that a protected person could be looked for through.
protected_people as (
    select member_key
    from kept_off
    where protected
),

protected_households as (
    select household_key
    from kept_off
    where protected and is_insured
),

-- Voluntary on the campaign's day or since: either way this employer has nothing to hand over.
voluntary_households as (
    select household_key
    from members
    where {{ suffix_of('member_key') }} = 0 and enrolment = 'voluntary'
    union
    select household_key
    from kept_off
    where is_insured and enrolment = 'voluntary'
),

targets as (
    select
        evaluated.member_key,
        evaluated.household_key,
        {{ employer_of_household('evaluated.household_key') }} as employer_key,
        released_text.name as released_name
    from evaluated
    cross join run_context
    left join released_text on evaluated.member_key = released_text.member_key
    where
        evaluated.effective_disposition = 'target'
        -- Whom a person released is held all the same until the newest register can be printed.
        and (evaluated.disposition = 'target' or released_text.member_key is not null)
),

-- Whom the newest register lacks, or whose newest row was rejected: nobody knows whether they are protected now.
people as (
    select member_key from targets
    union
    select {{ insured_of_household('household_key') }} as member_key from targets
),

found_people as (
    select newest_members.member_key
    from newest_members
    semi join people on newest_members.member_key = people.member_key
),

final as (
    select
        targets.member_key,
        targets.employer_key,
        targets.released_name,
        case
            when protected_people.member_key is not null or protected_households.household_key is not null
                then 'address_protected'
            when found_members.member_key is null or found_insured.member_key is null
                then if(
                    rejected_members.member_key is null and rejected_insured.member_key is null,
                    'row_missing',
                    'row_rejected'
                )
            when voluntary_households.household_key is not null then 'household_voluntary'
            when employers.employer_key is null then 'employer_unknown'
            when employers.reason_code = 'closed' then 'employer_closed'
            -- A list needs a name and an address that can be printed.
            when employers.reason_code is not null then 'employer_unreachable'
        end as reason_code
    from targets
    left join protected_people on targets.member_key = protected_people.member_key
    left join protected_households on targets.household_key = protected_households.household_key
    left join voluntary_households on targets.household_key = voluntary_households.household_key
    left join found_people as found_members on targets.member_key = found_members.member_key
    left join found_people as found_insured
        on {{ insured_of_household('targets.household_key') }} = found_insured.member_key
    left join rejected_people as rejected_members on targets.member_key = rejected_members.member_key
    left join rejected_people as rejected_insured
        on {{ insured_of_household('targets.household_key') }} = rejected_insured.member_key
    left join employers on targets.employer_key = employers.employer_key
)

select * from final
