with members as (
    select * from {{ ref('int_members_evaluated') }}
),

decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
    where decision = 'accept_share'
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

branches as (
    select
        prefecture,
        count(*) as accepted_count,
        count(*) filter (where disposition = 'target') as target_count
    from members
    group by prefecture
),

-- Prefecture 0 is the nation.
counted as (
    select * from branches
    union all
    select
        0 as prefecture,
        coalesce(sum(accepted_count), 0)::bigint as accepted_count,
        coalesce(sum(target_count), 0)::bigint as target_count
    from branches
),

shares as (
    select
        counted.*,
        campaign.snapshot_as_of,
        campaign.expected_target_share,
        campaign.target_share_tolerated,
        campaign.target_share_stopped,
        round(counted.target_count / counted.accepted_count, 4) as share,
        abs(counted.target_count / counted.accepted_count / campaign.expected_target_share - 1) as deviation
    from counted
    cross join campaign
    where counted.accepted_count >= campaign.target_share_from_members
),

-- A person has looked at exactly this drop and this share (rules: expected share of targets).
accepted as (
    select distinct
        {{ prefecture_of('member_key', of='member') }} as prefecture,
        drop_as_of,
        accepted_share
    from decisions
),

final as (
    select
        shares.prefecture,
        shares.snapshot_as_of as drop_as_of,
        shares.accepted_count,
        shares.target_count,
        shares.share,
        shares.expected_target_share as expected_share,
        shares.deviation,
        case
            when shares.deviation > shares.target_share_stopped then 'stopped'
            when shares.deviation > shares.target_share_tolerated then 'warned'
            else 'usual'
        end as state,
        accepted.prefecture is not null as is_accepted
    from shares
    left join accepted
        on
            shares.prefecture = accepted.prefecture
            and shares.snapshot_as_of = accepted.drop_as_of
            and abs(shares.share - accepted.accepted_share) < 0.00005
)

select * from final
