with judged as (
    select * from {{ ref('int_late_judged') }}
    where cause <> 'row_missing'
),

certificates as (
    select * from {{ ref('stg_plans__certificates') }}
),

envelopes as (
    select * from {{ ref('stg_plans__envelopes') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

-- A target's wave is that of the first supplementary lot that took the person; none while it is awaited.
waves as (
    select
        certificates.member_key,
        arg_min(envelopes.wave_key, (envelopes.posting_date, envelopes.envelope_id)) as wave_key
    from certificates
    inner join judged on certificates.member_key = judged.member_key
    inner join envelopes on certificates.envelope_id = envelopes.envelope_id
    inner join plans on certificates.plan_id = plans.plan_id
    where certificates.route = 'home' and not plans.is_voided
    group by certificates.member_key
),

final as (
    select
        {{ insurer_number('judged.prefecture') }} as insurer_number,
        {{ symbol_text(employer_of_household('judged.household_key')) }} as symbol,
        {{ number_text('judged.household_key') }} as number,
        {{ suffix_text('judged.member_key') }} as suffix,
        judged.disposition,
        judged.reason_code,
        case when judged.disposition = 'target' then waves.wave_key end as wave_key,
        judged.effective_disposition,
        judged.effective_reason_code,
        judged.address_is_employer,
        judged.reached_75_warning,
        judged.judged_on
    from judged
    left join waves on judged.member_key = waves.member_key
)

select * from final
