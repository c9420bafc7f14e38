with source as (
    select * from {{ source('context', 'registers') }}
),

final as (
    select
        as_of,
        kind,
        file,
        manifest_rows,
        is_campaign_drop,
        warning_count
    from source
)

select * from final
