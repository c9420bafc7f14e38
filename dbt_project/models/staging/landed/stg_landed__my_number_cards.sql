with source as (
    select * from {{ source('landed', 'my_number_cards') }}
),

final as (
    select
        as_of,
        member_key,
        has_card,
        number_filed,
        registered,
        certificate_expires_on,
        registration_cancelled_on
    from source
)

select * from final
