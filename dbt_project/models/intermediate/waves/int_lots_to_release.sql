{{ config(materialized='view') }}

with lots as (
    select * from {{ ref('int_release_lots') }}
),

doubts as (
    select * from {{ ref('int_register_doubts') }}
),

final as (
    select
        lots.lot_id,
        lots.posting_date,
        lots.is_released and doubts.prefecture is null as is_released,
        case
            when lots.is_released and doubts.prefecture is not null then 'register_doubted'
            else lots.withheld_reason_code
        end as withheld_reason_code
    from lots
    left join doubts on lots.prefecture = doubts.prefecture
)

select * from final
