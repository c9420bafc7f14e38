with members as (
    select * from {{ ref('int_members_standing') }}
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

late_releases as (
    select * from {{ ref('int_late_releases') }}
),

-- The newest word on each person; a live certificate counts before any that is not. A reason that is null must not
-- lose to an older one, so it is a word here.
newest_certificates as (
    select
        member_key,
        arg_max(status, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as status,
        arg_max(
            coalesce(reason_code, 'none'), is_live::integer * 10000000000 + (status_on - date '2000-01-01')
        ) as reason_code
    from certificates
    group by member_key
),

placed as (
    select
        member_key,
        case
            when status in ('planned', 'handed_off', 'spoiled') then 'waiting'
            when status = 'posted' then 'in_transit'
            when status in ('delivered', 'at_employer', 'returned', 'at_branch_desk', 'held') then status
            when
                status = 'pulled'
                and reason_code not in (
                    'membership_lost', 'reached_75', 'validity_over', 'already_has_certificate', 'card_usable'
                )
                then 'held'
            else 'ended'
        end as place
    from newest_certificates
),

-- Counted with its group at once: the join never leaves the aggregate.
counted as (
    select
        {{ prefecture_of('coalesce(members.member_key, placed.member_key)', of='member') }} as prefecture,
        coalesce(members.disposition, 'not_in_drop') as disposition,
        members.reason_code,
        case
            when late_releases.is_for_branch_desk then 'at_branch_desk'
            when late_releases.member_key is not null then 'waiting'
            when placed.place is not null then placed.place
            when members.effective_disposition = 'target' then 'waiting'
            when members.effective_disposition = 'held' then 'held'
            else 'ended'
        end as place,
        placed.place is not null as has_certificate,
        -- Who was released too late for any lot so far is still to be served, as in the ledger.
        members.disposition = 'target'
        or placed.place is not null
        or late_releases.member_key is not null
        or coalesce(members.late_disposition = 'target', false)
            as is_to_be_served,
        count(*) as people_count
    from members
    full outer join placed on members.member_key = placed.member_key
    left join late_releases on members.member_key = late_releases.member_key
    group by all
),

final as (
    select
        prefecture,
        disposition,
        reason_code,
        place,
        has_certificate,
        is_to_be_served,
        people_count
    from counted
)

select * from final
