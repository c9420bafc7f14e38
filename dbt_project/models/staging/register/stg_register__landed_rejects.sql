with source as (
    select * from {{ source('landed', 'rejects') }}
),

final as (
    select
        as_of,
        file,
        row_number,
        column_name,
        reason_code
    from source
)

select * from final
