with list_lines as (
    select * from {{ ref('stg_plans__list_lines') }}
),

list_omissions as (
    select * from {{ ref('stg_plans__list_omissions') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

evaluated as (
    select * from {{ ref('int_members_standing') }}
),

decisions as (
    select * from {{ ref('int_decisions_latest') }}
),

list_plans as (
    select count(*) as plan_count
    from plans
    where plan_kind = 'employer_list' and not is_voided
),

listed as (
    select distinct list_lines.member_key
    from list_lines
    inner join plans on list_lines.plan_id = plans.plan_id
    where not plans.is_voided
),

omitted as (
    select
        list_omissions.member_key,
        arg_max(list_omissions.reason_code, list_omissions.received_on) as reason_code
    from list_omissions
    inner join plans on list_omissions.plan_id = plans.plan_id
    where not plans.is_voided
    group by list_omissions.member_key
),

-- In the mail: left the printer, or still to leave.
mailed as (
    select
        member_key,
        case
            when bool_or(route = 'home') then 'home'
            else max(route)
        end as route
    from certificates
    where has_left or is_live
    group by member_key
),

compared as (
    select
        coalesce(listed.member_key, mailed.member_key) as member_key,
        listed.member_key is not null as is_listed,
        mailed.member_key is not null as is_mailed,
        mailed.route
    from listed
    full outer join mailed on listed.member_key = mailed.member_key
),

-- The newest word on what was planned for a person and is not in the mail.
not_mailed as (
    select
        certificates.member_key,
        arg_max_null(certificates.reason_code, certificates.status_on) as reason_code,
        arg_max(certificates.status, certificates.status_on) as status
    from certificates
    semi join compared on certificates.member_key = compared.member_key and not compared.is_mailed
    group by certificates.member_key
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

differing as (
    select * from compared
    where not (is_listed and is_mailed)
),

explained as (
    select
        differing.member_key,
        case when differing.is_listed then 'listed_not_mailed' else 'mailed_not_listed' end as relation,
        case
            when differing.is_listed and not_mailed.status = 'pulled'
                then coalesce(pull_outcomes.reason_code, not_mailed.reason_code)
            when differing.is_listed and not_mailed.status is not null
                then coalesce(not_mailed.reason_code, not_mailed.status)
            when differing.is_listed and evaluated.effective_disposition <> 'target'
                then evaluated.effective_reason_code
            -- A person released the hold; no posting date has taken the certificate yet.
            when differing.is_listed and evaluated.disposition <> 'target' then 'released_and_waiting'
            when differing.is_listed then null
            when omitted.reason_code is not null then omitted.reason_code
            when differing.route <> 'home' then differing.route
            when list_plans.plan_count = 0 then 'lists_not_made'
            when evaluated.late_disposition = 'target' then 'row_accepted_later'
            -- Held or excluded on the list's day: a person decided otherwise afterwards.
            when evaluated.disposition <> 'target' or decisions.member_key is not null then 'released_later'
        end as reason_code
    from differing
    cross join list_plans
    left join not_mailed on differing.member_key = not_mailed.member_key
    left join pull_outcomes on differing.member_key = pull_outcomes.member_key
    left join evaluated on differing.member_key = evaluated.member_key
    left join omitted on differing.member_key = omitted.member_key
    left join decisions on differing.member_key = decisions.member_key
),

people as (
    select * from explained
    union all
    select
        member_key,
        'listed_and_mailed' as relation,
        route as reason_code
    from compared
    where is_listed and is_mailed
),

counted as (
    select
        {{ employer_of_member('member_key') }} as employer_key,
        relation,
        reason_code,
        count(*) as people_count
    from people
    group by employer_key, relation, reason_code
),

final as (
    select
        {{ insurer_number(prefecture_of('employer_key', of='employer')) }} as insurer_number,
        {{ symbol_text('employer_key') }} as symbol,
        relation,
        reason_code,
        people_count
    from counted
)

select * from final
