with requests as (
    select * from {{ ref('stg_feeds__issue_requests') }}
),

request_outcomes as (
    select * from {{ ref('stg_plans__request_outcomes') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

issues_judged as (
    select * from {{ ref('int_issues_judged') }}
    where route = 'request'
),

first_deliveries as (
    select *
    from requests
    qualify row_number() over (partition by request_id order by received_on, source_file, row_number) = 1
),

decided as (
    select
        request_outcomes.request_id,
        request_outcomes.outcome,
        request_outcomes.reason_code,
        request_outcomes.plan_id,
        plans.frozen_on
    from request_outcomes
    inner join plans on request_outcomes.plan_id = plans.plan_id
    where not plans.is_voided and request_outcomes.outcome <> 'held'
    -- What was issued in a lot that could not be posted was judged again.
    qualify row_number() over (
        partition by request_outcomes.request_id order by plans.frozen_on desc, request_outcomes.plan_id desc
    ) = 1
),

still_decided as (
    select decided.*
    from decided
    anti join issues_judged on decided.request_id = issues_judged.request_id
),

final as (
    select
        first_deliveries.request_id,
        first_deliveries.member_key,
        first_deliveries.kind,
        first_deliveries.requested_on,
        first_deliveries.received_on,
        coalesce(still_decided.outcome, issues_judged.outcome) as outcome,
        case when still_decided.request_id is null then issues_judged.reason_code else still_decided.reason_code end
            as reason_code,
        still_decided.plan_id,
        still_decided.frozen_on as decided_on,
        still_decided.request_id is not null as is_decided
    from first_deliveries
    left join still_decided on first_deliveries.request_id = still_decided.request_id
    left join issues_judged on first_deliveries.request_id = issues_judged.request_id
)

select * from final
