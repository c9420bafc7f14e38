with source as (
    select * from {{ source('feeds', 'rejects') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        regexp_extract(filename, 'feeds/([a-z_]+)/', 1) as feed,
        source_file,
        row_number,
        column_name,
        reason_code,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
