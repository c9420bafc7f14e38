with source as (
    select * from {{ source('landed', 'members') }}
),

final as (
    select
        as_of,
        member_key,
        household_key,
        name,
        name_kana,
        birth_date,
        decided_on,
        lost_on,
        protected
    from source
)

select * from final
