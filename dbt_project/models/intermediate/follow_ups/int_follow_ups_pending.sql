with run_context as (
    select * from {{ ref('stg_context') }}
    where run_kind = 'follow_up' and run_on is not null
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

envelopes as (
    select * from {{ ref('int_envelopes') }}
),

follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

undone as (
    select * from {{ ref('int_follow_ups_undone') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

rejected_people as (
    select distinct row_key as member_key
    from {{ ref('stg_newest_register__rejects') }}
    where file = 'members' and row_key is not null
),

people_held as (
    select * from {{ ref('int_people_held') }}
),

employers as (
    select * from {{ ref('int_employers_judged') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- A bundle that can never be posted does not count: its envelopes are due again.
followed_up as (
    select distinct follow_ups.envelope_id
    from follow_ups
    inner join plans on follow_ups.plan_id = plans.plan_id
    anti join undone on follow_ups.plan_id = undone.plan_id and follow_ups.envelope_id = undone.envelope_id
    where not plans.is_voided
),

-- A return proves that the piece was posted, also where the printer's own report is late.
due as (
    select
        envelopes.envelope_id,
        envelopes.household_key,
        envelopes.prefecture,
        run_context.run_on
    from envelopes
    inner join run_context on envelopes.returned_on < run_context.run_on
    where
        envelopes.lot_kind in ('home', 'supplementary')
        and not exists (
            select 1 from followed_up
            where followed_up.envelope_id = envelopes.envelope_id
        )
),

judged as (
    select
        due.run_on,
        due.envelope_id,
        due.prefecture,
        certificates.certificate_id,
        certificates.member_key,
        coalesce(members.protected, false) or coalesce(insured.protected, false) as is_protected,
        people_held.member_key is not null as is_held_by_person,
        (members.member_key is null and rejected_members.member_key is not null)
        or (insured.member_key is null and rejected_insured.member_key is not null) as is_rejected,
        case
            when not certificates.is_live then coalesce(certificates.reason_code, certificates.status)
            when members.lost_on <= due.run_on or insured.lost_on <= due.run_on then 'membership_lost'
            when
                {{ birthday_75('members.birth_date') }} <= due.run_on
                or {{ birthday_75('insured.birth_date') }} <= due.run_on
                then 'reached_75'
        end as closed_reason_code,
        case
            -- The closing run is the last that makes bundles; what comes back after it is handed out at the desk.
            when due.run_on > campaign.closing_follow_up_on then 'returned_after_closing'
            when members.member_key is null or insured.member_key is null then 'row_missing'
            when insured.enrolment = 'voluntary' then 'household_voluntary'
            when employers.employer_key is null then 'employer_unknown'
            when employers.reason_code = 'closed' then 'employer_closed'
            -- A bundle needs a name and an address that can be printed.
            when employers.reason_code is not null then 'employer_unreachable'
        end as desk_reason_code,
        {{ employer_of_household('due.household_key') }} as employer_key,
        {{ old_card_duty('least(members.lost_on, insured.lost_on)') }} as old_card_duty
    from due
    cross join campaign
    inner join certificates on due.envelope_id = certificates.envelope_id
    left join members on certificates.member_key = members.member_key
    left join members as insured on {{ insured_of_household('due.household_key') }} = insured.member_key
    left join people_held on certificates.member_key = people_held.member_key
    left join rejected_people as rejected_members on certificates.member_key = rejected_members.member_key
    left join rejected_people as rejected_insured
        on {{ insured_of_household('due.household_key') }} = rejected_insured.member_key
    left join employers on {{ employer_of_household('due.household_key') }} = employers.employer_key
),

-- Nobody knows of a rejected row whether it is protected now: the whole envelope waits, as for protection, and as
-- where a person holds the piece.
held_envelopes as (
    select
        envelope_id,
        case
            when bool_or(is_protected) then 'address_protected'
            when bool_or(is_held_by_person) then 'by_person'
            else 'row_rejected'
        end as reason_code
    from judged
    where is_protected or is_held_by_person or is_rejected
    group by envelope_id
),

-- One reason for the desk takes the whole envelope there, but for those who are taken out of it.
desk_envelopes as (
    select
        envelope_id,
        max(desk_reason_code) as desk_reason_code
    from judged
    where closed_reason_code is null and desk_reason_code is not null
    group by envelope_id
),

placed as (
    select
        judged.*,
        case
            when held_envelopes.envelope_id is not null then 'held'
            when judged.closed_reason_code is not null then 'closed'
            when desk_envelopes.envelope_id is not null then 'branch_desk'
            else 'employer_bundle'
        end as outcome,
        coalesce(held_envelopes.reason_code, judged.closed_reason_code, desk_envelopes.desk_reason_code) as reason_code
    from judged
    left join held_envelopes on judged.envelope_id = held_envelopes.envelope_id
    left join desk_envelopes on judged.envelope_id = desk_envelopes.envelope_id
),

-- Where the envelope itself goes: with those who are left in it.
envelope_outcomes as (
    select
        envelope_id,
        case
            when bool_or(outcome = 'held') then 'held'
            when bool_or(outcome = 'employer_bundle') then 'employer_bundle'
            when bool_or(outcome = 'branch_desk') then 'branch_desk'
            else 'closed'
        end as envelope_outcome
    from placed
    group by envelope_id
),

final as (
    select
        placed.run_on,
        placed.envelope_id,
        placed.certificate_id,
        placed.member_key,
        envelope_outcomes.envelope_outcome,
        placed.outcome,
        placed.reason_code,
        case when placed.outcome = 'employer_bundle' then placed.employer_key end as employer_key,
        placed.prefecture,
        placed.old_card_duty
    from placed
    inner join envelope_outcomes on placed.envelope_id = envelope_outcomes.envelope_id
)

select * from final
