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

replaced as (
    select
        lots.replaces_lot_id as lot_id,
        min(lots.received_on) as replaced_on
    from lots
    inner join plans on lots.plan_id = plans.plan_id
    where lots.replaces_lot_id is not null and not plans.is_voided
    group by lots.replaces_lot_id
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
    where not plans.is_voided
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
        min(posted_on) as first_posted_on,
        max(posted_on) as last_posted_on
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
        coalesce(releases.release_posting_date, lots.posting_date) as due_posting_date,
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
            when plans.plan_kind = 'release' then coalesce(releases.has_release_line, true)
            else true
        end as is_in_release,
        case
            when plans.is_voided or replaced.lot_id is not null then false
            when coalesce(answered.answer = 'rejected', false) then false
            when plans.plan_kind in ('home', 'resend') then coalesce(releases.is_released, false)
            when plans.plan_kind = 'release' then coalesce(releases.is_released, plans.is_approved)
            else announced.lot_id is not null
        end as is_released,
        coalesce(releases.released_on, plans.approved_on, announced.announced_on) as released_on,
        case when not coalesce(releases.has_release_line, false) then releases.withheld_reason_code end
            as withheld_reason_code,
        coalesce(counted.posted_count, 0) as posted_count,
        coalesce(counted.reported_original_count, 0) as reported_original_count,
        coalesce(counted.posted_original_count, 0) as posted_original_count,
        coalesce(counted.pulled_original_count, 0) as pulled_original_count,
        coalesce(counted.spoiled_original_count, 0) as spoiled_original_count,
        coalesce(counted.returned_count, 0) as returned_count,
        coalesce(counted.report_count, 0) as report_count,
        counted.first_posted_on,
        counted.last_posted_on
    from lots
    inner join plans on lots.plan_id = plans.plan_id
    left join announced on lots.lot_id = announced.lot_id
    left join answered on lots.lot_id = answered.lot_id
    left join replaced on lots.lot_id = replaced.lot_id
    left join releases on lots.lot_id = releases.lot_id
    left join counted on lots.lot_id = counted.lot_id
),

final as (
    select
        * replace (case when is_released then released_on end as released_on),
        case
            when is_voided then 'voided'
            when is_replaced then 'replaced'
            when coalesce(answer = 'rejected', false) then 'rejected'
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
