with members as (
    select * from {{ ref('int_members_evaluated') }}
    where effective_disposition in ('target', 'held')
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

-- The newest word on each certificate; a live one counts before any that is not.
by_member as (
    select
        member_key,
        bool_or(status in ('posted', 'delivered', 'at_employer') or reason_code = 'returned_by_member') as is_served,
        bool_or(
            status = 'closed'
            or (
                status = 'pulled'
                and reason_code in (
                    'membership_lost', 'reached_75', 'validity_over', 'already_has_certificate', 'card_usable'
                )
            )
        ) as is_terminal,
        bool_or(is_live) as has_live,
        arg_max(certificate_id, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as certificate_id,
        arg_max(status, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as status,
        arg_max(reason_code, is_live::integer * 10000000000 + (status_on - date '2000-01-01')) as reason_code
    from certificates
    group by member_key
),

pull_outcomes as (
    select
        pulls.member_key,
        arg_max(pulls.outcome_reason_code, pulls.received_on) as reason_code
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    where not plans.is_voided and pulls.outcome = 'held'
    group by pulls.member_key
),

-- Everyone with a certificate, a target without one, and everyone held: whoever was to be served and is not.
unserved as (
    select
        coalesce(by_member.member_key, members.member_key) as member_key,
        case
            when by_member.member_key is null and members.effective_disposition = 'held' then 'held'
            when by_member.member_key is null then 'not_planned'
            when by_member.status in ('at_branch_desk', 'held', 'returned') then by_member.status
            when by_member.status in ('planned', 'handed_off') then 'not_posted'
            when by_member.status = 'pulled' then 'pulled_and_held'
            else 'without_certificate'
        end as stage,
        case
            when by_member.member_key is null then members.effective_reason_code
            when by_member.status = 'pulled' then coalesce(pull_outcomes.reason_code, by_member.reason_code)
            else by_member.reason_code
        end as reason_code,
        by_member.certificate_id
    from members
    full outer join by_member on members.member_key = by_member.member_key
    left join pull_outcomes on by_member.member_key = pull_outcomes.member_key
    where
        by_member.member_key is null
        or (not by_member.is_served and (by_member.has_live or not by_member.is_terminal))
),

final as (
    select
        {{ insurer_number(prefecture_of('member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('member_key')) }} as symbol,
        {{ number_text(household_of_member('member_key')) }} as number,
        {{ suffix_text('member_key') }} as suffix,
        stage,
        reason_code,
        certificate_id
    from unserved
)

select * from final
