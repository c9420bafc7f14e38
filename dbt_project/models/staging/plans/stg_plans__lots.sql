with source as (
    select * from {{ source('plans', 'lots') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        received_on,
        lot_id,
        lot_kind,
        prefecture,
        posting_date,
        wave_key,
        envelope_count,
        certificate_count,
        seed_count,
        first_sequence,
        replacement_first,
        replacement_last,
        weight_g,
        postage_yen,
        replaces_lot_id
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
