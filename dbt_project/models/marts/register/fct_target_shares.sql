with shares as (
    select * from {{ ref('int_target_shares') }}
),

final as (
    select
        case when prefecture > 0 then {{ insurer_number('prefecture') }} end as insurer_number,
        drop_as_of,
        accepted_count,
        target_count,
        share,
        expected_share,
        state,
        is_accepted
    from shares
)

select * from final
