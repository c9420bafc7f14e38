{{ config(materialized='view') }}

with home as (
    select * from {{ ref('int_plan_pending_home') }}
),

supplementary as (
    select * from {{ ref('int_plan_pending_supplementary') }}
),

final as (
    select * from home
    union all by name
    select * from supplementary
)

select * from final
