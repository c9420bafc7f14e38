with source as (
    select * from {{ source('landed', 'rejects') }}
),

final as (
    select
        as_of,
        row_number
    from source
    where file = 'members'
)

select * from final
