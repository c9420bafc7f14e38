with work_list as (
    select * from {{ ref('fct_work_list') }}
),

branches as (
    select * from {{ ref('dim_branches') }}
),

final as (
    select
        branches.prefecture_code,
        branches.branch_name,
        work_list.stage,
        coalesce(work_list.reason_code, 'none') as reason_code,
        -- A person with two requests waits once.
        count(distinct concat_ws('-', work_list.symbol, work_list.number, work_list.suffix))::bigint as people_count
    from work_list
    inner join branches on work_list.insurer_number = branches.insurer_number
    group by all
)

select * from final
