with issues_judged as (
    select * from {{ ref('int_issues_judged') }}
),

final as (
    select
        route,
        member_key,
        household_key,
        need,
        outcome,
        reason_code
    from issues_judged
    where route in ('rolling', 'decided')
)

select * from final
