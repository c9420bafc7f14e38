with source as (
    select * from {{ source('register_campaign', 'employers') }}
),

final as (
    select
        as_of,
        employer_key,
        name,
        postal_code,
        address,
        building,
        closed_on
    from source
)

select * from final
