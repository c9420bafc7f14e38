with members as (
    select * from {{ ref('int_members_standing') }}
),

rows_back as (
    select * from {{ ref('int_late_judged') }}
    where cause = 'row_missing'
),

people_held as (
    select * from {{ ref('int_people_held') }}
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

-- Targets of the snapshot were in the first plan, unless a person let them in after it. Whom a later drop made a target
-- was in no first plan, and waits for the branch's next lot whether that plan is frozen or not.
freed as (
    select
        members.member_key,
        members.household_key,
        members.prefecture,
        members.effective_need as need,
        greatest(decided_households.decided_on, members.judged_on) as decided_on
    from members
    left join first_plan on true
    left join decided_households on members.household_key = decided_households.household_key
    where
        members.effective_disposition = 'target'
        and (
            members.late_disposition is not null
            or (
                members.late_disposition is null
                and first_plan.frozen_on is not null
                and (members.disposition <> 'target' or decided_households.decided_on >= first_plan.frozen_on)
            )
        )
),

-- Someone whose certificate was pulled comes back by a decision that is later than the pull, or by the row that was
-- missing.
held_pulls as (
    select
        pulls.member_key,
        max(pulls.received_on) as held_on,
        coalesce(
            arg_max(coalesce(rows_back.reason_code, pulls.outcome_reason_code), pulls.received_on)
            = 'address_protected',
            false
        ) as is_held_for_protection
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    left join rows_back on pulls.member_key = rows_back.member_key
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

decided_since as (
    select distinct held_pulls.member_key
    from held_pulls
    inner join decisions
        on held_pulls.member_key = decisions.member_key and held_pulls.held_on < decisions.received_on
),

certificates_of_rows_back as (
    select
        certificates.member_key,
        bool_or(certificates.is_live) as has_live,
        arg_max(certificates.need, certificates.issued_on) as need
    from certificates
    inner join rows_back on certificates.member_key = rows_back.member_key
    group by certificates.member_key
),

-- A household one of whose pulled pieces left all the same waits for a person.
households_with_incident as (
    select distinct certificates.household_key
    from certificates
    inner join rows_back on certificates.household_key = rows_back.household_key
    where certificates.is_incident
),

-- Held as row_missing, and free by the lines of the drop that brought the row (rules: a wave and its releases).
back_and_free as (
    select
        rows_back.member_key,
        rows_back.household_key,
        rows_back.prefecture,
        certificates_of_rows_back.need,
        rows_back.judged_on as decided_on
    from rows_back
    inner join members on rows_back.member_key = members.member_key
    inner join certificates_of_rows_back on rows_back.member_key = certificates_of_rows_back.member_key
    anti join decided_since on rows_back.member_key = decided_since.member_key
    anti join people_held on rows_back.member_key = people_held.member_key
    anti join households_with_incident on rows_back.household_key = households_with_incident.household_key
    where
        rows_back.disposition = 'target'
        and members.effective_disposition = 'target'
        and not certificates_of_rows_back.has_live
),

-- Others in an envelope that an urgent pull stopped, once the printer has confirmed it: nothing was found against them.
pulled_along as (
    select
        certificates.member_key,
        certificates.household_key,
        {{ prefecture_of('certificates.household_key') }} as prefecture,
        arg_max(certificates.need, certificates.certificate_id) as need,
        max(certificates.status_on) as decided_on
    from certificates
    anti join people_held on certificates.member_key = people_held.member_key
    where
        certificates.is_pulled_urgently
        and certificates.reason_code = 'packed_anew'
        and certificates.plan_kind in ('home', 'release', 'resend')
    group by all
),

served as (
    select certificates.member_key
    from certificates
    semi join pulled_along on certificates.member_key = pulled_along.member_key
    where certificates.is_live
),

incidents as (
    select certificates.household_key
    from certificates
    semi join pulled_along on certificates.household_key = pulled_along.household_key
    where certificates.is_incident
),

pulled_along_and_free as (
    select pulled_along.*
    from pulled_along
    anti join served on pulled_along.member_key = served.member_key
    anti join incidents on pulled_along.household_key = incidents.household_key
    anti join back_and_free on pulled_along.member_key = back_and_free.member_key
),

let_in as (
    select
        freed.member_key,
        freed.household_key,
        freed.prefecture,
        freed.need,
        freed.decided_on,
        coalesce(earlier_certificates.was_frozen, false) as was_frozen
    from freed
    anti join back_and_free on freed.member_key = back_and_free.member_key
    anti join pulled_along_and_free on freed.member_key = pulled_along_and_free.member_key
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
    union all
    select
        member_key,
        household_key,
        prefecture,
        need,
        decided_on,
        true as was_frozen
    from back_and_free
    union all
    select
        member_key,
        household_key,
        prefecture,
        need,
        decided_on,
        true as was_frozen
    from pulled_along_and_free
),

final as (
    select
        let_in.member_key,
        let_in.household_key,
        let_in.prefecture,
        let_in.need,
        let_in.decided_on,
        let_in.was_frozen,
        season_end.is_reached as is_for_branch_desk
    from let_in
    cross join season_end
)

select * from final
