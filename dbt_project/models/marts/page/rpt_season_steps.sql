with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

posting_dates as (
    select * from {{ ref('stg_posting_dates') }}
),

follow_up_runs as (
    select * from {{ ref('stg_follow_up_runs') }}
),

plans as (
    select * from {{ ref('int_plans') }}
    where not is_voided
),

lots as (
    select * from {{ ref('int_lots') }}
    where not is_voided and not is_replaced
),

nothing_to_do as (
    select * from {{ ref('stg_nothing_to_do') }}
),

waves as (
    select * from {{ ref('fct_waves') }}
),

flow as (
    select * from {{ ref('rpt_people_flow') }}
),

ledger as (
    select * from {{ ref('fct_ledger') }}
),

extract as (
    select
        1 as step_no,
        'extract' as step_code,
        campaign.snapshot_as_of as starts_on,
        campaign.snapshot_as_of as ends_on,
        count(distinct registers.as_of) as done_count,
        1 as total_count,
        0 as days_to_report
    from campaign
    left join registers on registers.is_campaign_drop
    group by campaign.snapshot_as_of
),

hand_off as (
    select
        2 as step_no,
        'hand_off' as step_code,
        campaign.hand_off_on as starts_on,
        campaign.hand_off_on as ends_on,
        count(*) filter (where lots.announced_on is not null) as done_count,
        count(lots.lot_id) as total_count,
        0 as days_to_report
    from campaign
    left join lots on lots.plan_kind = 'home'
    group by campaign.hand_off_on
),

employer_lists as (
    select
        3 as step_no,
        'employer_lists' as step_code,
        campaign.employer_lists_on as starts_on,
        campaign.employer_lists_on as ends_on,
        count(*) filter (where lots.announced_on is not null) as done_count,
        count(lots.lot_id) as total_count,
        0 as days_to_report
    from campaign
    left join lots on lots.lot_kind = 'employer_list'
    group by campaign.employer_lists_on
),

-- What is posted is known a report of the printer later: a month is late two weeks after its last posting date.
wave_dates as (
    select
        wave_key,
        min(posting_date) as starts_on,
        max(posting_date) as ends_on
    from posting_dates
    group by wave_key
),

home_mail as (
    select
        4 as step_no,
        'home_mail' as step_code,
        wave_dates.starts_on,
        wave_dates.ends_on,
        coalesce(waves.posted_count, 0) as done_count,
        coalesce(waves.planned_count - waves.pulled_count, 0) as total_count,
        14 as days_to_report
    from wave_dates
    left join waves on wave_dates.wave_key = waves.wave_key
),

-- A run that found nothing to follow up was done all the same.
runs_done as (
    select run_on
    from plans
    where plan_kind = 'follow_up'
    union
    select received_on as run_on
    from nothing_to_do
    where plan_kind = 'follow_up'
),

employer_follow_ups as (
    select
        5 as step_no,
        'employer_follow_up' as step_code,
        follow_up_runs.run_on as starts_on,
        follow_up_runs.run_on as ends_on,
        count(runs_done.run_on) as done_count,
        1 as total_count,
        0 as days_to_report
    from follow_up_runs
    left join runs_done on follow_up_runs.run_on = runs_done.run_on
    group by follow_up_runs.run_on
),

still_open as (
    select count(*) filter (where not closes or open_count > 0) as identity_count
    from ledger
),

everyone_served as (
    select
        6 as step_no,
        'served' as step_code,
        campaign.served_by as starts_on,
        campaign.served_by as ends_on,
        coalesce(
            sum(flow.people_count) filter (where flow.step_code not in ('waiting', 'returned')), 0
        ) as done_count,
        coalesce(sum(flow.people_count), 0) as total_count,
        0 as days_to_report
    from campaign
    left join flow on flow.step_kind = 'today'
    group by campaign.served_by
),

steps as (
    select * from extract
    union all
    select * from hand_off
    union all
    select * from employer_lists
    union all
    select * from home_mail
    union all
    select * from employer_follow_ups
    union all
    select * from everyone_served
),

final as (
    select
        steps.step_no,
        steps.step_code,
        strftime(steps.starts_on, '%Y-%m') as month,
        steps.starts_on,
        steps.ends_on,
        steps.done_count::bigint as done_count,
        steps.total_count::bigint as total_count,
        case
            when steps.step_code = 'served' and run_context.as_of < steps.starts_on then 'waiting'
            when
                steps.total_count > 0
                and steps.done_count >= steps.total_count
                and (steps.step_code <> 'served' or still_open.identity_count = 0)
                then 'done'
            when run_context.as_of > steps.ends_on + steps.days_to_report then 'late'
            when run_context.as_of >= steps.starts_on then 'running'
            else 'waiting'
        end as state
    from steps
    cross join run_context
    cross join still_open
)

select * from final
