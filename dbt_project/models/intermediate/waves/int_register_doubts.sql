with findings as (
    select * from {{ ref('int_recheck_findings') }}
),

lots as (
    select * from {{ ref('int_release_lots') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

newest_full as (
    select max(registers.as_of) as as_of
    from registers
    cross join run_context
    where registers.kind = 'full' and registers.as_of <= run_context.as_of
),

-- A person who lets the branch go on has seen the newest full drop; only a later one is doubted again.
resumed as (
    select distinct {{ prefecture_of('decisions.member_key', of='member') }} as prefecture
    from decisions
    cross join newest_full
    where decisions.decision = 'resume' and decisions.received_on >= newest_full.as_of
),

envelopes as (
    select
        lots.prefecture,
        findings.envelope_id,
        bool_or(coalesce(findings.reason_code = 'row_missing', false)) as is_missing,
        bool_or(coalesce(findings.reason_code = 'details_changed', false)) as is_changed
    from findings
    inner join lots on findings.lot_id = lots.lot_id
    group by lots.prefecture, findings.envelope_id
),

counted as (
    select
        prefecture,
        count(*) as envelope_count,
        count(*) filter (where is_missing) as missing_count,
        count(*) filter (where is_changed) as changed_count
    from envelopes
    group by prefecture
),

final as (
    select
        counted.prefecture,
        counted.envelope_count,
        counted.missing_count,
        counted.changed_count
    from counted
    cross join campaign
    left join resumed on counted.prefecture = resumed.prefecture
    where
        resumed.prefecture is null
        and (
            (
                counted.missing_count > campaign.doubt_rows_always_believed
                and counted.missing_count > campaign.doubt_missing_share * counted.envelope_count
            )
            or (
                counted.changed_count > campaign.doubt_rows_always_believed
                and counted.changed_count > campaign.doubt_changed_share * counted.envelope_count
            )
        )
)

select * from final
