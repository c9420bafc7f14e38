with rejects as (
    select * from {{ ref('stg_register__landed_rejects') }}
),

registers as (
    select distinct
        as_of,
        is_campaign_drop
    from {{ ref('stg_registers') }}
),

final as (
    select
        rejects.as_of,
        rejects.file,
        rejects.row_number,
        rejects.column_name,
        rejects.reason_code,
        registers.is_campaign_drop
    from rejects
    inner join registers on rejects.as_of = registers.as_of
)

select * from final
