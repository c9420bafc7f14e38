with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

weeks as (
    select * from {{ ref('int_posting_weeks') }}
),

posting_plan as (
    select * from {{ ref('int_posting_plan') }}
    where state in ('planned', 'withheld', 'pending')
),

counted as (
    select
        coalesce(sum(posting_plan.envelope_count), 0)::bigint as to_post,
        coalesce(
            sum(posting_plan.envelope_count) filter (
                where posting_plan.due_on is null or posting_plan.due_on > campaign.served_by
            ), 0
        )::bigint as without_date,
        coalesce(
            sum(posting_plan.envelope_count) filter (
                where
                posting_plan.is_home_mail
                and posting_plan.due_on <= campaign.served_by
                and posting_plan.due_on > campaign.served_by - campaign.assumed_delivered_after_days::integer
            ), 0
        )::bigint as planned_too_late
    from posting_plan
    cross join campaign
),

-- What the weeks cannot carry: home mail by the last day from which it counts as delivered, everything by the end.
carried as (
    select
        coalesce(greatest(
            arg_max(home_backlog_after, week_start) filter (where working_days_to_deliver > 0),
            arg_max(mail_backlog_after, week_start)
        ), 0)::bigint as over_capacity
    from weeks
),

judged as (
    select
        counted.*,
        carried.over_capacity,
        case
            when counted.without_date > 0 then 'no_posting_date'
            when
                carried.over_capacity > 0 and campaign.printer_capacity_per_week <= campaign.post_capacity_per_week
                then 'printer_too_small'
            when carried.over_capacity > 0 then 'post_too_small'
            when counted.planned_too_late > 0 then 'planned_too_late'
        end as reason_code,
        run_context.as_of,
        campaign.served_by,
        (campaign.served_by - campaign.assumed_delivered_after_days::integer)::date as deliver_by_posting_on
    from counted
    cross join carried
    cross join run_context
    cross join campaign
),

final as (
    select
        as_of,
        served_by,
        deliver_by_posting_on,
        to_post,
        without_date,
        over_capacity,
        planned_too_late,
        without_date + over_capacity + planned_too_late as late,
        reason_code,
        reason_code is null as holds
    from judged
)

select * from final
