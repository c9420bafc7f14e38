with source as (
    select * from {{ source('landed', 'rejects') }}
),

final as (
    select distinct
        as_of,
        file,
        row_key
    from source
    where row_key is not null
)

select * from final
