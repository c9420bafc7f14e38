-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with members as not materialized (
    select * from {{ ref('int_members_evaluated') }}
),

snapshot_members as (
    select * from {{ ref('stg_register__members') }}
),

snapshot_cards as (
    select * from {{ ref('stg_register__my_number_cards') }}
),

snapshot_addresses as (
    select * from {{ ref('stg_register__addresses') }}
),

snapshot_rejects as (
    select * from {{ ref('stg_register__rejects') }}
),

landed_members as not materialized (
    select * from {{ ref('stg_landed__members') }}
),

landed_cards as (
    select * from {{ ref('stg_landed__my_number_cards') }}
),

landed_addresses as (
    select * from {{ ref('stg_landed__addresses') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

later_drops as (
    select distinct registers.as_of
    from registers
    cross join run_context
    where not registers.is_campaign_drop and registers.as_of <= run_context.as_of
),

-- A copy rejects no key: the row that it copies is there.
rejected_members as (
    select distinct snapshot_rejects.row_key as member_key
    from snapshot_rejects
    anti join snapshot_members on snapshot_rejects.row_key = snapshot_members.member_key
    where snapshot_rejects.file = 'members' and snapshot_rejects.row_key is not null
),

rejected_cards as (
    select distinct snapshot_rejects.row_key as member_key
    from snapshot_rejects
    anti join snapshot_cards on snapshot_rejects.row_key = snapshot_cards.member_key
    where snapshot_rejects.file = 'my_number_cards' and snapshot_rejects.row_key is not null
),

rejected_addresses as (
    select distinct snapshot_rejects.row_key as household_key
    from snapshot_rejects
    anti join snapshot_addresses on snapshot_rejects.row_key = snapshot_addresses.household_key
    where snapshot_rejects.file = 'addresses' and snapshot_rejects.row_key is not null
),

-- The first later drop that has an accepted row of the key.
members_accepted as (
    select
        landed_members.member_key,
        min(landed_members.as_of) as accepted_on
    from landed_members
    semi join rejected_members on landed_members.member_key = rejected_members.member_key
    semi join later_drops on landed_members.as_of = later_drops.as_of
    group by landed_members.member_key
),

cards_accepted as (
    select
        landed_cards.member_key,
        min(landed_cards.as_of) as accepted_on
    from landed_cards
    semi join rejected_cards on landed_cards.member_key = rejected_cards.member_key
    semi join later_drops on landed_cards.as_of = later_drops.as_of
    group by landed_cards.member_key
),

addresses_accepted as (
    select
        landed_addresses.household_key,
        min(landed_addresses.as_of) as accepted_on
    from landed_addresses
    semi join rejected_addresses on landed_addresses.household_key = rejected_addresses.household_key
    semi join later_drops on landed_addresses.as_of = later_drops.as_of
    group by landed_addresses.household_key
),

-- Whose own row was rejected, and whom a rejected row of the snapshot holds.
people as (
    select
        member_key,
        {{ household_of_member('member_key') }} as household_key,
        'row_rejected' as cause
    from rejected_members
    union all
    select
        member_key,
        household_key,
        reason_code as cause
    from members
    where
        disposition = 'held'
        and reason_code in ('card_record_rejected', 'household_without_insured', 'address_missing')
),

with_days as (
    select
        people.member_key,
        people.household_key,
        people.cause,
        own.accepted_on as member_accepted_on,
        insured.accepted_on as insured_accepted_on,
        cards_accepted.accepted_on as card_accepted_on,
        addresses_accepted.accepted_on as household_accepted_on,
        case people.cause
            when 'row_rejected' then own.accepted_on
            when 'household_without_insured' then insured.accepted_on
            when 'card_record_rejected' then cards_accepted.accepted_on
            when 'address_missing' then addresses_accepted.accepted_on
        end as released_on
    from people
    left join members_accepted as own on people.member_key = own.member_key
    left join members_accepted as insured
        on {{ insured_of_household('people.household_key') }} = insured.member_key
    left join cards_accepted on people.member_key = cards_accepted.member_key
    left join addresses_accepted on people.household_key = addresses_accepted.household_key
),

-- A hold that a person has decided by then is a person's matter and stays one.
first_decisions as (
    select
        member_key,
        min(received_on) as decided_on
    from decisions
    where decision in ('release', 'exclude')
    group by member_key
),

released as (
    select with_days.*
    from with_days
    left join first_decisions on with_days.member_key = first_decisions.member_key
    where
        with_days.released_on is not null
        and (
            with_days.cause = 'row_rejected'
            or coalesce(first_decisions.decided_on > with_days.released_on, true)
        )
),

-- Judged when the row has come, and again when another row comes that was rejected at the snapshot too.
judged_days as (
    select
        member_key,
        household_key,
        cause,
        released_on,
        insured_accepted_on,
        card_accepted_on,
        household_accepted_on,
        unnest(list_distinct([
            member_accepted_on, insured_accepted_on, card_accepted_on, household_accepted_on
        ])) as judged_on
    from released
),

of_rejected_rows as (
    select
        member_key,
        household_key,
        cause,
        judged_on,
        insured_accepted_on,
        card_accepted_on,
        household_accepted_on
    from judged_days
    where judged_on >= released_on
),

-- Who was pulled because the row was missing or rejected, by the newest pull, and what came of them after it.
newest_pulls as (
    select
        pulls.member_key,
        max(pulls.received_on) as held_on,
        arg_max(plans.register_as_of, pulls.received_on) as register_as_of
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    where not plans.is_voided and pulls.outcome = 'held'
    group by pulls.member_key
    having arg_max(pulls.outcome_reason_code, pulls.received_on) = 'row_missing'
),

pulled_and_insured as (
    select
        member_key,
        register_as_of,
        member_key as row_key
    from newest_pulls
    union
    select
        member_key,
        register_as_of,
        {{ insured_of_household(household_of_member('member_key')) }} as row_key
    from newest_pulls
),

of_missing_rows as (
    select distinct
        pulled_and_insured.member_key,
        {{ household_of_member('pulled_and_insured.member_key') }} as household_key,
        'row_missing' as cause,
        landed_members.as_of as judged_on,
        null::date as insured_accepted_on,
        null::date as card_accepted_on,
        null::date as household_accepted_on
    from pulled_and_insured
    inner join landed_members
        on
            pulled_and_insured.row_key = landed_members.member_key
            and pulled_and_insured.register_as_of < landed_members.as_of
    semi join later_drops on landed_members.as_of = later_drops.as_of
),

final as (
    select * from of_rejected_rows
    union all
    select * from of_missing_rows
)

select * from final
