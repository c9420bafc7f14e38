with source as (
    select * from {{ source('context', 'weeks') }}
),

final as (
    select
        week_start,
        working_days,
        working_days_to_deliver
    from source
)

select * from final
