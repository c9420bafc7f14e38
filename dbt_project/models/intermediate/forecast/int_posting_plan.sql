with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

pieces as (
    select * from {{ ref('int_pieces_tracked') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

release_lots as (
    select * from {{ ref('stg_plans__release_lots') }}
),

posting_dates as (
    select * from {{ ref('stg_posting_dates') }}
),

follow_up_runs as (
    select * from {{ ref('stg_follow_up_runs') }}
),

follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

undone as (
    select * from {{ ref('int_follow_ups_undone') }}
),

home_targets as (
    select * from {{ ref('int_home_targets') }}
),

home_households as (
    select * from {{ ref('int_home_households') }}
),

late_releases as (
    select * from {{ ref('int_late_releases') }}
),

-- Of hundreds of lots and a hundred posting dates; pieces are counted first and meet the day as lots.
counted as (
    select
        lot_id,
        posted_on,
        count(*) as envelope_count
    from pieces
    where is_live and bundle_id is null and (posted_on is not null or returned_on is null)
    group by lot_id, posted_on
),

-- The newest release that left a lot out: the lot waits for a later one.
left_out as (
    select
        release_lots.lot_id,
        max(release_lots.posting_date) as posting_date
    from release_lots
    inner join plans on release_lots.plan_id = plans.plan_id
    where not release_lots.is_released and not plans.is_voided
    group by release_lots.lot_id
),

open_lots as (
    select
        counted.lot_id,
        counted.posted_on,
        counted.envelope_count,
        lots.is_released,
        lots.due_posting_date,
        lots.plan_kind in ('home', 'release', 'resend') as is_home_mail,
        lots.withheld_reason_code is not null
        or lots.undone_reason_code is not null
        or coalesce(lots.stop_effect = 'hold', false) as is_withheld,
        -- Home mail goes out by a release alone, also when it was rejected, destroyed or held.
        lots.needs_release and not lots.is_in_release as waits_for_release,
        greatest(lots.posting_date, left_out.posting_date) as planned_on,
        left_out.lot_id is not null as was_left_out,
        run_context.as_of,
        run_context.as_of < least(lots.due_posting_date + 14, campaign.served_by) as is_report_awaited
    from counted
    inner join lots on counted.lot_id = lots.lot_id
    left join left_out on counted.lot_id = left_out.lot_id
    cross join run_context
    cross join campaign
    where not lots.is_voided and not lots.is_replaced
),

-- A release is made before its posting date, so the next one that a lot can wait for is after the day.
next_releases as (
    select
        open_lots.lot_id,
        min(posting_dates.posting_date) as posting_date
    from open_lots
    inner join posting_dates
        on
            open_lots.as_of < posting_dates.posting_date
            and (
                open_lots.planned_on < posting_dates.posting_date
                or (open_lots.planned_on = posting_dates.posting_date and not open_lots.was_left_out)
            )
    where open_lots.waits_for_release
    group by open_lots.lot_id
),

lot_rows as (
    select
        open_lots.lot_id as subject,
        case
            when open_lots.posted_on is not null then 'posted'
            when
                open_lots.is_released
                and open_lots.due_posting_date <= open_lots.as_of
                and open_lots.is_report_awaited
                then 'unreported'
            when open_lots.is_withheld then 'withheld'
            else 'planned'
        end as state,
        open_lots.is_home_mail,
        case
            when open_lots.posted_on is not null then open_lots.posted_on
            when
                open_lots.is_released
                and open_lots.due_posting_date <= open_lots.as_of
                and open_lots.is_report_awaited
                then open_lots.due_posting_date
            when open_lots.waits_for_release then next_releases.posting_date
            else greatest(open_lots.due_posting_date, open_lots.as_of)
        end as due_on,
        open_lots.envelope_count
    from open_lots
    left join next_releases on open_lots.lot_id = next_releases.lot_id
),

-- Before the first plan is frozen: what it would be.
home_rows as (
    select
        'first plan' as subject,
        'pending' as state,
        true as is_home_mail,
        home_households.posting_date as due_on,
        count(*) as envelope_count
    from home_targets
    inner join home_households on home_targets.household_key = home_households.household_key
    where home_targets.slot = 1
    group by home_households.posting_date
),

-- People let in after the first plan; after the last posting date they go to the branch desk.
late_households as (
    select
        late_releases.household_key,
        late_releases.prefecture,
        (count(*) + any_value(campaign.certificates_per_envelope) - 1)
        // any_value(campaign.certificates_per_envelope) as envelope_count
    from late_releases
    cross join campaign
    group by late_releases.household_key, late_releases.prefecture
),

dates_ahead as (
    select
        posting_dates.prefecture,
        min(posting_dates.posting_date) as posting_date
    from posting_dates
    cross join run_context
    where run_context.as_of < posting_dates.posting_date
    group by posting_dates.prefecture
),

first_date_ahead as (
    select min(posting_date) as posting_date
    from dates_ahead
),

late_rows as (
    select
        'late releases' as subject,
        'pending' as state,
        true as is_home_mail,
        coalesce(dates_ahead.posting_date, first_date_ahead.posting_date) as due_on,
        sum(late_households.envelope_count) as envelope_count
    from late_households
    left join dates_ahead on late_households.prefecture = dates_ahead.prefecture
    cross join first_date_ahead
    where coalesce(dates_ahead.posting_date, first_date_ahead.posting_date) is not null
    group by all
),

-- What lay in a bundle that was rejected or destroyed is due again.
followed_up as (
    select distinct follow_ups.envelope_id
    from follow_ups
    inner join plans on follow_ups.plan_id = plans.plan_id
    anti join undone on follow_ups.plan_id = undone.plan_id and follow_ups.envelope_id = undone.envelope_id
    where not plans.is_voided
),

waiting_returns as (
    select
        pieces.employer_key,
        pieces.returned_on
    from pieces
    anti join followed_up on pieces.envelope_id = followed_up.envelope_id
    where
        pieces.returned_on is not null
        and pieces.employer_key is not null
        and pieces.household_key is not null
        and pieces.lot_kind in ('home', 'supplementary')
),

-- One bundle an employer and run; what no run takes any more goes to the branch desk.
bundles_ahead as (
    select
        waiting_returns.employer_key,
        min(follow_up_runs.posting_on) as posting_on
    from waiting_returns
    cross join run_context
    inner join follow_up_runs
        on waiting_returns.returned_on < follow_up_runs.run_on and run_context.as_of <= follow_up_runs.run_on
    group by waiting_returns.employer_key, waiting_returns.returned_on
),

bundle_rows as (
    select
        'employer bundles' as subject,
        'pending' as state,
        false as is_home_mail,
        posting_on as due_on,
        count(distinct employer_key) as envelope_count
    from bundles_ahead
    group by posting_on
),

all_rows as (
    select * from lot_rows
    union all
    select * from home_rows
    union all
    select * from late_rows
    union all
    select * from bundle_rows
),

final as (
    select
        subject,
        state,
        is_home_mail,
        due_on,
        envelope_count::bigint as envelope_count
    from all_rows
)

select * from final
