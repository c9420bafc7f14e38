{{ config(materialized='view') }}

-- A person holds the piece (decision hold_piece) until somebody releases it by a later decision.
with decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
    where decision in ('hold_piece', 'release')
),

latest as (
    select
        member_key,
        decision
    from decisions
    qualify row_number() over (
        partition by member_key
        order by decided_on desc, received_on desc, row_number desc
    ) = 1
),

final as (
    select member_key
    from latest
    where decision = 'hold_piece'
)

select * from final
