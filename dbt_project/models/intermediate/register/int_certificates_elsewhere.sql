with issued as (
    select * from {{ ref('stg_landed__issued_certificates') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

-- Only a drop that has the table says anything of it.
drops as (
    select
        registers.as_of,
        registers.kind
    from registers
    cross join run_context
    where registers.file = 'issued_certificates' and registers.as_of <= run_context.as_of
),

newest_full as (
    select max(as_of) as as_of
    from drops
    where kind = 'full'
),

-- Whole from the newest full drop that has the table, then by key from the deltas after it.
of_these_drops as (
    select issued.*
    from issued
    cross join newest_full
    semi join drops on issued.as_of = drops.as_of
    where coalesce(issued.as_of >= newest_full.as_of, true)
),

final as (
    select
        member_key,
        issued_on,
        valid_until,
        ended_on
    from of_these_drops
    qualify row_number() over (partition by member_key, issued_on order by as_of desc) = 1
)

select * from final
