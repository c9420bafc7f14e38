with

context as (

    select * from {{ ref('stg_context') }}

)

select * from context
