with source as (
    select * from {{ source('plans', 'envelopes') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        envelope_id,
        sequence,
        lot_id,
        lot_kind,
        position_in_lot,
        household_key,
        employer_key,
        position,
        envelopes_in_household,
        is_additional,
        certificate_count,
        posting_date,
        wave_key,
        prefecture,
        addressee_name,
        postal_code,
        address,
        building,
        weight_g,
        postage_yen,
        replaces_envelope_id,
        bundle_id,
        notice,
        old_card_packets
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
