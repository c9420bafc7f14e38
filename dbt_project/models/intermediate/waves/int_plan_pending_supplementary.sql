with findings as (
    select * from {{ ref('int_recheck_findings') }}
),

lots_left_out as (
    select lot_id from {{ ref('int_lots_to_release') }}
    where not is_released
),

doubts as (
    select * from {{ ref('int_register_doubts') }}
),

late_releases as (
    select * from {{ ref('int_late_releases') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

stopped as (
    select * from {{ ref('int_branches_stopped') }}
),

people_held as (
    select * from {{ ref('int_people_held') }}
),

newest_members as (
    select * from {{ ref('stg_newest_register__members') }}
),

newest_addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

posting_dates as (
    select * from {{ ref('stg_posting_dates') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
    where posting_date is not null
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

planned_again as (
    select
        findings.member_key,
        findings.household_key,
        certificates.need,
        certificates.route
    from findings
    anti join lots_left_out on findings.lot_id = lots_left_out.lot_id
    inner join certificates on findings.certificate_id = certificates.certificate_id
    where findings.outcome = 'planned_again'
),

last_posting_dates as (
    select
        prefecture,
        max(posting_date) as last_posting_date
    from posting_dates
    group by prefecture
),

-- A late release waits for a posting date of its branch; once those are over it goes on any branch's day.
late_on_this_day as (
    select
        late_releases.member_key,
        late_releases.household_key,
        late_releases.need,
        'home' as route
    from late_releases
    cross join run_context
    left join last_posting_dates on late_releases.prefecture = last_posting_dates.prefecture
    left join posting_dates
        on
            late_releases.prefecture = posting_dates.prefecture
            and run_context.posting_date = posting_dates.posting_date
    left join stopped on late_releases.prefecture = stopped.prefecture
    left join doubts on late_releases.prefecture = doubts.prefecture
    anti join people_held on late_releases.member_key = people_held.member_key
    where
        stopped.prefecture is null
        and doubts.prefecture is null
        and (
            posting_dates.posting_date is not null
            or coalesce(run_context.posting_date > last_posting_dates.last_posting_date, true)
        )
),

-- The register is read once, and only what is about these people is kept.
candidates as (
    select
        member_key,
        household_key
    from planned_again
    union
    select
        member_key,
        household_key
    from late_on_this_day
),

candidates_and_insured as (
    select member_key from candidates
    union
    select {{ insured_of_household('household_key') }} as member_key from candidates
),

members as materialized (
    select newest_members.*
    from newest_members
    semi join candidates_and_insured on newest_members.member_key = candidates_and_insured.member_key
),

addresses as materialized (
    select newest_addresses.*
    from newest_addresses
    semi join candidates on newest_addresses.household_key = candidates.household_key
),

others_live as (
    select distinct late_on_this_day.member_key
    from late_on_this_day
    inner join certificates on late_on_this_day.member_key = certificates.member_key
    where certificates.is_live
),

households_with_incident as (
    select distinct household_key
    from certificates
    where is_incident
),

-- Joined by keys alone: a query with the campaign in it, which is joined by nothing, lets the planner pair every member
-- with every address.
late_beside_newest as materialized (
    select
        late_on_this_day.member_key,
        late_on_this_day.household_key,
        late_on_this_day.need,
        late_on_this_day.route,
        members.name,
        members.name_kana,
        members.birth_date,
        members.lost_on,
        members.protected as is_protected,
        insured.name as insured_name,
        insured.name_kana as insured_kana,
        insured.birth_date as insured_birth_date,
        insured.enrolment as insured_enrolment,
        insured.qualified_on as insured_qualified_on,
        insured.lost_on as insured_lost_on,
        insured.protected as is_insured_protected,
        addresses.postal_code,
        addresses.address,
        addresses.building,
        addresses.country
    from late_on_this_day
    inner join members on late_on_this_day.member_key = members.member_key
    inner join members as insured
        on {{ insured_of_household('late_on_this_day.household_key') }} = insured.member_key
    inner join addresses on late_on_this_day.household_key = addresses.household_key
    left join others_live on late_on_this_day.member_key = others_live.member_key
    left join households_with_incident on late_on_this_day.household_key = households_with_incident.household_key
    where others_live.member_key is null and households_with_incident.household_key is null
),

-- The re-check of a wave, for people who were not in it (rules: a wave and its releases, line 1).
late_checked as (
    select
        late.member_key,
        late.household_key,
        late.need,
        late.route
    from late_beside_newest as late
    cross join run_context
    cross join campaign
    where
        not coalesce(late.lost_on <= run_context.posting_date, false)
        and not coalesce(late.insured_lost_on <= run_context.posting_date, false)
        and {{ birthday_75('late.birth_date') }} > run_context.posting_date
        and {{ birthday_75('late.insured_birth_date') }} > run_context.posting_date
        and {{ valid_until(
            'run_context.posting_date', 'late.birth_date', 'late.insured_birth_date', 'late.insured_enrolment',
            'late.insured_qualified_on'
        ) }} >= run_context.posting_date
        and not late.is_protected
        and not late.is_insured_protected
        and not {{ is_abroad('late.country') }}
        and not {{ is_address_missing('late') }}
        and not {{ is_damaged_name('late.insured_name') }}
        and not {{ is_damaged_name('late.name') }}
        and not {{ is_damaged_name('late.name_kana') }}
        and not {{ is_damaged('late.address') }}
        and not {{ is_damaged('late.building') }}
        and not {{ is_blank('late.name_kana') }}
        and not {{ is_blank('late.insured_kana') }}
        and {{ all_fit_print([
            ('late.insured_name', 'campaign.max_name_width'),
            ('late.name', 'campaign.max_name_width'),
            ('late.name_kana', 'campaign.max_name_width'),
            ('late.address', 'campaign.max_address_width'),
            ('late.building', 'campaign.max_building_width'),
        ]) }}
),

people as (
    select * from planned_again
    union all
    select * from late_checked
),

packed as (
    select
        people.*,
        campaign.lot_size,
        campaign.seed_households_per_lot,
        (row_number() over (partition by people.household_key order by people.member_key) - 1)
        // campaign.certificates_per_envelope + 1 as position,
        (row_number() over (partition by people.household_key order by people.member_key) - 1)
        % campaign.certificates_per_envelope + 1 as slot,
        (count(*) over (partition by people.household_key) + campaign.certificates_per_envelope - 1)
        // campaign.certificates_per_envelope as envelopes_in_household
    from people
    cross join campaign
),

households as (
    select
        packed.household_key,
        any_value(packed.envelopes_in_household) as envelope_count,
        -- Room for the largest household (25 envelopes), so that none is cut by the end of a lot.
        any_value(packed.lot_size - packed.seed_households_per_lot - 24) as capacity,
        {{ prefecture_of('packed.household_key') }} as prefecture,
        any_value({{ normalised_postal_code('addresses.postal_code') }}) as postal_code
    from packed
    inner join addresses on packed.household_key = addresses.household_key
    group by packed.household_key
),

lots_of_day as (
    select
        lots.prefecture,
        max(regexp_extract(lots.lot_id, '-([0-9]+)$', 1)::integer) as lot_count
    from lots
    inner join run_context on lots.posting_date = run_context.posting_date
    where lots.lot_kind = 'supplementary'
    group by lots.prefecture
),

households_in_lots as (
    select
        households.household_key,
        households.prefecture,
        coalesce(lots_of_day.lot_count, 0) + 1 + (
            sum(households.envelope_count) over (
                partition by households.prefecture
                order by households.postal_code, households.household_key
                rows between unbounded preceding and current row
            ) - 1
        ) // households.capacity as lot_number
    from households
    left join lots_of_day on households.prefecture = lots_of_day.prefecture
),

-- Few people, with the day and the campaign beside each of them. DuckDB pairs any two tables once a query has one that
-- is joined by nothing, so the register is joined by keys alone.
placed as materialized (
    select
        campaign.*,
        'supplementary' as lot_kind,
        run_context.posting_date,
        packed.household_key,
        {{ employer_of_household('packed.household_key') }} as employer_key,
        packed.member_key,
        packed.need,
        packed.route,
        packed.position,
        packed.slot,
        packed.envelopes_in_household,
        true as is_additional,
        null::varchar as supersedes_certificate_id,
        {{ insured_of_household('packed.household_key') }} as insured_key,
        households_in_lots.prefecture,
        households_in_lots.lot_number
    from packed
    inner join households_in_lots on packed.household_key = households_in_lots.household_key
    cross join run_context
    cross join campaign
),

final as (
    {{ pending_certificates() }}
)

select * from final
