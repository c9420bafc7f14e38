with branches as (
    select * from {{ ref('branches') }}
),

final as (
    select
        prefecture_code,
        insurer_number,
        branch_name,
        source
    from branches
)

select * from final
