with source as (
    select * from {{ source('refusals', 'refusals') }}
),

run_context as (
    select as_of from {{ ref('stg_context') }}
),

final as (
    select
        file_name,
        reason,
        received_on
    from source
    where received_on <= (select run_context.as_of from run_context)
)

select * from final
