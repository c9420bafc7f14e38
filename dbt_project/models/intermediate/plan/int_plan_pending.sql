{{ config(materialized='view') }}

with home as (
    select * from {{ ref('int_plan_pending_home') }}
),

supplementary as (
    select * from {{ ref('int_plan_pending_supplementary') }}
),

requested as (
    select * from {{ ref('int_plan_pending_request') }}
),

final as (
    select {{ pending_columns() }}
    from home
    union all
    select {{ pending_columns() }}
    from supplementary
    union all
    select {{ pending_columns() }}
    from requested
)

select * from final
