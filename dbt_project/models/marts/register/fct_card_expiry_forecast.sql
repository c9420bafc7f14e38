with members as (
    select * from {{ ref('stg_newest_register__members') }}
),

cards as (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

branches as (
    select * from {{ ref('branches') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

certificate_holders as (
    select distinct member_key
    from certificates
    where is_live
),

-- Counted by day first: a few thousand days stand for millions of cards, and only they meet the campaign and the run.
by_day as materialized (
    select
        {{ prefecture_of('members.member_key', of='member') }} as prefecture,
        cards.certificate_expires_on,
        members.lost_on,
        cards.has_card and cards.number_filed and cards.registered and certificate_holders.member_key is null
            as is_card_alone,
        cards.registration_cancelled_on,
        count(*) as member_count
    from members
    inner join cards on members.member_key = cards.member_key
    left join certificate_holders on members.member_key = certificate_holders.member_key
    cross join campaign
    -- A card lasts until the 10th birthday after its issue (rules: My Number card validity); a later day is "no end",
    -- as 9999-12-31 is, and stretches no calendar.
    where cards.certificate_expires_on < campaign.snapshot_as_of + interval 12 year
    group by all
),

-- An expired certificate does not end membership; what has ended by the newest register is not forecast.
expiring as (
    select
        by_day.prefecture,
        by_day.certificate_expires_on,
        by_day.member_count,
        case
            when by_day.is_card_alone and coalesce(by_day.registration_cancelled_on > run_context.as_of, true)
                then by_day.member_count
            else 0
        end as rolling_count
    from by_day
    cross join run_context
    where coalesce(by_day.lost_on > run_context.newest_register_as_of, true)
),

expirations as (
    select
        prefecture,
        date_trunc('month', certificate_expires_on)::date as month_on,
        member_count as expiring_count,
        0 as grace_ending_count,
        0 as rolling_count
    from expiring
),

ends_of_grace as (
    select
        prefecture,
        date_trunc('month', {{ grace_ends_on('certificate_expires_on') }})::date as month_on,
        0 as expiring_count,
        member_count as grace_ending_count,
        0 as rolling_count
    from expiring
),

-- The first run after the second month following the month of expiry: the month in which grace ends, before its end.
served_by_rolling as (
    select
        expiring.prefecture,
        date_trunc('month', {{ rolling_waits_until('expiring.certificate_expires_on') }} + 1)::date as month_on,
        0 as expiring_count,
        0 as grace_ending_count,
        expiring.rolling_count
    from expiring
    cross join campaign
),

both_events as (
    select * from expirations
    union all
    select * from ends_of_grace
    union all
    select * from served_by_rolling
),

-- Every branch has its row in every month, so that a zero is seen: to the last month of any event, at least a year on.
horizon as (
    select
        date_trunc('month', any_value(campaign.snapshot_as_of))::date as first_month_on,
        greatest(
            date_trunc('month', any_value(run_context.as_of) + interval 11 month)::date,
            max(both_events.month_on)
        ) as last_month_on
    from campaign
    cross join run_context
    left join both_events on true
),

grid as (
    select
        branches.prefecture_code::integer as prefecture,
        branches.insurer_number,
        unnest(generate_series(horizon.first_month_on, horizon.last_month_on, interval 1 month))::date as month_on
    from branches
    cross join horizon
),

summed as (
    select
        prefecture,
        month_on,
        sum(expiring_count) as expiring_count,
        sum(grace_ending_count) as grace_ending_count,
        sum(rolling_count) as rolling_count
    from both_events
    group by prefecture, month_on
),

final as (
    select
        grid.insurer_number,
        strftime(grid.month_on, '%Y-%m') as month,
        coalesce(summed.expiring_count, 0)::bigint as expiring_count,
        coalesce(summed.grace_ending_count, 0)::bigint as grace_ending_count,
        coalesce(summed.rolling_count, 0)::bigint as rolling_count
    from grid
    left join summed on grid.prefecture = summed.prefecture and grid.month_on = summed.month_on
)

select * from final
