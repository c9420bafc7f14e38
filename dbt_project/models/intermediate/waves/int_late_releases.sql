with members as (
    select * from {{ ref('int_members_evaluated') }}
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
),

posting_dates as (
    select * from {{ ref('stg_posting_dates') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- After the last posting date of all, or the closing run, no lot can take anybody any more.
season_end as (
    select
        coalesce(run_context.as_of >= max(posting_dates.posting_date), false)
        or run_context.as_of > campaign.closing_follow_up_on as is_reached
    from run_context
    cross join campaign
    left join posting_dates on true
    group by run_context.as_of, campaign.closing_follow_up_on
),

first_plan as (
    select min(frozen_on) as frozen_on
    from plans
    where plan_kind = 'home' and not is_voided
    having min(frozen_on) is not null
),

-- A decision about one person can free the household: the insured person's address or protection is everyone's.
decided_households as (
    select
        {{ household_of_member('member_key') }} as household_key,
        max(received_on) as decided_on
    from decisions
    where decision in ('release', 'correct_address')
    group by all
),

-- Targets of the snapshot were in the first plan, unless a person let them in after it.
freed as (
    select
        members.member_key,
        members.household_key,
        members.prefecture,
        members.effective_need as need,
        decided_households.decided_on
    from members
    cross join first_plan
    left join decided_households on members.household_key = decided_households.household_key
    where
        members.effective_disposition = 'target'
        and (members.disposition <> 'target' or decided_households.decided_on >= first_plan.frozen_on)
),

-- Someone whose certificate was pulled comes back only by a decision that is later than the pull.
held_pulls as (
    select
        pulls.member_key,
        max(pulls.received_on) as held_on,
        coalesce(
            arg_max(pulls.outcome_reason_code, pulls.received_on) = 'address_protected', false
        ) as is_held_for_protection
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    where not plans.is_voided and pulls.outcome = 'held'
    group by pulls.member_key
),

-- Who was pulled for protection takes two people and a recorded delivery place, all of it after the pull.
protection_released as (
    select held_pulls.member_key
    from held_pulls
    inner join decisions
        on
            {{ household_of_member('held_pulls.member_key') }} = {{ household_of_member('decisions.member_key') }}
            and held_pulls.held_on < decisions.received_on
    where held_pulls.is_held_for_protection
    group by held_pulls.member_key
    having
        count(distinct decisions.decided_by) filter (where decisions.decision = 'release') >= 2
        and bool_or(decisions.decision = 'correct_address')
),

earlier_certificates as (
    select
        certificates.member_key,
        bool_or(certificates.is_live) as has_live,
        bool_or(certificates.reason_code is distinct from 'plan_voided') as was_frozen
    from certificates
    inner join freed on certificates.member_key = freed.member_key
    group by certificates.member_key
),

final as (
    select
        freed.member_key,
        freed.household_key,
        freed.prefecture,
        freed.need,
        freed.decided_on,
        coalesce(earlier_certificates.was_frozen, false) as was_frozen,
        season_end.is_reached as is_for_branch_desk
    from freed
    cross join season_end
    left join earlier_certificates on freed.member_key = earlier_certificates.member_key
    left join held_pulls on freed.member_key = held_pulls.member_key
    left join protection_released on freed.member_key = protection_released.member_key
    where
        not coalesce(earlier_certificates.was_frozen, false)
        or (
            not earlier_certificates.has_live
            and freed.decided_on > held_pulls.held_on
            and (not held_pulls.is_held_for_protection or protection_released.member_key is not null)
        )
)

select * from final
