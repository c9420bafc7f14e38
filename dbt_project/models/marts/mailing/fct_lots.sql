with lots as (
    select * from {{ ref('int_lots') }}
),

final as (
    select
        lot_id,
        wave_key,
        {{ insurer_number('prefecture') }} as insurer_number,
        lot_kind as kind,
        posting_date,
        envelope_count,
        certificate_count,
        seed_count,
        weight_g,
        postage_yen,
        status,
        withheld_reason_code,
        stop_reason_code,
        stopped_on,
        announced_on,
        acknowledged_on,
        released_on,
        posted_count,
        pulled_original_count as pulled_count,
        spoiled_original_count as spoiled_count,
        returned_count
    from lots
)

select * from final
