with source as (
    select * from {{ source('context', 'dispatch_windows') }}
),

final as (
    select
        prefecture_code,
        insurer_number,
        opens_on,
        closes_on,
        posting_weekdays,
        source,
        note
    from source
)

select * from final
