with windows as (
    select * from {{ ref('stg_dispatch_windows') }}
),

posting_dates as (
    select
        prefecture,
        count(*) as posting_date_count,
        min(posting_date) as first_posting_on,
        max(posting_date) as last_posting_on
    from {{ ref('stg_posting_dates') }}
    group by prefecture
),

final as (
    select
        windows.prefecture_code,
        windows.insurer_number,
        windows.opens_on,
        windows.closes_on,
        windows.posting_weekdays,
        coalesce(posting_dates.posting_date_count, 0) as posting_date_count,
        posting_dates.first_posting_on,
        posting_dates.last_posting_on,
        windows.source,
        windows.note
    from windows
    left join posting_dates on windows.prefecture_code::integer = posting_dates.prefecture
)

select * from final
