with source as (
    select * from {{ source('landed', 'members') }}
),

final as (
    select
        as_of,
        member_key,
        birth_date,
        lost_on,
        protected
    from source
)

select * from final
