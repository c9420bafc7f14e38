with piece_reports as (
    select * from {{ ref('stg_feeds__piece_reports') }}
),

return_reports as (
    select * from {{ ref('stg_feeds__return_reports') }}
),

ranges as (
    select * from {{ ref('int_lot_number_ranges') }}
),

-- One number orders the reports of a piece: the day it happened, then the order in which it was reported; its last
-- digit is the event. The greatest needs one pass, where a window over every event would sort 21 million rows.
reports as (
    select
        envelope_id,
        event_type,
        occurred_on,
        received_on,
        tracking_number,
        replacement_id,
        least(greatest(occurred_on - date '2020-01-01', 0), 9000) * 1000000000000000
        + least(greatest(received_on - date '2020-01-01', 0), 9000) * 100000000000
        + least(row_number, 9999999999) * 10
        + case event_type when 'posted' then 3 when 'spoiled' then 2 else 1 end as report_order
    from piece_reports
),

grouped as (
    select
        envelope_id,
        max(report_order) % 10 as event_digit,
        max(occurred_on) filter (where event_type = 'posted') as posted_on,
        max(occurred_on) filter (where event_type = 'pulled') as pulled_on,
        max(occurred_on) filter (where event_type = 'spoiled') as spoiled_on,
        max(tracking_number) filter (where event_type = 'posted') as tracking_number,
        min(occurred_on) filter (where event_type = 'posted') as first_posted_on,
        min(tracking_number) filter (where event_type = 'posted') as first_tracking_number,
        arg_max(replacement_id, report_order) filter (where event_type = 'spoiled') as replacement_id,
        min(received_on) as reported_on
    from reports
    group by envelope_id
),

reported as (
    select
        *,
        case event_digit when 3 then 'posted' when 2 then 'spoiled' else 'pulled' end as print_event_type,
        case event_digit when 3 then posted_on when 2 then spoiled_on else pulled_on end as print_event_on
    from grouped
),

returned as (
    select
        envelope_id,
        min(returned_on) as returned_on,
        min(greatest(returned_on, received_on)) as return_known_on,
        arg_min(reason_code, (returned_on - date '2020-01-01') * 10000000000 + row_number) as return_reason_code
    from return_reports
    group by envelope_id
),

pieces as (
    select
        coalesce(reported.envelope_id, returned.envelope_id) as envelope_id,
        reported.print_event_type,
        reported.print_event_on,
        reported.posted_on,
        reported.pulled_on,
        reported.spoiled_on,
        reported.tracking_number,
        -- The same report again is no conflict; a report without a tracking number contradicts none.
        coalesce(reported.first_posted_on <> reported.posted_on, false)
        or coalesce(reported.first_tracking_number <> reported.tracking_number, false) as is_posted_twice,
        coalesce(returned.returned_on < reported.first_posted_on, false) as is_returned_before_posting,
        reported.replacement_id,
        reported.reported_on,
        returned.returned_on,
        returned.return_known_on,
        returned.return_reason_code
    from reported
    full outer join returned on reported.envelope_id = returned.envelope_id
),

numbered as (
    select
        *,
        case
            when regexp_full_match(envelope_id, '[0-9]{11}') and try_cast(envelope_id as bigint) % 97 = 1
                then try_cast(left(envelope_id, 9) as bigint)
        end as sequence
    from pieces
),

-- The lot comes from the number itself, so that what the printer says does not depend on the plan's rows.
located as (
    select
        numbered.*,
        case when numbered.sequence <= ranges.last_number then ranges.lot_id end as lot_id,
        case when numbered.sequence <= ranges.last_number then ranges.plan_id end as plan_id,
        case when numbered.sequence <= ranges.last_number then ranges.number_kind else 'unknown' end as number_kind
    from numbered
    asof left join ranges on numbered.sequence >= ranges.first_number
),

final as (
    select
        envelope_id,
        sequence,
        lot_id,
        plan_id,
        number_kind,
        case when returned_on is not null then 'returned' else print_event_type end as latest_event_type,
        coalesce(returned_on, print_event_on) as latest_event_on,
        print_event_type,
        print_event_on,
        posted_on,
        tracking_number,
        is_posted_twice,
        is_returned_before_posting,
        pulled_on,
        spoiled_on,
        replacement_id,
        reported_on,
        returned_on,
        return_known_on,
        return_reason_code
    from located
)

select * from final
