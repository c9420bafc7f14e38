with source as (
    select * from {{ source('landed', 'issued_certificates') }}
),

final as (
    select
        as_of,
        member_key,
        issued_on,
        valid_until,
        ended_on
    from source
)

select * from final
