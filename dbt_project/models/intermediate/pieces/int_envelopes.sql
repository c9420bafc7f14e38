{{ config(materialized='view') }}

with pieces as (
    select * from {{ ref('int_pieces_tracked') }}
),

final as (
    select * from pieces
    where household_key is not null
)

select * from final
