with published as (
    select * from {{ ref('usage_rates_published') }}
),

usage_counts as (
    select * from {{ ref('stg_feeds__usage_counts') }}
),

branches as (
    select * from {{ ref('branches') }}
),

-- A corrected count comes in a later file.
latest_counts as (
    select
        prefecture_code,
        month,
        uses,
        verifications
    from usage_counts
    qualify row_number() over (
        partition by prefecture_code, month
        order by received_on desc, source_file desc, row_number desc
    ) = 1
),

complete_counts as (
    select
        month,
        sum(uses) as uses,
        sum(verifications) as verifications
    from latest_counts
    where prefecture_code between '01' and '47'
    group by month
    having count(*) = 47
),

counts as (
    select
        prefecture_code,
        month,
        uses,
        verifications
    from latest_counts
    where prefecture_code between '01' and '47'
    union all
    -- The nation's rate follows from counts only when no prefecture is missing.
    select
        '00' as prefecture_code,
        month,
        uses,
        verifications
    from complete_counts
),

months as (
    select month from published
    union
    select month from latest_counts
),

prefectures as (
    select prefecture_code from branches
    union all
    select '00' as prefecture_code
),

-- Every prefecture has its row: an unknown rate is a null that is seen, never a gap that is not.
rates as (
    select
        prefectures.prefecture_code,
        months.month,
        counts.uses,
        counts.verifications,
        case
            when counts.prefecture_code is not null then round(counts.uses / nullif(counts.verifications, 0), 6)
            else round(published.rate_percent::double / 100, 6)
        end as rate,
        case when counts.prefecture_code is null then published.rank end as given_rank,
        case
            when counts.prefecture_code is not null then 'counts'
            else coalesce(published.source, 'unknown')
        end as source
    from prefectures
    cross join months
    left join counts
        on prefectures.prefecture_code = counts.prefecture_code and months.month = counts.month
    left join published
        on prefectures.prefecture_code = published.prefecture_code and months.month = published.month
),

ranked as (
    select
        prefecture_code,
        month,
        rank() over (partition by month order by rate desc) as computed_rank,
        count(rate) over (partition by month) = 47 as is_complete_month
    from rates
    where prefecture_code <> '00'
),

final as (
    select
        rates.prefecture_code,
        rates.month,
        rates.rate::double as rate,
        case when ranked.is_complete_month then ranked.computed_rank else rates.given_rank end::integer as rank,
        rates.source,
        rates.uses::bigint as uses,
        rates.verifications::bigint as verifications
    from rates
    left join ranked on rates.prefecture_code = ranked.prefecture_code and rates.month = ranked.month
)

select * from final
