with targets as (
    select * from {{ ref('int_home_targets') }}
),

addresses as (
    select * from {{ ref('stg_register__addresses') }}
),

released_text as (
    select * from {{ ref('int_released_text') }}
),

posting_dates as (
    select * from {{ ref('stg_posting_dates') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

target_households as (
    select
        household_key,
        prefecture,
        envelopes_in_household as envelope_count
    from targets
    where position = 1 and slot = 1
),

released_addresses as (
    select
        household_key,
        any_value(postal_code) as postal_code,
        any_value(address) as address,
        any_value(building) as building
    from released_text
    group by household_key
),

with_address as (
    select
        target_households.household_key,
        target_households.prefecture,
        target_households.envelope_count,
        case
            when released_addresses.household_key is null then {{ normalised_postal_code('addresses.postal_code') }}
            else released_addresses.postal_code
        end as postal_code,
        case
            when released_addresses.household_key is null then addresses.address
            else released_addresses.address
        end as address,
        case
            when released_addresses.household_key is null then addresses.building
            else released_addresses.building
        end as building
    from target_households
    left join addresses on target_households.household_key = addresses.household_key
    left join released_addresses on target_households.household_key = released_addresses.household_key
),

-- Envelopes before the household in its branch's order of postal code.
ranked as (
    select
        household_key,
        prefecture,
        envelope_count,
        sum(envelope_count) over (
            partition by prefecture
            order by postal_code, household_key
            rows unbounded preceding
        )::bigint - envelope_count as first_rank
    from with_address
),

-- A lot keeps room for its samples, and for the rest of a household that starts in its last place.
branches as (
    select
        target_households.prefecture,
        sum(target_households.envelope_count)::bigint as envelope_count,
        any_value(campaign.lot_size - campaign.seed_households_per_lot)
        - (max(target_households.envelope_count) - 1) as capacity
    from target_households
    cross join campaign
    group by target_households.prefecture
),

lot_counts as (
    select
        prefecture,
        envelope_count,
        ceil(envelope_count / capacity)::bigint as lot_count
    from branches
),

placed as (
    select
        ranked.household_key,
        ranked.prefecture,
        ranked.first_rank * lot_counts.lot_count // lot_counts.envelope_count as lot_index,
        lot_counts.lot_count
    from ranked
    inner join lot_counts on ranked.prefecture = lot_counts.prefecture
),

-- Lots spread evenly over the posting dates of the branch's window; a single lot goes on the first.
lots as (
    select distinct
        placed.prefecture,
        placed.lot_index,
        posting_dates.posting_date,
        posting_dates.wave_key
    from placed
    inner join posting_dates
        on
            placed.prefecture = posting_dates.prefecture
            and placed.lot_index * posting_dates.posting_date_count // placed.lot_count = posting_dates.ordinal
),

numbered_lots as (
    select
        *,
        row_number() over (partition by prefecture, posting_date order by lot_index)::integer as lot_number
    from lots
),

final as (
    select
        placed.household_key,
        placed.prefecture,
        numbered_lots.posting_date,
        numbered_lots.wave_key,
        numbered_lots.lot_number,
        with_address.postal_code,
        {{ substituted('with_address.address') }} as address,
        {{ printed_building('with_address.building') }} as building
    from placed
    inner join numbered_lots
        on placed.prefecture = numbered_lots.prefecture and placed.lot_index = numbered_lots.lot_index
    inner join with_address on placed.household_key = with_address.household_key
)

select * from final
