with source as (
    select * from {{ source('transfers', 'transfers') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        plan_id,
        lot_id,
        file_kind,
        file_name,
        step,
        row_count,
        envelope_count,
        certificate_count,
        byte_count,
        sha256_clear,
        sha256_sealed,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
