with everyone as (
    select * from {{ ref('int_everyone') }}
),

landed_rejects as (
    select * from {{ ref('stg_landed__member_rejects') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

newest_full as (
    select max(registers.as_of) as as_of
    from registers
    cross join run_context
    where registers.kind = 'full' and registers.as_of <= run_context.as_of
),

newest_drops as (
    select distinct registers.as_of
    from registers
    cross join run_context
    cross join newest_full
    where registers.as_of between newest_full.as_of and run_context.as_of
),

counted as (
    select
        {{ prefecture_of('member_key', of='member') }} as prefecture,
        line,
        reason_code,
        count(*) as people
    from everyone
    group by all
),

-- Of a row without a readable key nobody knows the branch: counted apart, row by row.
without_key as (
    select count(*) as people
    from landed_rejects
    semi join newest_drops on landed_rejects.as_of = newest_drops.as_of
    where landed_rejects.member_key is null
),

final as (
    select
        {{ insurer_number('prefecture') }} as insurer_number,
        line,
        reason_code,
        people::bigint as people
    from counted
    union all
    select
        null as insurer_number,
        'without' as line,
        'row_rejected_without_key' as reason_code,
        people::bigint as people
    from without_key
    where people > 0
)

select * from final
