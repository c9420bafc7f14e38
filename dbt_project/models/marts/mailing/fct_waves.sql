with envelopes as (
    select * from {{ ref('int_envelopes') }}
    where
        lot_kind in ('home', 'supplementary')
        and plan_kind in ('home', 'release', 'resend')
        and status <> 'replaced'
),

-- A piece printed again is not planned once more, but it is what was posted.
counted as (
    select
        wave_key,
        count(*) filter (where not is_reprint) as planned_count,
        count(*) filter (where status = 'pulled') as pulled_count,
        count(*) filter (where is_posted) as posted_count,
        count(*) filter (where returned_on is not null) as returned_count
    from envelopes
    group by wave_key
),

final as (
    select
        wave_key,
        planned_count,
        pulled_count,
        posted_count,
        returned_count,
        planned_count - pulled_count - posted_count as open_count
    from counted
)

select * from final
