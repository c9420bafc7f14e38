with source as (
    select * from {{ source('register_campaign', 'addresses') }}
),

final as (
    select
        as_of,
        household_key,
        postal_code,
        address,
        building,
        country,
        updated_on
    from source
)

select * from final
