with piece_reports as (
    select * from {{ ref('stg_feeds__piece_reports') }}
),

return_reports as (
    select * from {{ ref('stg_feeds__return_reports') }}
),

pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

reported as (
    select
        envelope_id,
        event_type,
        occurred_on,
        source_file
    from piece_reports
    union all
    select
        envelope_id,
        'returned' as event_type,
        returned_on as occurred_on,
        source_file
    from return_reports
),

-- A report that is delivered twice, or repeats a row, is one event; the first file that told of it is named.
events as (
    select
        envelope_id,
        event_type,
        occurred_on,
        min(source_file) as source_file
    from reported
    group by envelope_id, event_type, occurred_on
),

-- Samples have a table of their own; numbers that nobody gave are counted in the alerts.
final as (
    select
        events.envelope_id || '-' || events.event_type || '-' || strftime(events.occurred_on, '%Y%m%d') as event_id,
        events.envelope_id,
        events.event_type,
        events.occurred_on,
        events.source_file,
        pieces.lot_id,
        pieces.is_posted_twice
    from events
    inner join pieces on events.envelope_id = pieces.envelope_id
    where pieces.number_kind in ('original', 'replacement')
)

select * from final
