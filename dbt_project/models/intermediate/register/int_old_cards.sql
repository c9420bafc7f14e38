{{ config(materialized='view') }}

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

insured as (
    select
        household_key,
        lost_on
    from members
    where {{ suffix_of('member_key') }} = 0 and lost_on is not null
),

-- Who leaves with the insured person leaves on the insured person's day, when that is the earlier one.
leaving as (
    select
        members.member_key,
        members.household_key,
        least(members.lost_on, insured.lost_on) as lost_on
    from members
    left join insured on members.household_key = insured.household_key
    where members.lost_on is not null or insured.lost_on is not null
),

final as (
    select
        leaving.member_key,
        leaving.household_key,
        leaving.lost_on,
        {{ old_card_duty('leaving.lost_on') }} as old_card_duty
    from leaving
    cross join campaign
)

select * from final
