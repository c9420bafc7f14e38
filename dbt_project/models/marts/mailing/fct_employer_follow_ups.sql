with follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

undone as (
    select * from {{ ref('int_follow_ups_undone') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

envelopes as (
    select
        follow_ups.envelope_id,
        follow_ups.run_on,
        any_value(follow_ups.envelope_outcome) as outcome,
        max(follow_ups.bundle_id) as bundle_id,
        min({{ household_of_member('follow_ups.member_key') }}) as household_key,
        count(*) as certificate_count,
        count(*) filter (where follow_ups.outcome = 'closed') as closed_certificate_count,
        min(follow_ups.reason_code) filter (where follow_ups.outcome = follow_ups.envelope_outcome) as reason_code
    from follow_ups
    inner join plans on follow_ups.plan_id = plans.plan_id
    anti join undone on follow_ups.plan_id = undone.plan_id and follow_ups.envelope_id = undone.envelope_id
    where not plans.is_voided
    group by follow_ups.envelope_id, follow_ups.run_on
),

final as (
    select
        envelopes.envelope_id,
        envelopes.run_on,
        envelopes.outcome,
        envelopes.reason_code,
        envelopes.bundle_id,
        {{ insurer_number(prefecture_of('envelopes.household_key')) }} as insurer_number,
        {{ symbol_text(employer_of_household('envelopes.household_key')) }} as symbol,
        {{ number_text('envelopes.household_key') }} as number,
        envelopes.certificate_count::integer as certificate_count,
        envelopes.closed_certificate_count::integer as closed_certificate_count,
        pieces.returned_on,
        pieces.return_reason_code,
        coalesce(pieces.return_reason_code = 'R05', false) as is_refused
    from envelopes
    left join pieces on envelopes.envelope_id = pieces.envelope_id
)

select * from final
