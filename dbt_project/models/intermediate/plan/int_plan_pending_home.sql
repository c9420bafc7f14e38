with targets as (
    select * from {{ ref('int_home_targets') }}
),

households as (
    select * from {{ ref('int_home_households') }}
),

-- Read twice, for other columns each time: a copy of all rows in memory would cost more than the second scan.
members as not materialized (
    select * from {{ ref('stg_register__members') }}
),

released_text as (
    select * from {{ ref('int_released_text') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- The envelope is addressed to the insured person, also when only dependents are targets.
insured as (
    select
        household_key,
        name,
        birth_date,
        qualified_on,
        enrolment
    from members
    where {{ suffix_of('member_key') }} = 0
),

released_addressees as (
    select
        household_key,
        any_value(addressee_name) as addressee_name
    from released_text
    group by household_key
),

addressed_households as (
    select
        households.*,
        insured.birth_date as insured_birth_date,
        insured.qualified_on as insured_qualified_on,
        insured.enrolment,
        coalesce(released_addressees.addressee_name, insured.name) as addressee_name
    from households
    inner join insured on households.household_key = insured.household_key
    left join released_addressees on households.household_key = released_addressees.household_key
),

people as (
    select
        targets.*,
        members.sex,
        members.birth_date,
        members.qualified_on,
        coalesce(released_text.name, members.name) as name,
        coalesce(released_text.name_kana, members.name_kana) as name_kana
    from targets
    inner join members on targets.member_key = members.member_key
    left join released_text on targets.member_key = released_text.member_key
),

final as (
    select
        'home' as lot_kind,
        addressed_households.prefecture,
        addressed_households.posting_date,
        addressed_households.wave_key,
        addressed_households.lot_number,
        people.household_key,
        case
            when addressed_households.enrolment = 'employee'
                then {{ employer_of_household('people.household_key') }}
        end as employer_key,
        people.position,
        people.envelopes_in_household,
        false as is_additional,
        people.slot,
        people.member_key,
        'home' as route,
        people.need,
        addressed_households.posting_date as issued_on,
        {{ valid_until(
            'addressed_households.posting_date',
            'people.birth_date',
            'addressed_households.insured_birth_date',
            'addressed_households.enrolment',
            'addressed_households.insured_qualified_on',
        ) }} as valid_until,
        addressed_households.enrolment,
        {{ substituted('people.name') }} as name,
        {{ substituted('people.name_kana') }} as name_kana,
        people.sex,
        people.birth_date,
        people.qualified_on,
        {{ substituted('addressed_households.addressee_name') }} as addressee_name,
        addressed_households.postal_code,
        addressed_households.address,
        addressed_households.building,
        null::varchar as supersedes_certificate_id
    from people
    inner join addressed_households on people.household_key = addressed_households.household_key
    cross join campaign
)

select * from final
