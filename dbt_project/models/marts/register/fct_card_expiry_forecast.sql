with members as (
    select * from {{ ref('stg_newest_register__members') }}
),

cards as (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

-- An expired certificate does not end membership; what has ended by the newest register is not forecast.
expiring as (
    select
        {{ prefecture_of('members.member_key', of='member') }} as prefecture,
        cards.certificate_expires_on
    from members
    inner join cards on members.member_key = cards.member_key
    cross join campaign
    cross join run_context
    where
        cards.certificate_expires_on is not null
        and coalesce(members.lost_on > run_context.newest_register_as_of, true)
),

-- Counted by day first: a few thousand days stand for millions of cards.
by_day as (
    select
        prefecture,
        certificate_expires_on,
        count(*) as member_count
    from expiring
    group by prefecture, certificate_expires_on
),

expirations as (
    select
        prefecture,
        date_trunc('month', certificate_expires_on)::date as month_on,
        member_count as expiring_count,
        0 as grace_ending_count
    from by_day
),

ends_of_grace as (
    select
        prefecture,
        date_trunc('month', {{ grace_ends_on('certificate_expires_on') }})::date as month_on,
        0 as expiring_count,
        member_count as grace_ending_count
    from by_day
),

both_events as (
    select * from expirations
    union all
    select * from ends_of_grace
),

final as (
    select
        {{ insurer_number('both_events.prefecture') }} as insurer_number,
        strftime(both_events.month_on, '%Y-%m') as month,
        sum(both_events.expiring_count)::bigint as expiring_count,
        sum(both_events.grace_ending_count)::bigint as grace_ending_count
    from both_events
    cross join campaign
    where both_events.month_on >= date_trunc('month', campaign.snapshot_as_of)
    group by both_events.prefecture, both_events.month_on
)

select * from final
