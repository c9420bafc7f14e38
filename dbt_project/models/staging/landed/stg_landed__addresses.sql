with source as (
    select * from {{ source('landed', 'addresses') }}
),

final as (
    select
        as_of,
        household_key,
        postal_code,
        address,
        building,
        country
    from source
)

select * from final
