with lots as (
    select * from {{ ref('int_lots') }}
),

stopped as (
    select * from {{ ref('int_branches_stopped') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

-- A lot that an earlier release left out waits here for the next one, so nothing is forgotten.
waiting as (
    select
        lots.lot_id,
        lots.prefecture,
        lots.answer,
        lots.stop_effect,
        lots.undone_reason_code,
        run_context.posting_date
    from lots
    inner join run_context on lots.posting_date <= run_context.posting_date
    where
        lots.lot_kind in ('home', 'supplementary')
        and lots.needs_release
        and not lots.is_voided
        and not lots.is_replaced
        and not lots.is_in_release
),

judged as (
    select
        waiting.lot_id,
        waiting.prefecture,
        waiting.posting_date,
        case
            when waiting.answer = 'rejected' then 'lot_rejected'
            when waiting.undone_reason_code is not null then waiting.undone_reason_code
            when waiting.answer is null then 'not_acknowledged'
            when waiting.stop_effect = 'hold' then 'lot_stopped'
            when stopped.prefecture is not null then 'branch_stopped'
        end as withheld_reason_code
    from waiting
    left join stopped on waiting.prefecture = stopped.prefecture
),

final as (
    select
        lot_id,
        prefecture,
        posting_date,
        withheld_reason_code is null as is_released,
        withheld_reason_code
    from judged
)

select * from final
