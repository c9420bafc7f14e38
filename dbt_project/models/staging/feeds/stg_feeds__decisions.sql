with source as (
    select * from {{ source('feeds', 'decisions') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        member_key,
        decided_on,
        decision,
        decided_by,
        reason_code,
        drop_as_of,
        accepted_share,
        source_file,
        row_number,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
