with newest_full as (
    select * from {{ source('register_newest_full', 'rejects') }}
),

newest_deltas as (
    select * from {{ source('register_newest_deltas', 'rejects') }}
),

final as (
    select
        as_of,
        file,
        row_number,
        column_name,
        reason_code,
        row_key,
        protected_readable
    from newest_full
    union all
    select
        as_of,
        file,
        row_number,
        column_name,
        reason_code,
        row_key,
        protected_readable
    from newest_deltas
)

select * from final
