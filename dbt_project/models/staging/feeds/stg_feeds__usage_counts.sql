with source as (
    select * from {{ source('feeds', 'usage_counts') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        month,
        prefecture_code,
        uses,
        verifications,
        source_file,
        row_number,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
