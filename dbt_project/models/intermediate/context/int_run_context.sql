with context as (
    select * from {{ ref('stg_context') }}
),

final as (
    select
        as_of,
        run_kind,
        posting_date,
        run_on,
        newest_register_as_of
    from context
)

select * from final
