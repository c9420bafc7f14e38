with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

register_rejects as (
    select * from {{ ref('stg_register__rejects') }}
),

member_files as (
    select * from {{ ref('stg_landed__member_files') }}
),

member_rejects as (
    select * from {{ ref('stg_landed__member_rejects') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
members as not materialized (
    select * from {{ ref('int_members_evaluated') }}
),

-- Whom a later drop judged, beside what became of the snapshot's rows.
standing as not materialized (
    select * from {{ ref('int_members_standing') }}
),

late_releases as (
    select * from {{ ref('int_late_releases') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

frozen_envelopes as (
    select * from {{ ref('stg_plans__envelopes') }}
),

frozen_certificates as not materialized (
    select * from {{ ref('stg_plans__certificates') }}
),

seed_pieces as (
    select * from {{ ref('stg_plans__seed_pieces') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

undone_follow_ups as (
    select * from {{ ref('int_follow_ups_undone') }}
),

pieces as not materialized (
    select * from {{ ref('int_pieces_latest') }}
),

reprints as (
    select * from {{ ref('int_pieces_reprinted') }}
),

incidents_closed as (
    select * from {{ ref('int_incidents_closed') }}
),

people_in_drops as (
    select * from {{ ref('int_people_in_drops') }}
),

everyone as (
    select * from {{ ref('fct_everyone') }}
),

-- 1: what the manifest of the campaign's drop says, against what was made of its rows.
register_terms as (
    select
        '1_register' as stage,
        'left' as side,
        'manifest_rows' as term,
        coalesce(sum(manifest_rows), 0) as term_count,
        0 as open_count
    from registers
    where is_campaign_drop and file = 'members'
    union all
    select
        '1_register' as stage,
        'right' as side,
        'rejected' as term,
        count(*) as term_count,
        0 as open_count
    from register_rejects
    where file = 'members'
    union all
    select
        '1_register' as stage,
        'right' as side,
        disposition as term,
        count(*) as term_count,
        0 as open_count
    from members
    group by disposition
),

-- 1b: the same for the drops that came later, by the footers of their files. A drop whose rows were deleted after
-- their time has no file and takes no part.
later_drops as (
    select
        registers.as_of,
        registers.manifest_rows,
        member_files.accepted_count
    from registers
    inner join member_files on registers.as_of = member_files.as_of
    where registers.file = 'members' and not registers.is_campaign_drop
),

later_register_terms as (
    select
        '1b_later_drops' as stage,
        'left' as side,
        'manifest_rows' as term,
        coalesce(sum(manifest_rows), 0) as term_count,
        0 as open_count
    from later_drops
    union all
    select
        '1b_later_drops' as stage,
        'right' as side,
        'rejected' as term,
        count(*) as term_count,
        0 as open_count
    from member_rejects
    inner join later_drops on member_rejects.as_of = later_drops.as_of
    union all
    select
        '1b_later_drops' as stage,
        'right' as side,
        'accepted' as term,
        coalesce(sum(accepted_count), 0) as term_count,
        0 as open_count
    from later_drops
),

-- 2: people. Whoever has a certificate from the home route and no row of the register any more belongs to 1.
first_plan as (
    select count(*) > 0 as is_frozen
    from plans
    where plan_kind = 'home' and not is_voided
),

people_frozen as (
    select
        frozen_certificates.member_key,
        bool_or(frozen_certificates.route <> 'home') as has_other_route
    from frozen_certificates
    inner join plans on frozen_certificates.plan_id = plans.plan_id
    where not plans.is_voided
    group by frozen_certificates.member_key
),

people as (
    select
        coalesce(standing.disposition = 'target', false) as is_target,
        coalesce(standing.late_disposition = 'target', false) as is_target_later,
        coalesce(standing.effective_disposition = 'target', false) as is_wanted,
        standing.member_key is not null as has_row,
        people_frozen.member_key is not null as is_frozen,
        coalesce(people_frozen.has_other_route, false) as has_other_route,
        coalesce(standing.effective_disposition = 'target', false)
        and people_frozen.member_key is null
        and (
            late_releases.member_key is not null
            or (not first_plan.is_frozen and standing.disposition = 'target')
        ) as is_pending,
        not coalesce(late_releases.is_for_branch_desk, false) as is_plannable
    from standing
    full outer join people_frozen on standing.member_key = people_frozen.member_key
    left join late_releases on standing.member_key = late_releases.member_key
    cross join first_plan
    where
        standing.disposition = 'target'
        or standing.effective_disposition = 'target'
        or standing.late_disposition = 'target'
        or people_frozen.member_key is not null
),

counted_people as (
    select
        count(*) filter (where is_target) as target_count,
        count(*) filter (where is_target_later) as later_count,
        count(*) filter (where is_target_later and is_frozen) as frozen_later_count,
        count(*) filter (where not is_target and not is_target_later and is_pending) as pending_addition_count,
        count(*) filter (
            where not is_target and not is_target_later and is_frozen and (has_row or has_other_route)
        ) as frozen_addition_count,
        count(*) filter (where is_target and is_frozen) as frozen_target_count,
        count(*) filter (where is_pending) as pending_count,
        -- Whom no lot can take any more is the branch desk's.
        count(*) filter (where is_pending and is_plannable) as open_count,
        count(*) filter (
            where (is_target or is_target_later) and not is_frozen and not is_wanted
        ) as excluded_since_count
    from people
),

-- A person can have two certificates, so losing the row of one need not lose the person: the control totals taken at
-- freezing tell. Rows that are missing beyond the people who are missing count against the right side.
certificate_rows as (
    select count(*) as row_count
    from frozen_certificates
),

control_totals as (
    select coalesce(sum(certificate_count), 0) as frozen_count
    from plans
),

weighed_people as (
    select
        counted_people.*,
        greatest(
            abs(control_totals.frozen_count - certificate_rows.row_count)
            - greatest(
                counted_people.target_count + counted_people.later_count + counted_people.pending_addition_count
                - counted_people.frozen_target_count - counted_people.frozen_later_count
                - counted_people.pending_count
                - counted_people.excluded_since_count,
                0
            ),
            0
        ) as missing_row_count
    from counted_people
    cross join certificate_rows
    cross join control_totals
),

people_terms as (
    select
        '2_people' as stage,
        'left' as side,
        unnest(['targets', 'additions_frozen', 'additions_pending', 'row_accepted_later']) as term,
        unnest([target_count, frozen_addition_count, pending_addition_count, later_count]) as term_count,
        0 as open_count
    from weighed_people
    union all
    select
        '2_people' as stage,
        'right' as side,
        unnest([
            'targets_frozen', 'additions_frozen', 'row_accepted_later_frozen', 'pending', 'excluded_or_held_since',
            'rows_missing'
        ]) as term,
        unnest([
            frozen_target_count, frozen_addition_count, frozen_later_count, pending_count, excluded_since_count,
            -missing_row_count
        ]) as term_count,
        unnest([0, 0, 0, open_count, 0, 0]) as open_count
    from weighed_people
),

-- 3 and 4: lots. Samples are in the files and not in the facts, so they are taken off here.
lot_terms as (
    select
        '3_envelopes' as stage,
        'left' as side,
        'frozen' as term,
        count(*) as term_count,
        0 as open_count
    from frozen_envelopes
    -- A packet is counted with the bundle that it lies in.
    where bundle_id is null
    union all
    select
        '3_envelopes' as stage,
        'right' as side,
        case
            when announced_on is not null then 'transferred'
            when is_voided then 'voided'
            else 'waiting'
        end as term,
        sum(case when announced_on is not null then transferred_envelope_count - seed_count else envelope_count end)
            as term_count,
        coalesce(sum(envelope_count) filter (where announced_on is null and not is_voided), 0) as open_count
    from lots
    group by all
    union all
    select
        '4_transfers' as stage,
        'left' as side,
        'transferred' as term,
        coalesce(sum(transferred_envelope_count), 0) as term_count,
        0 as open_count
    from lots
    union all
    select
        '4_transfers' as stage,
        'right' as side,
        coalesce(answer, 'unanswered') as term,
        sum(
            case
                when answer = 'accepted' then coalesce(acknowledged_envelope_count, transferred_envelope_count)
                else transferred_envelope_count
            end
        ) as term_count,
        coalesce(sum(transferred_envelope_count) filter (where answer is null), 0) as open_count
    from lots
    where announced_on is not null
    group by all
),

-- 5: pieces, by their first numbers. What is not reported is open while the report is not due, or while the lot has
-- no report at all; a gap in a lot that is reported is a difference.
released_lots as (
    select
        lots.*,
        run_context.as_of < least(lots.due_posting_date + 14, campaign.served_by) as is_awaited
    from lots
    cross join run_context
    cross join campaign
    where lots.is_released
),

piece_terms as (
    select
        '5_pieces' as stage,
        'left' as side,
        'released' as term,
        coalesce(sum(envelope_count), 0) as term_count,
        0 as open_count
    from released_lots
    union all
    select
        '5_pieces' as stage,
        'right' as side,
        unnest(['posted', 'pulled', 'spoiled', 'open']) as term,
        unnest([
            coalesce(sum(posted_original_count), 0),
            coalesce(sum(pulled_original_count), 0),
            coalesce(sum(spoiled_original_count), 0),
            coalesce(
                sum(envelope_count - reported_original_count) filter (where is_awaited or report_count = 0), 0
            )
        ]) as term_count,
        unnest([
            0,
            0,
            0,
            coalesce(
                sum(envelope_count - reported_original_count) filter (where is_awaited or report_count = 0), 0
            )
        ]) as open_count
    from released_lots
),

-- 5b: each spoiled piece has one replacement, itself posted or spoiled (or pulled before it was posted).
spoiled_pieces as (
    select
        pieces.envelope_id,
        outcomes.print_event_type as replacement_event_type,
        released_lots.is_awaited
        or run_context.as_of < least(pieces.spoiled_on + 14, campaign.served_by) as is_awaited
    from pieces
    inner join released_lots on pieces.lot_id = released_lots.lot_id
    cross join run_context
    cross join campaign
    left join reprints on pieces.envelope_id = reprints.replaces_envelope_id
    left join pieces as outcomes on reprints.envelope_id = outcomes.envelope_id
    where pieces.print_event_type = 'spoiled' and pieces.number_kind in ('original', 'replacement')
),

reprint_terms as (
    select
        '5b_reprints' as stage,
        'left' as side,
        'spoiled' as term,
        count(*) as term_count,
        0 as open_count
    from spoiled_pieces
    union all
    select
        '5b_reprints' as stage,
        'right' as side,
        coalesce('replacement_' || replacement_event_type, 'open') as term,
        count(*) as term_count,
        count(*) filter (where replacement_event_type is null) as open_count
    from spoiled_pieces
    where replacement_event_type is not null or is_awaited
    group by all
),

-- 5c: each sample, or the piece printed again in its place, is reported posted.
sample_numbers as (
    select
        envelope_id,
        envelope_id as frozen_envelope_id,
        lot_id
    from seed_pieces
    union all
    select
        envelope_id,
        frozen_envelope_id,
        lot_id
    from reprints
    where frozen_number_kind = 'sample'
),

samples as (
    select
        sample_numbers.lot_id,
        sample_numbers.frozen_envelope_id,
        bool_or(coalesce(pieces.print_event_type = 'posted', false)) as is_posted
    from sample_numbers
    left join pieces on sample_numbers.envelope_id = pieces.envelope_id
    group by sample_numbers.lot_id, sample_numbers.frozen_envelope_id
),

sample_terms as (
    select
        '5c_samples' as stage,
        'left' as side,
        'released' as term,
        coalesce(sum(seed_count), 0) as term_count,
        0 as open_count
    from released_lots
    union all
    select
        '5c_samples' as stage,
        'right' as side,
        case when samples.is_posted then 'posted' else 'open' end as term,
        count(*) as term_count,
        count(*) filter (where not samples.is_posted) as open_count
    from samples
    inner join released_lots on samples.lot_id = released_lots.lot_id
    where samples.is_posted or released_lots.is_awaited or released_lots.report_count = 0
    group by all
),

-- 5d: nothing on a pull list is posted. A difference is an incident; what an urgent pull could not stop any more is a
-- term of its own, open until two people have closed it (rules: a wave, to the letter box).
listed_pulls as (
    select
        pulls.envelope_id,
        pieces.print_event_type,
        bool_and(plans.plan_kind = 'pull') as is_urgent,
        coalesce(bool_or(pieces.posted_on <= incidents_closed.closed_on), false) as is_settled
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    left join pieces on pulls.envelope_id = pieces.envelope_id
    left join incidents_closed on pulls.envelope_id = incidents_closed.envelope_id
    where plans.is_approved
    group by pulls.envelope_id, pieces.print_event_type
),

pull_terms as (
    select
        '5d_pull_lists' as stage,
        'left' as side,
        'listed' as term,
        count(*) as term_count,
        0 as open_count
    from listed_pulls
    union all
    select
        '5d_pull_lists' as stage,
        'right' as side,
        case
            when coalesce(print_event_type <> 'posted', true) then coalesce(print_event_type, 'not_reported')
            when is_urgent then 'pulled_too_late'
            else 'incident_closed'
        end as term,
        count(*) as term_count,
        count(*) filter (where print_event_type = 'posted' and not is_settled) as open_count
    from listed_pulls
    where coalesce(print_event_type <> 'posted', true) or is_urgent or is_settled
    group by all
),

-- 5e: lots that a stop order holds back or had destroyed. A piece of theirs that is posted all the same is missing on
-- the right: an incident. What is kept back waits for a person, what is to be destroyed for the printer's word.
stopped_lots as (
    select *
    from lots
    where stop_effect in ('hold', 'destroy')
),

stop_terms as (
    select
        '5e_stopped' as stage,
        'left' as side,
        'stopped' as term,
        coalesce(sum(envelope_count), 0) as term_count,
        0 as open_count
    from stopped_lots
    union all
    select
        '5e_stopped' as stage,
        'right' as side,
        unnest(['pulled', 'spoiled', 'kept_back', 'to_be_destroyed']) as term,
        unnest([
            coalesce(sum(pulled_original_count), 0),
            coalesce(sum(spoiled_original_count), 0),
            coalesce(sum(envelope_count - reported_original_count) filter (where stop_effect = 'hold'), 0),
            coalesce(sum(envelope_count - reported_original_count) filter (where stop_effect = 'destroy'), 0)
        ]) as term_count,
        unnest([
            0,
            0,
            coalesce(sum(envelope_count - reported_original_count) filter (where stop_effect = 'hold'), 0),
            coalesce(sum(envelope_count - reported_original_count) filter (where stop_effect = 'destroy'), 0)
        ]) as open_count
    from stopped_lots
),

-- 6: tracking numbers of posted pieces, against where the pieces are.
posted_pieces as (
    select
        pieces.envelope_id,
        pieces.tracking_number,
        case
            when pieces.returned_on is not null then 'returned'
            when pieces.posted_on + campaign.assumed_delivered_after_days::integer <= run_context.as_of then 'delivered'
            else 'in_transit'
        end as term
    from pieces
    cross join run_context
    cross join campaign
    where pieces.print_event_type = 'posted' and pieces.number_kind in ('original', 'replacement')
),

posted_terms as (
    select
        '6_posted' as stage,
        'left' as side,
        'tracking_numbers' as term,
        count(distinct coalesce(tracking_number, envelope_id)) as term_count,
        0 as open_count
    from posted_pieces
    union all
    select
        '6_posted' as stage,
        'right' as side,
        term,
        count(*) as term_count,
        0 as open_count
    from posted_pieces
    group by term
),

-- 7: returned pieces, against what the follow-up runs did with them. A return that a run should have taken is neither
-- followed up nor due, so it is a difference.
returned_pieces as (
    select
        pieces.envelope_id,
        pieces.return_known_on
    from pieces
    inner join lots on pieces.lot_id = lots.lot_id
    where
        pieces.returned_on is not null
        and pieces.number_kind in ('original', 'replacement')
        and lots.lot_kind in ('home', 'supplementary')
),

followed_up as (
    select distinct
        follow_ups.envelope_id,
        follow_ups.envelope_outcome
    from follow_ups
    inner join plans on follow_ups.plan_id = plans.plan_id
    anti join undone_follow_ups
        on follow_ups.plan_id = undone_follow_ups.plan_id and follow_ups.envelope_id = undone_follow_ups.envelope_id
    where not plans.is_voided
),

-- Their bundle can never be posted, so the next run takes them.
due_again as (
    select distinct envelope_id
    from undone_follow_ups
),

last_follow_up as (
    select max(run_on) as run_on
    from plans
    where plan_kind = 'follow_up' and not is_voided
),

return_terms as (
    select
        '7_returned' as stage,
        'left' as side,
        'returned' as term,
        count(*) as term_count,
        0 as open_count
    from returned_pieces
    union all
    select
        '7_returned' as stage,
        'right' as side,
        envelope_outcome as term,
        count(*) as term_count,
        0 as open_count
    from followed_up
    group by envelope_outcome
    union all
    select
        '7_returned' as stage,
        'right' as side,
        case
            when due_again.envelope_id is not null then 'due_again'
            when
                run_context.as_of > campaign.closing_follow_up_on
                and returned_pieces.return_known_on >= campaign.closing_follow_up_on
                then 'branch_desk_after_closing'
            else 'not_yet_due'
        end as term,
        count(*) as term_count,
        count(*) filter (
            where run_context.as_of <= campaign.closing_follow_up_on or due_again.envelope_id is not null
        ) as open_count
    from returned_pieces
    cross join run_context
    cross join campaign
    cross join last_follow_up
    left join followed_up on returned_pieces.envelope_id = followed_up.envelope_id
    left join due_again on returned_pieces.envelope_id = due_again.envelope_id
    where
        followed_up.envelope_id is null
        and (
            coalesce(returned_pieces.return_known_on >= last_follow_up.run_on, true)
            or due_again.envelope_id is not null
        )
    group by all
),

-- 8: everyone on the day. Left from the files of the drops by key, right from the line that each person is in.
everyone_terms as (
    select
        '8_everyone' as stage,
        'left' as side,
        term,
        people as term_count,
        0 as open_count
    from people_in_drops
    union all
    select
        '8_everyone' as stage,
        'right' as side,
        line || ':' || reason_code as term,
        sum(people) as term_count,
        0 as open_count
    from everyone
    group by line, reason_code
),

terms as (
    select * from register_terms
    union all
    select * from later_register_terms
    union all
    select * from people_terms
    union all
    select * from lot_terms
    union all
    select * from piece_terms
    union all
    select * from reprint_terms
    union all
    select * from sample_terms
    union all
    select * from pull_terms
    union all
    select * from stop_terms
    union all
    select * from posted_terms
    union all
    select * from return_terms
    union all
    select * from everyone_terms
),

final as (
    select
        stage,
        side,
        term,
        term_count::bigint as term_count,
        open_count::bigint as open_count
    from terms
)

select * from final
