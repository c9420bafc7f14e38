with source as (
    select * from {{ source('register_campaign', 'rejects') }}
),

final as (
    select
        as_of,
        file,
        row_number,
        column_name,
        reason_code,
        row_key
    from source
)

select * from final
