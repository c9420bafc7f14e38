with certificates as (
    select * from {{ ref('int_certificates') }}
),

final as (
    select
        certificate_id,
        {{ insurer_number(prefecture_of('member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('member_key')) }} as symbol,
        {{ number_text('household_key') }} as number,
        {{ suffix_text('member_key') }} as suffix,
        route,
        need,
        issued_on,
        valid_until,
        envelope_id,
        lot_id,
        wave_key,
        status,
        reason_code,
        status_on,
        is_live
    from certificates
)

select * from final
