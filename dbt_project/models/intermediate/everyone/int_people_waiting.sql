with members as (
    select * from {{ ref('int_members_standing') }}
    where effective_disposition in ('target', 'held')
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

late_releases as (
    select * from {{ ref('int_late_releases') }}
),

rows_back as (
    select * from {{ ref('int_late_judged') }}
    where cause = 'row_missing'
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

requests as (
    select * from {{ ref('int_requests_judged') }}
    where not is_decided and outcome in ('issue', 'held')
),

rolling_due as (
    select * from {{ ref('int_rolling_due') }}
    where outcome in ('issue', 'held')
),

run_context as (
    select * from {{ ref('stg_context') }}
),

-- The newest word on each certificate; a live one counts before any that is not.
by_member as (
    select
        member_key,
        -- Most certificates have no reason: without the coalesce nobody who waits for posting would be listed.
        bool_or(
            status in ('delivered', 'at_employer') or coalesce(reason_code = 'returned_by_member', false)
        ) as is_served,
        bool_or(
            status = 'closed'
            or (
                status = 'pulled'
                and coalesce(reason_code, '') in (
                    'membership_lost', 'reached_75', 'validity_over', 'already_has_certificate', 'card_usable'
                )
            )
        ) as is_terminal,
        bool_or(is_live) as has_live,
        arg_max(certificate_id, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as certificate_id,
        arg_max(status, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as status,
        -- Not arg_max, which would pass over a certificate without a reason.
        arg_max_null(
            reason_code, is_live::integer * 10000000000 + (status_on - date '2000-01-01')
        ) as reason_code,
        arg_max(lot_id, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as lot_id
    from certificates
    group by member_key
),

pull_outcomes as (
    select
        pulls.member_key,
        arg_max(pulls.outcome_reason_code, pulls.received_on) as reason_code
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    where not plans.is_voided and pulls.outcome = 'held'
    group by pulls.member_key
),

-- The row that was missing came back, and another line holds the person now, or has ended the matter.
held_again as (
    select
        member_key,
        reason_code
    from rows_back
    where disposition = 'held'
),

ended_since as (
    select member_key
    from rows_back
    where disposition = 'excluded'
),

-- What keeps a planned piece from being in the mail.
lot_reasons as (
    select
        lots.lot_id,
        case
            when lots.withheld_reason_code is not null then lots.withheld_reason_code
            when lots.status = 'rejected' then 'lot_rejected'
            when lots.is_released and lots.posting_date <= run_context.as_of then 'not_reported'
            when lots.posting_date > run_context.as_of then 'waiting_for_posting_date'
            else 'not_released'
        end as reason_code
    from lots
    cross join run_context
),

-- Everyone with a certificate, a target without one, and everyone held: whoever was to be served and is not.
of_the_campaign as (
    select
        coalesce(by_member.member_key, members.member_key) as member_key,
        case
            when late_releases.is_for_branch_desk then 'at_branch_desk'
            when late_releases.member_key is not null then 'not_planned'
            when by_member.member_key is null and members.effective_disposition = 'held' then 'held'
            when by_member.member_key is null then 'not_planned'
            when by_member.status in ('at_branch_desk', 'held', 'returned') then by_member.status
            when by_member.status = 'posted' then 'in_transit'
            when by_member.status in ('planned', 'handed_off') then 'not_posted'
            when by_member.status = 'pulled' then 'pulled_and_held'
            else 'without_certificate'
        end as stage,
        case
            when late_releases.member_key is not null then 'released_and_waiting'
            when by_member.member_key is null and members.effective_disposition = 'held'
                then members.effective_reason_code
            when by_member.member_key is null then members.effective_reason_code
            when by_member.status = 'posted' then coalesce(by_member.reason_code, 'not_assumed_delivered_yet')
            when by_member.status in ('planned', 'handed_off')
                then coalesce(by_member.reason_code, lot_reasons.reason_code)
            when by_member.status = 'pulled'
                then coalesce(held_again.reason_code, pull_outcomes.reason_code, by_member.reason_code)
            else coalesce(by_member.reason_code, by_member.status)
        end as reason_code,
        by_member.certificate_id
    from members
    full outer join by_member on members.member_key = by_member.member_key
    left join late_releases on members.member_key = late_releases.member_key
    left join pull_outcomes on by_member.member_key = pull_outcomes.member_key
    left join held_again on by_member.member_key = held_again.member_key
    left join ended_since on by_member.member_key = ended_since.member_key
    left join lot_reasons on by_member.lot_id = lot_reasons.lot_id
    where
        by_member.member_key is null
        or late_releases.member_key is not null
        or (
            not by_member.is_served
            and (by_member.has_live or (not by_member.is_terminal and ended_since.member_key is null))
        )
),

-- People of the other routes whom the next weekly run will serve, or who are held by it.
of_other_routes as (
    select
        member_key,
        'request' as stage,
        coalesce(reason_code, 'waiting_for_issue') as reason_code
    from requests
    union all
    select
        member_key,
        route as stage,
        coalesce(reason_code, 'waiting_for_issue') as reason_code
    from rolling_due
),

served as (
    select member_key
    from by_member
    where is_served
),

others_once as (
    select
        of_other_routes.member_key,
        arg_min(of_other_routes.stage, of_other_routes.stage) as stage,
        arg_min(of_other_routes.reason_code, of_other_routes.stage) as reason_code,
        null::varchar as certificate_id
    from of_other_routes
    anti join of_the_campaign on of_other_routes.member_key = of_the_campaign.member_key
    anti join served on of_other_routes.member_key = served.member_key
    group by of_other_routes.member_key
),

final as (
    select * from of_the_campaign
    union all
    select * from others_once
)

select * from final
