with decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
    where decision in ('release', 'exclude', 'correct_address')
),

latest as (
    select
        member_key,
        decision
    from decisions
    where decision in ('release', 'exclude')
    qualify row_number() over (
        partition by member_key
        order by decided_on desc, received_on desc, row_number desc
    ) = 1
),

people as (
    select
        member_key,
        count(distinct decided_by) filter (where decision = 'release') as releasing_people,
        bool_or(decision = 'correct_address') as has_recorded_place
    from decisions
    group by member_key
),

final as (
    select
        people.member_key,
        coalesce(latest.decision = 'release', false) as is_released,
        coalesce(latest.decision = 'exclude', false) as is_excluded,
        -- Protection takes two people and a recorded delivery place, which is a corrected address.
        coalesce(latest.decision = 'release', false)
        and people.releasing_people >= 2
        and people.has_recorded_place as releases_protection
    from people
    left join latest on people.member_key = latest.member_key
)

select * from final
