with follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

bundles as (
    select * from {{ ref('int_employer_pieces') }}
),

final as (
    select distinct
        follow_ups.plan_id,
        follow_ups.envelope_id
    from follow_ups
    inner join bundles on follow_ups.bundle_id = bundles.envelope_id
    where
        bundles.is_pulled_urgently
        or (bundles.status = 'replaced' and bundles.status_reason_code in ('lot_rejected', 'lot_destroyed'))
)

select * from final
