with source as (
    select * from {{ source('context', 'context') }}
),

final as (
    select
        as_of,
        run_kind,
        posting_date,
        run_on,
        newest_register_as_of
    from source
)

select * from final
