with source as (
    select * from {{ source('context', 'posting_dates') }}
),

final as (
    select
        prefecture,
        posting_date,
        ordinal,
        posting_date_count,
        wave_key
    from source
)

select * from final
