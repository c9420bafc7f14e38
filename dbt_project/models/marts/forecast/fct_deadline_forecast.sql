with weeks as (
    select * from {{ ref('int_posting_weeks') }}
),

verdict as (
    select * from {{ ref('fct_deadline_verdict') }}
),

final as (
    select
        weeks.week_start,
        weeks.working_days,
        weeks.to_post,
        weeks.withheld,
        weeks.pending,
        weeks.posted_already,
        weeks.printer_capacity,
        weeks.post_capacity,
        (
            weeks.to_post
            + coalesce(lag(weeks.mail_backlog_after) over (order by weeks.week_start), 0)
            - weeks.mail_backlog_after
        )::bigint as posted,
        weeks.mail_backlog_after + verdict.without_date as backlog_after,
        verdict.without_date,
        verdict.as_of,
        verdict.served_by,
        verdict.holds,
        verdict.reason_code
    from weeks
    cross join verdict
)

select * from final
