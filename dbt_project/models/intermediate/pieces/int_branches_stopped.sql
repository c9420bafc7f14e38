with lots as (
    select * from {{ ref('int_lots') }}
),

pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

resumed as (
    select
        {{ prefecture_of('member_key', of='member') }} as prefecture,
        max(received_on) as resumed_on
    from decisions
    where decision = 'resume'
    group by all
),

-- A person who let the branch go on had seen the returns of that day; only later ones can stop it again.
seen_returns as (
    select
        lots.lot_id,
        count(*) as returned_count
    from pieces
    inner join lots on pieces.lot_id = lots.lot_id
    inner join resumed on lots.prefecture = resumed.prefecture
    where pieces.number_kind <> 'sample' and pieces.return_known_on <= resumed.resumed_on
    group by lots.lot_id
),

rated as (
    select
        lots.prefecture,
        lots.lot_id,
        lots.posted_count,
        lots.returned_count,
        coalesce(seen_returns.returned_count, 0) as seen_count,
        resumed.resumed_on
    from lots
    left join resumed on lots.prefecture = resumed.prefecture
    left join seen_returns on lots.lot_id = seen_returns.lot_id
    where lots.plan_kind in ('home', 'release', 'resend') and not lots.is_voided
),

stopped_lots as (
    select rated.*
    from rated
    cross join campaign
    where
        rated.posted_count >= campaign.stop_min_posted
        and rated.returned_count > campaign.stop_rate * rated.posted_count
        and not coalesce(
            rated.resumed_on is not null
            and rated.seen_count > campaign.stop_rate * rated.posted_count,
            false
        )
),

final as (
    select
        prefecture,
        count(*) as stopped_lot_count,
        arg_max(lot_id, returned_count / posted_count) as lot_id,
        max(returned_count / posted_count) as return_rate
    from stopped_lots
    group by prefecture
)

select * from final
