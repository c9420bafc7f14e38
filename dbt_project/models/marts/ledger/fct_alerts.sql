{% set no_feed = 'files in the inbox that no feed takes' %}
with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

transfers as (
    select * from {{ ref('stg_transfers') }}
),

acknowledgements as (
    select * from {{ ref('stg_feeds__acknowledgements') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
pieces as not materialized (
    select * from {{ ref('int_pieces_latest') }}
),

tracked as not materialized (
    select * from {{ ref('int_pieces_tracked') }}
),

reprints as (
    select * from {{ ref('int_pieces_reprinted') }}
),

urgent_pulls as (
    select * from {{ ref('int_urgent_pulls') }}
),

incidents_closed as (
    select * from {{ ref('int_incidents_closed') }}
),

-- What two people have closed since it was posted is no alert any more (rules: to the letter box).
settled as (
    select pieces.envelope_id
    from pieces
    inner join incidents_closed on pieces.envelope_id = incidents_closed.envelope_id
    where pieces.posted_on <= incidents_closed.closed_on
),

seed_pieces as (
    select * from {{ ref('fct_seed_pieces') }}
),

stopped as (
    select * from {{ ref('int_branches_stopped') }}
),

feed_rejects as (
    select * from {{ ref('stg_feeds__rejects') }}
),

refusals as (
    select * from {{ ref('stg_refusals') }}
),

piece_reports as (
    select * from {{ ref('stg_feeds__piece_reports') }}
),

return_reports as (
    select * from {{ ref('stg_feeds__return_reports') }}
),

deadline_verdict as (
    select * from {{ ref('fct_deadline_verdict') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

full_drops as (
    select distinct 'as_of=' || as_of as file_name
    from registers
    where kind = 'full'
),

newest_full as (
    select max(as_of) as as_of
    from registers
    where kind = 'full'
),

-- The printer answers a file by its next weekly report.
answered_files as (
    select distinct file_name
    from acknowledgements
),

answered_lots as (
    select distinct lot_id
    from acknowledgements
    where lot_id is not null
),

unacknowledged as (
    select
        case when transfers.file_kind = 'lot' then 'lot_unacknowledged' else 'file_unacknowledged' end as alert_code,
        coalesce(transfers.lot_id, transfers.file_name) as subject,
        1 as count,
        min(transfers.received_on) as raised_on,
        'warning' as severity
    from transfers
    cross join run_context
    left join answered_files on transfers.file_name = answered_files.file_name
    left join answered_lots on transfers.lot_id = answered_lots.lot_id
    where
        transfers.step = 'announced'
        and answered_files.file_name is null
        and answered_lots.lot_id is null
        and transfers.received_on + 7 < run_context.as_of
    group by all
),

rejected as (
    select
        'lot_rejected' as alert_code,
        lots.lot_id as subject,
        lots.envelope_count as count,
        lots.acknowledged_on as raised_on,
        'critical' as severity
    from lots
    where lots.answer = 'rejected' and not lots.is_replaced and not lots.is_voided
),

-- Whoever is in a lot that a stop order had destroyed has no certificate until the lot is planned again.
destroyed as (
    select
        'lot_destroyed' as alert_code,
        lots.lot_id as subject,
        lots.envelope_count as count,
        lots.stopped_on as raised_on,
        'critical' as severity
    from lots
    where lots.undone_reason_code = 'lot_destroyed' and not lots.is_replaced and not lots.is_voided
),

held_back as (
    select
        'lot_stopped' as alert_code,
        lots.lot_id as subject,
        lots.envelope_count as count,
        lots.stopped_on as raised_on,
        'warning' as severity
    from lots
    where lots.stop_effect = 'hold' and not lots.is_voided
),

stopped_and_posted as (
    select
        'stopped_piece_posted' as alert_code,
        lots.lot_id as subject,
        lots.posted_count as count,
        lots.first_posted_on as raised_on,
        'critical' as severity
    from lots
    where lots.stop_effect in ('hold', 'destroy') and lots.posted_count > 0
),

-- Lists and orders carry no lot: their answers are told apart by the name of the file.
orders_answered as (
    select
        file_name,
        arg_max(result, (acknowledged_on - date '2020-01-01') * 10000000000 + row_number) as answer,
        max(acknowledged_on) as acknowledged_on
    from acknowledgements
    where lot_id is null
    group by file_name
),

orders_rejected as (
    select
        'order_rejected' as alert_code,
        transfers.file_name as subject,
        1 as count,
        orders_answered.acknowledged_on as raised_on,
        'warning' as severity
    from transfers
    inner join orders_answered on transfers.file_name = orders_answered.file_name
    where transfers.step = 'announced' and transfers.file_kind <> 'lot' and orders_answered.answer = 'rejected'
),

count_differs as (
    select
        'acknowledged_count_differs' as alert_code,
        lots.lot_id as subject,
        abs(lots.acknowledged_envelope_count - lots.transferred_envelope_count) as count,
        lots.acknowledged_on as raised_on,
        'critical' as severity
    from lots
    where lots.answer = 'accepted' and lots.acknowledged_envelope_count <> lots.transferred_envelope_count
),

due_lots as (
    select lots.*
    from lots
    cross join run_context
    cross join campaign
    where lots.is_released and run_context.as_of >= least(lots.due_posting_date + 14, campaign.served_by)
),

report_missing as (
    select
        'report_missing' as alert_code,
        lot_id as subject,
        envelope_count as count,
        due_posting_date + 14 as raised_on,
        'critical' as severity
    from due_lots
    where report_count = 0
),

posted_less as (
    select
        'pieces_unreported' as alert_code,
        lot_id as subject,
        envelope_count - reported_original_count as count,
        due_posting_date + 14 as raised_on,
        'critical' as severity
    from due_lots
    where report_count > 0 and reported_original_count < envelope_count
),

posted_unreleased as (
    select
        'posted_without_release' as alert_code,
        lot_id as subject,
        posted_count as count,
        first_posted_on as raised_on,
        'critical' as severity
    from lots
    where posted_count > 0 and not is_released and coalesce(stop_effect not in ('hold', 'destroy'), true)
),

incidents as (
    select
        case when tracked.is_pulled_for_protection then 'protected_piece_posted' else 'pulled_piece_posted' end
            as alert_code,
        tracked.lot_id as subject,
        count(*) as count,
        min(tracked.posted_on) as raised_on,
        'critical' as severity
    from tracked
    anti join settled on tracked.envelope_id = settled.envelope_id
    where tracked.is_incident
    group by all
),

-- Out, not reported yet, and protected or held since: until the printer confirms the urgent pull.
protected_out as (
    select
        'protected_after_release' as alert_code,
        urgent_pulls.lot_id as subject,
        count(distinct urgent_pulls.envelope_id) as count,
        run_context.as_of as raised_on,
        'critical' as severity
    from urgent_pulls
    cross join run_context
    group by urgent_pulls.lot_id, run_context.as_of
),

pulled_unlisted as (
    select
        'pulled_without_list' as alert_code,
        lot_id as subject,
        count(*) as count,
        min(print_event_on) as raised_on,
        'critical' as severity
    from tracked
    where status = 'pulled' and status_reason_code = 'pulled_not_listed'
    group by lot_id
),

pull_unconfirmed as (
    select
        'pull_unconfirmed' as alert_code,
        tracked.lot_id as subject,
        count(*) as count,
        min(tracked.pull_listed_on) as raised_on,
        'critical' as severity
    from tracked
    inner join due_lots on tracked.lot_id = due_lots.lot_id
    where tracked.is_pull_listed and tracked.print_event_on is null
    group by tracked.lot_id
),

spoiled_unreplaced as (
    select
        'spoiled_without_replacement' as alert_code,
        pieces.lot_id as subject,
        count(*) as count,
        min(pieces.spoiled_on) as raised_on,
        'critical' as severity
    from pieces
    left join reprints on pieces.envelope_id = reprints.replaces_envelope_id
    where pieces.print_event_type = 'spoiled' and pieces.lot_id is not null and reprints.envelope_id is null
    group by pieces.lot_id
),

spoiled_and_posted as (
    select
        'spoiled_piece_posted' as alert_code,
        pieces.lot_id as subject,
        count(*) as count,
        min(pieces.posted_on) as raised_on,
        'critical' as severity
    from pieces
    anti join settled on pieces.envelope_id = settled.envelope_id
    where
        pieces.posted_on is not null
        and pieces.spoiled_on is not null
        and pieces.lot_id is not null
    group by pieces.lot_id
),

-- Reports that contradict each other are shown, never overwritten (contract printer/v1, answers).
posted_twice as (
    select
        'piece_posted_twice' as alert_code,
        pieces.lot_id as subject,
        count(*) as count,
        min(pieces.posted_on) as raised_on,
        'critical' as severity
    from pieces
    anti join settled on pieces.envelope_id = settled.envelope_id
    where pieces.is_posted_twice and pieces.lot_id is not null
    group by pieces.lot_id
),

returned_before_posting as (
    select
        'returned_before_posting' as alert_code,
        lot_id as subject,
        count(*) as count,
        min(return_known_on) as raised_on,
        'warning' as severity
    from pieces
    where is_returned_before_posting and lot_id is not null
    group by lot_id
),

known_incidents as (
    select envelope_id
    from tracked
    where is_incident
),

-- What was to be pulled and left is an incident of its own, whatever else was reported of it.
posted_and_pulled as (
    select
        'piece_posted_and_pulled' as alert_code,
        pieces.lot_id as subject,
        count(*) as count,
        min(greatest(pieces.posted_on, pieces.pulled_on)) as raised_on,
        'critical' as severity
    from pieces
    left join known_incidents on pieces.envelope_id = known_incidents.envelope_id
    anti join settled on pieces.envelope_id = settled.envelope_id
    where
        pieces.posted_on is not null
        and pieces.pulled_on is not null
        and pieces.lot_id is not null
        and known_incidents.envelope_id is null
    group by pieces.lot_id
),

-- A number that was never given, or one kept for a replacement that no spoiled piece names.
unknown_pieces as (
    select
        'piece_unknown' as alert_code,
        coalesce(pieces.lot_id, 'no lot') as subject,
        count(*) as count,
        min(coalesce(pieces.reported_on, pieces.return_known_on)) as raised_on,
        'warning' as severity
    from pieces
    left join reprints on pieces.envelope_id = reprints.envelope_id
    where
        pieces.number_kind = 'unknown'
        or (pieces.number_kind = 'replacement' and reprints.envelope_id is null)
    group by all
),

returned_unposted as (
    select
        'returned_without_posting' as alert_code,
        pieces.lot_id as subject,
        count(*) as count,
        min(pieces.return_known_on) as raised_on,
        'warning' as severity
    from pieces
    cross join run_context
    where
        pieces.returned_on is not null
        and coalesce(pieces.print_event_type <> 'posted', true)
        and pieces.lot_id is not null
        and pieces.return_known_on + 14 <= run_context.as_of
    group by pieces.lot_id
),

branches_stopped as (
    select
        'stop_rate_exceeded' as alert_code,
        {{ insurer_number('stopped.prefecture') }} as subject,
        stopped.stopped_lot_count as count,
        max(pieces.return_known_on) as raised_on,
        'critical' as severity
    from stopped
    left join pieces on stopped.lot_id = pieces.lot_id
    group by all
),

lots_withheld as (
    select
        'lot_withheld' as alert_code,
        lots.lot_id as subject,
        lots.envelope_count as count,
        lots.due_posting_date as raised_on,
        'warning' as severity
    from lots
    where lots.status = 'withheld'
),

-- What a release left out because the newest register would have emptied it; a person looks and resumes the branch.
register_doubted as (
    select
        'register_doubted' as alert_code,
        {{ insurer_number('lots.prefecture') }} as subject,
        sum(lots.envelope_count) as count,
        min(lots.due_posting_date) as raised_on,
        'critical' as severity
    from lots
    where lots.status = 'withheld' and lots.withheld_reason_code = 'register_doubted'
    group by lots.prefecture
),

-- What gates said of the newest full drop and of the deltas after it; it was landed all the same.
register_warned as (
    select
        'register_warned' as alert_code,
        'as_of=' || registers.as_of as subject,
        registers.warning_count as count,
        registers.as_of as raised_on,
        'warning' as severity
    from registers
    cross join newest_full
    where registers.file = 'members' and registers.warning_count > 0 and registers.as_of >= newest_full.as_of
),

register_old as (
    select
        'register_too_old' as alert_code,
        plans.plan_id as subject,
        plans.frozen_on - plans.register_as_of as count,
        plans.frozen_on as raised_on,
        'warning' as severity
    from plans
    cross join campaign
    where
        plans.plan_kind = 'release'
        and not plans.is_voided
        and plans.frozen_on - plans.register_as_of > campaign.recheck_max_age_days
    union all
    select
        'register_too_old' as alert_code,
        'release of ' || run_context.posting_date as subject,
        run_context.as_of - run_context.newest_register_as_of as count,
        run_context.as_of as raised_on,
        'warning' as severity
    from run_context
    cross join campaign
    where
        run_context.run_kind = 'release'
        and run_context.as_of - run_context.newest_register_as_of > campaign.recheck_max_age_days
        and not exists (
            select 1 from plans
            where plans.plan_kind = 'release' and plans.posting_date = run_context.posting_date and not plans.is_voided
        )
),

-- A sample that spoiled is answered for by the one printed in its place.
samples as (
    select
        'sample_not_posted' as alert_code,
        seed_pieces.lot_id as subject,
        count(*) as count,
        min(due_lots.due_posting_date + 14) as raised_on,
        'warning' as severity
    from seed_pieces
    inner join due_lots on seed_pieces.lot_id = due_lots.lot_id
    left join reprints on seed_pieces.envelope_id = reprints.replaces_envelope_id
    where
        due_lots.report_count > 0
        and seed_pieces.status not in ('posted', 'returned', 'replaced')
        and reprints.envelope_id is null
    group by seed_pieces.lot_id
),

feed_rows as (
    select
        'feed_rows_rejected' as alert_code,
        feed as subject,
        count(*) as count,
        max(received_on) as raised_on,
        'warning' as severity
    from feed_rejects
    group by feed
),

-- A file that was put right under its own name is no alert any more; one that came before with other content stays.
landed_rows as (
    select
        source_file,
        received_on
    from acknowledgements
    union all
    select
        source_file,
        received_on
    from piece_reports
    union all
    select
        source_file,
        received_on
    from return_reports
    union all
    select
        source_file,
        received_on
    from feed_rejects
),

taken_in as (
    select
        source_file,
        max(received_on) as received_on
    from landed_rows
    group by source_file
),

-- A refused drop is superseded by a later full one: what is in it is not seen till then.
drops_refused as (
    select
        'register_drop_refused' as alert_code,
        refusals.file_name as subject,
        count(*) as count,
        min(refusals.received_on) as raised_on,
        'critical' as severity
    from refusals
    anti join full_drops on refusals.file_name < full_drops.file_name
    left join full_drops as same_day on refusals.file_name = same_day.file_name
    where
        starts_with(refusals.file_name, 'as_of=')
        and (same_day.file_name is null or starts_with(refusals.reason, 'conflict'))
    group by refusals.file_name
),

answers_refused as (
    select
        if(starts_with(refusals.reason, '{{ no_feed }}'), 'feed_file_untaken', 'answer_refused') as alert_code,
        refusals.file_name as subject,
        count(*) as count,
        min(refusals.received_on) as raised_on,
        'critical' as severity
    from refusals
    left join taken_in
        on refusals.file_name = taken_in.source_file and refusals.received_on < taken_in.received_on
    where taken_in.source_file is null and not starts_with(refusals.file_name, 'as_of=')
    group by all
),

-- The day itself is no subject: what cannot be posted in time is one alert until it can.
deadline as (
    select
        'deadline_at_risk' as alert_code,
        deadline_verdict.reason_code as subject,
        deadline_verdict.late as count,
        deadline_verdict.as_of as raised_on,
        'critical' as severity
    from deadline_verdict
    where not deadline_verdict.holds
),

alerts as (
    select * from unacknowledged
    union all
    select * from rejected
    union all
    select * from destroyed
    union all
    select * from held_back
    union all
    select * from stopped_and_posted
    union all
    select * from orders_rejected
    union all
    select * from count_differs
    union all
    select * from report_missing
    union all
    select * from posted_less
    union all
    select * from posted_unreleased
    union all
    select * from incidents
    union all
    select * from protected_out
    union all
    select * from pulled_unlisted
    union all
    select * from pull_unconfirmed
    union all
    select * from spoiled_unreplaced
    union all
    select * from spoiled_and_posted
    union all
    select * from posted_twice
    union all
    select * from returned_before_posting
    union all
    select * from posted_and_pulled
    union all
    select * from unknown_pieces
    union all
    select * from returned_unposted
    union all
    select * from branches_stopped
    union all
    select * from lots_withheld
    union all
    select * from register_doubted
    union all
    select * from register_warned
    union all
    select * from register_old
    union all
    select * from samples
    union all
    select * from feed_rows
    union all
    select * from answers_refused
    union all
    select * from drops_refused
    union all
    select * from deadline
),

final as (
    select
        alert_code,
        subject,
        count::bigint as count,
        raised_on,
        'docs/runbooks/' || alert_code || '.md' as runbook,
        severity
    from alerts
)

select * from final
