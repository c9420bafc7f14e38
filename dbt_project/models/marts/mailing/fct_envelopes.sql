with envelopes as (
    select * from {{ ref('int_envelopes') }}
),

final as (
    select
        envelope_id,
        {{ insurer_number('prefecture') }} as insurer_number,
        {{ symbol_text(employer_of_household('household_key')) }} as symbol,
        {{ number_text('household_key') }} as number,
        position,
        envelopes_in_household,
        is_additional,
        certificate_count,
        lot_id,
        lot_kind,
        wave_key,
        posting_date,
        status,
        status_reason_code,
        replaces_envelope_id,
        posted_on,
        tracking_number,
        returned_on,
        return_reason_code,
        is_incident
    from envelopes
)

select * from final
