with source as (
    select * from {{ source('landed', 'rejects') }}
),

final as (
    select
        as_of,
        row_number,
        row_key as member_key,
        protected_readable
    from source
    where file = 'members'
)

select * from final
