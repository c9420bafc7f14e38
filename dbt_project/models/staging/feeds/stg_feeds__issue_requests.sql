with source as (
    select * from {{ source('feeds', 'issue_requests') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        request_id,
        member_key,
        requested_on,
        kind,
        source_file,
        row_number,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
