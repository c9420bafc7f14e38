{#- Whom a branch must write to or call, with what it needs for that. Left out of the copy for analysts. -#}
with work_list as (
    select * from {{ ref('fct_work_list') }}
),

members as (
    select * from {{ ref('stg_newest_register__members') }}
),

addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

-- The text of the work list is packed again: few people wait, and joins compare numbers.
waiting as (
    select distinct
        {{ member_key(
            household_key(employer_key("substr(insurer_number, 3, 2)::integer", 'symbol'), 'number'), 'suffix'
        ) }} as member_key,
        insurer_number,
        symbol,
        number,
        suffix
    from work_list
),

waiting_members as (
    select
        members.member_key,
        members.name,
        members.name_kana,
        members.birth_date,
        members.protected
    from members
    inner join waiting on members.member_key = waiting.member_key
),

-- The protection of the insured person is the household's.
protected_households as (
    select distinct {{ household_of_member('members.member_key') }} as household_key
    from members
    inner join waiting on members.member_key = {{ insured_of_household(household_of_member('waiting.member_key')) }}
    where members.protected
),

waiting_households as (
    select
        addresses.household_key,
        addresses.postal_code,
        addresses.address,
        addresses.building,
        addresses.country
    from addresses
    semi join waiting on addresses.household_key = {{ household_of_member('waiting.member_key') }}
),

joined as (
    select
        waiting.insurer_number,
        waiting.symbol,
        waiting.number,
        waiting.suffix,
        waiting_members.name,
        waiting_members.name_kana,
        waiting_members.birth_date,
        waiting_households.postal_code,
        waiting_households.address,
        waiting_households.building,
        waiting_households.country,
        coalesce(waiting_members.protected, false) or protected_households.household_key is not null as is_protected
    from waiting
    left join waiting_members on waiting.member_key = waiting_members.member_key
    left join waiting_households
        on {{ household_of_member('waiting.member_key') }} = waiting_households.household_key
    left join protected_households
        on {{ household_of_member('waiting.member_key') }} = protected_households.household_key
),

final as (
    select
        insurer_number,
        symbol,
        number,
        suffix,
        name,
        name_kana,
        birth_date,
        case when not is_protected then postal_code end as postal_code,
        case when not is_protected then address end as address,
        case when not is_protected then building end as building,
        case when not is_protected then country end as country,
        is_protected
    from joined
)

select * from final
