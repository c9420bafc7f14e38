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
        count(*) filter (where returned_on is not null) as returned_count,
        -- A pull list is an order: until the printer reports the piece pulled, it may still be in the mail.
        count(*) filter (where is_pull_listed and not is_reprint and print_event_on is null) as unconfirmed_pull_count,
        count(*) filter (where is_incident) as incident_count
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
        planned_count - pulled_count - posted_count as open_count,
        unconfirmed_pull_count,
        planned_count = pulled_count + posted_count and unconfirmed_pull_count = 0 and incident_count = 0 as is_closed
    from counted
)

select * from final
