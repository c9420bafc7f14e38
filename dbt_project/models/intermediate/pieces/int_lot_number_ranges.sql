{{ config(materialized='view') }}

with lots as (
    select * from {{ ref('stg_plans__lots') }}
),

-- The numbers of a lot follow each other: samples, pieces, then those kept for pieces printed again.
ranges as (
    select
        lot_id,
        plan_id,
        'sample' as number_kind,
        first_sequence as first_number,
        first_sequence + seed_count - 1 as last_number
    from lots
    union all
    select
        lot_id,
        plan_id,
        'original' as number_kind,
        first_sequence + seed_count as first_number,
        first_sequence + seed_count + envelope_count - 1 as last_number
    from lots
    union all
    select
        lot_id,
        plan_id,
        'replacement' as number_kind,
        replacement_first as first_number,
        replacement_last as last_number
    from lots
),

final as (
    select * from ranges
    where last_number >= first_number
)

select * from final
