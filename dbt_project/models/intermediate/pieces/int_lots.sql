with lots as (
    select * from {{ ref('stg_plans__lots') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

transfers as (
    select * from {{ ref('stg_transfers') }}
),

acknowledgements as (
    select * from {{ ref('stg_feeds__acknowledgements') }}
),

release_lots as (
    select * from {{ ref('stg_plans__release_lots') }}
),

stop_lots as (
    select * from {{ ref('stg_plans__stop_lots') }}
),

replaced_lots as (
    select * from {{ ref('stg_plans__replaced_lots') }}
),

pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

announced as (
    select
        lot_id,
        min(received_on) as announced_on,
        max(envelope_count) as transferred_envelope_count
    from transfers
    where file_kind = 'lot' and step = 'announced'
    group by lot_id
),

answered as (
    select
        lot_id,
        arg_max(result, (acknowledged_on - date '2020-01-01') * 10000000000 + row_number) as answer,
        max(acknowledged_on) as acknowledged_on,
        arg_max(envelope_count, (acknowledged_on - date '2020-01-01') * 10000000000 + row_number)
            as acknowledged_envelope_count
    from acknowledgements
    where lot_id is not null
    group by lot_id
),

taken_up_again as (
    select
        plan_id,
        received_on,
        replaces_lot_id as lot_id
    from lots
    where replaces_lot_id is not null
    union all
    select
        plan_id,
        received_on,
        lot_id
    from replaced_lots
),

replaced as (
    select
        taken_up_again.lot_id,
        min(taken_up_again.received_on) as replaced_on
    from taken_up_again
    inner join plans on taken_up_again.plan_id = plans.plan_id
    where not plans.is_voided
    group by taken_up_again.lot_id
),

first_posted as (
    select
        lot_id,
        min(posted_on) as first_posted_on
    from pieces
    where lot_id is not null and posted_on is not null
    group by lot_id
),

answered_orders as (
    select
        file_name,
        arg_max(result, (acknowledged_on - date '2020-01-01') * 10000000000 + row_number) as answer
    from acknowledgements
    where lot_id is null
    group by file_name
),

-- Stop orders that were sent and not refused. What was posted by then is not called back: the order has no effect on
-- that lot (contract printer/v1, stop order).
effective_stops as (
    select
        stop_lots.lot_id,
        stop_lots.effect,
        stop_lots.reason_code,
        stop_lots.cancelled_plan_id,
        transfers.received_on as stopped_on,
        (transfers.received_on - date '2020-01-01') * 100000 + stop_lots.order_number as stop_order
    from stop_lots
    inner join transfers
        on
            stop_lots.plan_id = transfers.plan_id
            and stop_lots.lot_id = transfers.lot_id
            and transfers.step = 'stopped'
    left join answered_orders on transfers.file_name = answered_orders.file_name
    left join first_posted on stop_lots.lot_id = first_posted.lot_id
    where
        coalesce(answered_orders.answer <> 'rejected', true)
        and coalesce(first_posted.first_posted_on > transfers.received_on, true)
),

stops as (
    select
        lot_id,
        arg_max(effect, stop_order) as stop_effect,
        arg_max(reason_code, stop_order) as stop_reason_code,
        arg_max(stopped_on, stop_order) as stopped_on
    from effective_stops
    group by lot_id
),

-- A release that was given before a hold ends with it: the lot waits for another.
cancelled as (
    select distinct
        lot_id,
        cancelled_plan_id as plan_id
    from effective_stops
    where effect in ('hold', 'destroy') and cancelled_plan_id is not null
),

releases as (
    select
        release_lots.lot_id,
        bool_or(release_lots.is_released) as has_release_line,
        bool_or(release_lots.is_released and plans.is_approved) as is_released,
        min(release_lots.posting_date) filter (where release_lots.is_released) as release_posting_date,
        min(plans.approved_on) filter (where release_lots.is_released and plans.is_approved) as released_on,
        arg_max(release_lots.withheld_reason_code, release_lots.received_on) as withheld_reason_code
    from release_lots
    inner join plans on release_lots.plan_id = plans.plan_id
    left join cancelled on release_lots.lot_id = cancelled.lot_id and release_lots.plan_id = cancelled.plan_id
    where not plans.is_voided and cancelled.lot_id is null
    group by release_lots.lot_id
),

counted as (
    select
        lot_id,
        count(*) filter (where number_kind <> 'sample' and print_event_type = 'posted') as posted_count,
        count(*) filter (where number_kind = 'original' and print_event_type is not null) as reported_original_count,
        count(*) filter (where number_kind = 'original' and print_event_type = 'posted') as posted_original_count,
        count(*) filter (where number_kind = 'original' and print_event_type = 'pulled') as pulled_original_count,
        count(*) filter (where number_kind = 'original' and print_event_type = 'spoiled') as spoiled_original_count,
        count(*) filter (where number_kind <> 'sample' and returned_on is not null) as returned_count,
        count(*) filter (where print_event_type is not null) as report_count,
        min(posted_on) as first_posted_on
    from pieces
    where lot_id is not null
    group by lot_id
),

joined as (
    select
        lots.lot_id,
        lots.plan_id,
        plans.plan_kind,
        lots.lot_kind,
        lots.prefecture,
        lots.posting_date,
        -- What needs no release is posted once it lies at the printer, or once it may go on.
        coalesce(
            releases.release_posting_date,
            greatest(lots.posting_date, case when stops.stop_effect = 'resume' then stops.stopped_on end)
        ) as due_posting_date,
        lots.wave_key,
        lots.envelope_count,
        lots.certificate_count,
        lots.seed_count,
        lots.weight_g,
        lots.postage_yen,
        lots.received_on as frozen_on,
        plans.is_voided,
        replaced.lot_id is not null as is_replaced,
        replaced.replaced_on,
        announced.announced_on,
        announced.transferred_envelope_count,
        answered.answer,
        answered.acknowledged_on,
        answered.acknowledged_envelope_count,
        plans.plan_kind in ('home', 'release', 'resend') as needs_release,
        -- A release's own supplementary lot goes out with it; other lots leave by approval and transfer alone.
        case
            when plans.plan_kind in ('home', 'resend') then coalesce(releases.has_release_line, false)
            when plans.plan_kind = 'release' then coalesce(releases.has_release_line, cancelled.lot_id is null)
            else true
        end as is_in_release,
        case
            when plans.is_voided or replaced.lot_id is not null then false
            when coalesce(answered.answer = 'rejected' or stops.stop_effect in ('hold', 'destroy'), false) then false
            when plans.plan_kind in ('home', 'resend') then coalesce(releases.is_released, false)
            when plans.plan_kind = 'release'
                then coalesce(releases.is_released, plans.is_approved and cancelled.lot_id is null)
            else announced.lot_id is not null
        end as is_released,
        coalesce(releases.released_on, plans.approved_on, announced.announced_on) as released_on,
        case when not coalesce(releases.has_release_line, false) then releases.withheld_reason_code end
            as withheld_reason_code,
        stops.stop_effect,
        stops.stop_reason_code,
        stops.stopped_on,
        case
            when answered.answer = 'rejected' then 'lot_rejected'
            when stops.stop_effect = 'destroy' then 'lot_destroyed'
        end as undone_reason_code,
        coalesce(counted.posted_count, 0) as posted_count,
        coalesce(counted.reported_original_count, 0) as reported_original_count,
        coalesce(counted.posted_original_count, 0) as posted_original_count,
        coalesce(counted.pulled_original_count, 0) as pulled_original_count,
        coalesce(counted.spoiled_original_count, 0) as spoiled_original_count,
        coalesce(counted.returned_count, 0) as returned_count,
        coalesce(counted.report_count, 0) as report_count,
        counted.first_posted_on
    from lots
    inner join plans on lots.plan_id = plans.plan_id
    left join announced on lots.lot_id = announced.lot_id
    left join answered on lots.lot_id = answered.lot_id
    left join replaced on lots.lot_id = replaced.lot_id
    left join releases on lots.lot_id = releases.lot_id
    left join stops on lots.lot_id = stops.lot_id
    left join cancelled on lots.lot_id = cancelled.lot_id and lots.plan_id = cancelled.plan_id
    left join counted on lots.lot_id = counted.lot_id
),

final as (
    select
        * replace (case when is_released then released_on end as released_on),
        case
            when is_voided then 'voided'
            when is_replaced then 'replaced'
            when undone_reason_code = 'lot_rejected' then 'rejected'
            when undone_reason_code = 'lot_destroyed' then 'destroyed'
            when stop_effect = 'hold' then 'stopped'
            when posted_count > 0 then 'posted'
            when needs_release and is_released then 'released'
            when withheld_reason_code is not null then 'withheld'
            when answer = 'accepted' then 'accepted'
            when announced_on is not null then 'handed_off'
            else 'planned'
        end as status
    from joined
)

select * from final
