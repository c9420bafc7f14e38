with released as (
    select * from {{ ref('int_released_members') }}
),

-- Read twice, for other columns each time: a copy of all rows in memory would cost more than the second scan.
members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

released_people as (
    select
        members.member_key,
        members.name,
        members.name_kana,
        members.protected
    from members
    semi join released on members.member_key = released.member_key
),

released_insured as (
    select
        members.household_key,
        members.name,
        members.protected
    from members
    semi join released on members.household_key = released.household_key
    where {{ suffix_of('members.member_key') }} = 0
),

released_addresses as (
    select addresses.*
    from addresses
    semi join released on addresses.household_key = released.household_key
),

-- Joined by keys alone: a query with the campaign in it, which is joined by nothing, lets the planner pair every member
-- with every address.
beside_newest as (
    select
        released.member_key,
        released.household_key,
        released_people.name,
        released_people.name_kana,
        released_people.protected as is_protected,
        released_insured.name as addressee_name,
        released_insured.protected as is_insured_protected,
        {{ normalised_postal_code('released_addresses.postal_code') }} as postal_code,
        released_addresses.address,
        released_addresses.building,
        released_addresses.country
    from released
    inner join released_people on released.member_key = released_people.member_key
    inner join released_insured on released.household_key = released_insured.household_key
    inner join released_addresses on released.household_key = released_addresses.household_key
),

final as (
    select
        beside_newest.member_key,
        beside_newest.household_key,
        beside_newest.name,
        beside_newest.name_kana,
        beside_newest.addressee_name,
        beside_newest.postal_code,
        beside_newest.address,
        beside_newest.building
    from beside_newest
    cross join campaign
    where
        -- Protection in the newest register beats every release, the insured person's for the whole household.
        not beside_newest.is_protected
        and not beside_newest.is_insured_protected
        and beside_newest.country = 'JP'
        and not {{ is_blank('beside_newest.address') }}
        and beside_newest.postal_code is not null
        and {{ all_fit_print([
            ('beside_newest.name', 'campaign.max_name_width'),
            ('beside_newest.name_kana', 'campaign.max_name_width'),
            ('beside_newest.addressee_name', 'campaign.max_name_width'),
            ('beside_newest.address', 'campaign.max_address_width'),
            ('beside_newest.building', 'campaign.max_building_width'),
        ]) }}
)

select * from final
