-- A table of its own, though small: its size is what lets the joins with the newest register skip that register
-- when nobody was released.
with evaluated as (
    select * from {{ ref('int_members_evaluated') }}
),

final as (
    select
        member_key,
        household_key
    from evaluated
    where disposition <> 'target' and effective_disposition = 'target'
)

select * from final
