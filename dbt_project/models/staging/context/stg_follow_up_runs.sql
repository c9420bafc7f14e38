with source as (
    select * from {{ source('context', 'follow_up_runs') }}
),

final as (
    select
        run_on,
        posting_on
    from source
)

select * from final
