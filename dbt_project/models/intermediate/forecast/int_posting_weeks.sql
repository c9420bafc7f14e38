with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

weeks as (
    select * from {{ ref('stg_weeks') }}
),

posting_plan as (
    select * from {{ ref('int_posting_plan') }}
),

-- What is posted this week already has used up capacity of it, whether the printer has reported it or not.
by_week as (
    select
        greatest(date_trunc('week', posting_plan.due_on), date_trunc('week', run_context.as_of))::date as week_start,
        sum(posting_plan.envelope_count) filter (where posting_plan.state in ('planned', 'withheld', 'pending'))
            as to_post,
        sum(posting_plan.envelope_count) filter (
            where
            posting_plan.state in ('planned', 'withheld', 'pending')
            and posting_plan.is_home_mail
            and posting_plan.due_on <= campaign.served_by - campaign.assumed_delivered_after_days::integer
        ) as home_to_post,
        sum(posting_plan.envelope_count) filter (where posting_plan.state = 'withheld') as withheld,
        sum(posting_plan.envelope_count) filter (where posting_plan.state = 'pending') as pending,
        sum(posting_plan.envelope_count) filter (
            where
            posting_plan.state in ('posted', 'unreported')
            and posting_plan.due_on >= date_trunc('week', run_context.as_of)
        ) as posted_already
    from posting_plan
    cross join run_context
    cross join campaign
    where posting_plan.due_on <= campaign.served_by
    group by all
),

-- Printer and post work on business days: a week with a holiday carries a fifth less.
sized as (
    select
        weeks.week_start,
        weeks.working_days,
        weeks.working_days_to_deliver,
        coalesce(by_week.to_post, 0) as to_post,
        coalesce(by_week.home_to_post, 0) as home_to_post,
        coalesce(by_week.withheld, 0) as withheld,
        coalesce(by_week.pending, 0) as pending,
        coalesce(by_week.posted_already, 0) as posted_already,
        greatest(
            campaign.printer_capacity_per_week * weeks.working_days // 5 - coalesce(by_week.posted_already, 0), 0
        ) as printer_capacity,
        greatest(
            campaign.post_capacity_per_week * weeks.working_days // 5 - coalesce(by_week.posted_already, 0), 0
        ) as post_capacity,
        greatest(
            least(campaign.printer_capacity_per_week, campaign.post_capacity_per_week)
            * weeks.working_days_to_deliver // 5
            - coalesce(by_week.posted_already, 0),
            0
        ) as home_capacity
    from weeks
    cross join run_context
    cross join campaign
    left join by_week on weeks.week_start = by_week.week_start
    where weeks.week_start >= date_trunc('week', run_context.as_of)
),

-- Nobody tells what is printed and not posted, so nothing counts as printed ahead: a week carries what both can.
accumulated as (
    select
        *,
        sum(to_post - least(printer_capacity, post_capacity)) over weeks_so_far as mail_excess,
        sum(home_to_post - home_capacity) over weeks_so_far as home_excess
    from sized
    window weeks_so_far as (order by week_start)
),

final as (
    select
        week_start,
        working_days::integer as working_days,
        working_days_to_deliver::integer as working_days_to_deliver,
        to_post::bigint as to_post,
        home_to_post::bigint as home_to_post,
        withheld::bigint as withheld,
        pending::bigint as pending,
        posted_already::bigint as posted_already,
        printer_capacity::bigint as printer_capacity,
        post_capacity::bigint as post_capacity,
        -- What is left over is the excess since the week in which there was least of it.
        (mail_excess - least(min(mail_excess) over weeks_so_far, 0))::bigint as mail_backlog_after,
        (home_excess - least(min(home_excess) over weeks_so_far, 0))::bigint as home_backlog_after
    from accumulated
    window weeks_so_far as (order by week_start)
)

select * from final
