with evaluated as (
    select * from {{ ref('int_members_evaluated') }}
),

pending_households as (
    select * from {{ ref('int_home_households') }}
),

envelopes as (
    select * from {{ ref('stg_plans__envelopes') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

-- A target's wave is its household's in the first plan: the frozen one, or what is pending before it.
frozen_households as (
    select
        envelopes.household_key,
        any_value(envelopes.wave_key) as wave_key
    from envelopes
    inner join plans on envelopes.plan_id = plans.plan_id
    where envelopes.lot_kind = 'home' and envelopes.position = 1 and not plans.is_voided
    group by envelopes.household_key
),

households as (
    select
        household_key,
        wave_key
    from frozen_households
    union all
    -- What is frozen is not pending any more, also where the pending table was built before the freeze.
    select
        pending_households.household_key,
        pending_households.wave_key
    from pending_households
    anti join frozen_households on pending_households.household_key = frozen_households.household_key
),

final as (
    select
        {{ insurer_number('evaluated.prefecture') }} as insurer_number,
        {{ symbol_text(employer_of_household('evaluated.household_key')) }} as symbol,
        {{ number_text('evaluated.household_key') }} as number,
        {{ suffix_text('evaluated.member_key') }} as suffix,
        evaluated.disposition,
        evaluated.reason_code,
        case when evaluated.disposition = 'target' then households.wave_key end as wave_key,
        evaluated.effective_disposition,
        evaluated.effective_reason_code,
        evaluated.address_is_employer,
        evaluated.reached_75_warning
    from evaluated
    left join households on evaluated.household_key = households.household_key
)

select * from final
