with source as (
    select * from {{ source('landed', 'member_files') }}
),

final as (
    select
        try_cast(regexp_extract(file_name, 'as_of=([0-9-]{10})', 1) as date) as as_of,
        num_rows as accepted_count
    from source
    where file_name like '%as_of=%'
)

select * from final
