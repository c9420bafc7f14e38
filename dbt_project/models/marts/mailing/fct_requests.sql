with requests_judged as (
    select * from {{ ref('int_requests_judged') }}
),

certificates as (
    select * from {{ ref('stg_plans__certificates') }}
    where route = 'request'
),

final as (
    select
        requests_judged.request_id,
        {{ insurer_number(prefecture_of('requests_judged.member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('requests_judged.member_key')) }} as symbol,
        {{ number_text(household_of_member('requests_judged.member_key')) }} as number,
        {{ suffix_text('requests_judged.member_key') }} as suffix,
        requests_judged.kind,
        requests_judged.requested_on,
        requests_judged.received_on,
        requests_judged.outcome,
        requests_judged.reason_code,
        requests_judged.is_decided,
        requests_judged.decided_on,
        requests_judged.plan_id,
        certificates.certificate_id
    from requests_judged
    left join certificates
        on
            requests_judged.plan_id = certificates.plan_id
            and requests_judged.member_key = certificates.member_key
            and requests_judged.outcome = 'issue'
)

select * from final
