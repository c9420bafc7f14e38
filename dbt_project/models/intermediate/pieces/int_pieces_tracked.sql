-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with envelopes as not materialized (
    select * from {{ ref('stg_plans__envelopes') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

reprints as (
    select * from {{ ref('int_pieces_reprinted') }}
),

certificates as not materialized (
    select * from {{ ref('stg_plans__certificates') }}
),

-- A release that was rejected pulls nothing; one that waits for its approval pulls already, because its
-- supplementary envelopes hold the same people.
pull_lists as (
    select
        pulls.envelope_id,
        min(pulls.plan_id) as pull_plan_id,
        min(pulls.received_on) as pull_listed_on,
        bool_or(pulls.reason_code = 'address_protected') as is_pulled_for_protection,
        bool_or(plans.plan_kind = 'pull') as is_listed_urgently
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    where not plans.is_voided
    group by pulls.envelope_id
),

-- The packets of a bundle that is pulled urgently stay with it. One that has been posted takes them along.
packet_pulls as (
    select
        certificates.envelope_id,
        min(pulls.plan_id) as pull_plan_id,
        min(pulls.received_on) as pull_listed_on,
        bool_or(pulls.reason_code = 'address_protected') as is_pulled_for_protection,
        bool_or(coalesce(pieces.print_event_type = 'pulled', false)) as is_confirmed
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    inner join certificates on pulls.certificate_id = certificates.certificate_id
    left join pieces on pulls.envelope_id = pieces.envelope_id
    where
        plans.plan_kind = 'pull'
        and not plans.is_voided
        and certificates.envelope_id <> pulls.envelope_id
        and coalesce(pieces.print_event_type <> 'posted', true)
    group by certificates.envelope_id
),

resent as (
    select distinct envelopes.replaces_envelope_id as envelope_id
    from envelopes
    inner join plans on envelopes.plan_id = plans.plan_id
    where envelopes.replaces_envelope_id is not null and not plans.is_voided
),

-- Every piece that was ever to be made: those of the plans, and those printed again.
versions as (
    select
        envelope_id,
        envelope_id as frozen_envelope_id,
        replaces_envelope_id,
        received_on as made_on,
        false as is_reprint,
        plan_id,
        lot_id,
        lot_kind,
        prefecture,
        household_key,
        employer_key,
        bundle_id,
        position,
        envelopes_in_household,
        is_additional,
        certificate_count,
        posting_date,
        wave_key
    from envelopes
    union all
    select
        reprints.envelope_id,
        reprints.frozen_envelope_id,
        reprints.replaces_envelope_id,
        reprints.reprinted_on as made_on,
        true as is_reprint,
        envelopes.plan_id,
        envelopes.lot_id,
        envelopes.lot_kind,
        envelopes.prefecture,
        envelopes.household_key,
        envelopes.employer_key,
        envelopes.bundle_id,
        envelopes.position,
        envelopes.envelopes_in_household,
        envelopes.is_additional,
        envelopes.certificate_count,
        envelopes.posting_date,
        envelopes.wave_key
    from reprints
    inner join envelopes on reprints.frozen_envelope_id = envelopes.envelope_id
    where reprints.frozen_number_kind = 'original'
),

tracked as (
    select
        versions.envelope_id,
        versions.frozen_envelope_id,
        versions.replaces_envelope_id,
        versions.made_on,
        versions.is_reprint,
        versions.plan_id,
        lots.plan_kind,
        versions.lot_id,
        versions.lot_kind,
        versions.prefecture,
        versions.household_key,
        versions.employer_key,
        versions.bundle_id,
        versions.position,
        versions.envelopes_in_household,
        versions.is_additional,
        versions.certificate_count,
        versions.posting_date,
        versions.wave_key,
        lots.announced_on,
        lots.is_voided,
        lots.undone_reason_code,
        coalesce(lots.undone_reason_code = 'lot_destroyed', false) as is_destroyed,
        -- A household's lot waits for the plan that sends it again; what went to employers or was asked for is due
        -- again at once, and the next run of its kind takes it up.
        resent.envelope_id is not null
        or (
            (lots.is_replaced or coalesce(lots.undone_reason_code is not null and not lots.needs_release, false))
            and not (coalesce(lots.undone_reason_code = 'lot_destroyed', false) and pull_lists.envelope_id is not null)
        ) as is_sent_again,
        pieces.print_event_type,
        pieces.print_event_on,
        pieces.posted_on,
        pieces.tracking_number,
        pieces.spoiled_on,
        pieces.returned_on,
        pieces.return_known_on,
        pieces.return_reason_code,
        coalesce(pull_lists.pull_plan_id, packet_pulls.pull_plan_id) as pull_plan_id,
        coalesce(pull_lists.pull_listed_on, packet_pulls.pull_listed_on) as pull_listed_on,
        pull_lists.envelope_id is not null or packet_pulls.envelope_id is not null as is_pull_listed,
        coalesce(pull_lists.is_pulled_for_protection, packet_pulls.is_pulled_for_protection, false)
            as is_pulled_for_protection,
        (coalesce(pull_lists.is_listed_urgently, false) and coalesce(pieces.print_event_type = 'pulled', false))
        or coalesce(packet_pulls.is_confirmed, false) as is_pulled_urgently,
        pull_lists.envelope_id is not null and coalesce(pieces.print_event_type = 'posted', false) as is_incident
    from versions
    inner join lots on versions.lot_id = lots.lot_id
    left join pieces on versions.envelope_id = pieces.envelope_id
    left join pull_lists on versions.envelope_id = pull_lists.envelope_id
    left join packet_pulls on versions.envelope_id = packet_pulls.envelope_id and versions.bundle_id is not null
    left join resent on versions.frozen_envelope_id = resent.envelope_id
),

-- A piece that left though it was to be pulled stops what was packed anew for its household.
stopped_households as (
    select distinct
        pull_plan_id as plan_id,
        household_key
    from tracked
    where is_incident
),

judged as (
    select
        tracked.*,
        case
            when tracked.is_voided or tracked.is_sent_again then 'replaced'
            when tracked.print_event_type = 'spoiled' then 'spoiled'
            when tracked.print_event_type = 'pulled' then 'pulled'
            when tracked.print_event_type = 'posted' then 'live'
            when tracked.is_pull_listed then 'pulled'
            when tracked.is_destroyed then 'pulled'
            when stopped_households.plan_id is not null then 'pulled'
            else 'live'
        end as status,
        case
            when tracked.is_voided then 'plan_voided'
            when tracked.is_sent_again then coalesce(tracked.undone_reason_code, 'lot_rejected')
            when tracked.print_event_type = 'spoiled' then 'spoiled'
            when tracked.is_incident then 'posted_though_pulled'
            when tracked.print_event_type = 'posted' then null
            when tracked.is_pull_listed then 'pull_listed'
            when tracked.is_destroyed then 'lot_destroyed'
            when tracked.print_event_type = 'pulled' then 'pulled_not_listed'
            when stopped_households.plan_id is not null then 'replacement_stopped'
        end as status_reason_code
    from tracked
    left join stopped_households
        on
            tracked.plan_id = stopped_households.plan_id
            and tracked.household_key = stopped_households.household_key
),

final as (
    select
        envelope_id,
        frozen_envelope_id,
        replaces_envelope_id,
        is_reprint,
        plan_id,
        plan_kind,
        lot_id,
        lot_kind,
        prefecture,
        household_key,
        employer_key,
        bundle_id,
        position,
        envelopes_in_household,
        is_additional,
        certificate_count,
        posting_date,
        wave_key,
        status,
        status_reason_code,
        status = 'live' as is_live,
        made_on,
        announced_on,
        coalesce(print_event_type = 'posted', false) as is_posted,
        case when print_event_type = 'posted' then posted_on end as posted_on,
        tracking_number,
        print_event_on,
        spoiled_on,
        returned_on,
        return_known_on,
        return_reason_code,
        pull_plan_id,
        pull_listed_on,
        is_pull_listed,
        is_pulled_for_protection,
        is_pulled_urgently,
        is_incident
    from judged
)

select * from final
