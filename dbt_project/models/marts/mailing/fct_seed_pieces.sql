with seed_pieces as (
    select * from {{ ref('stg_plans__seed_pieces') }}
),

reprints as (
    select * from {{ ref('int_pieces_reprinted') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

versions as (
    select
        envelope_id,
        lot_id,
        null::varchar as replaces_envelope_id
    from seed_pieces
    union all
    select
        envelope_id,
        lot_id,
        replaces_envelope_id
    from reprints
    where frozen_number_kind = 'sample'
),

final as (
    select
        versions.envelope_id,
        versions.lot_id,
        case
            when lots.is_voided or lots.is_replaced then 'replaced'
            when pieces.latest_event_type is not null then pieces.latest_event_type
            when lots.announced_on is not null then 'handed_off'
            else 'planned'
        end as status,
        pieces.latest_event_on as status_on,
        versions.replaces_envelope_id
    from versions
    inner join lots on versions.lot_id = lots.lot_id
    left join pieces on versions.envelope_id = pieces.envelope_id
)

select * from final
