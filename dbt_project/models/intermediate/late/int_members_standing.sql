{{ config(materialized='view') }}

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with evaluated as not materialized (
    select * from {{ ref('int_members_evaluated') }}
),

judged_late as (
    select * from {{ ref('int_late_judged') }}
    where cause <> 'row_missing'
),

final as (
    select
        evaluated.member_key,
        evaluated.household_key,
        evaluated.prefecture,
        evaluated.disposition,
        evaluated.reason_code,
        evaluated.effective_disposition,
        evaluated.effective_reason_code,
        evaluated.effective_need,
        null::varchar as late_disposition,
        null::date as judged_on
    from evaluated
    anti join judged_late on evaluated.member_key = judged_late.member_key
    union all
    select
        judged_late.member_key,
        judged_late.household_key,
        judged_late.prefecture,
        case when judged_late.cause = 'row_rejected' then 'not_in_drop' else 'held' end as disposition,
        case when judged_late.cause <> 'row_rejected' then judged_late.cause end as reason_code,
        judged_late.effective_disposition,
        judged_late.effective_reason_code,
        judged_late.effective_need,
        judged_late.disposition as late_disposition,
        judged_late.judged_on
    from judged_late
)

select * from final
