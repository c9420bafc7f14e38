with recursive pieces as (
    select * from {{ ref('int_pieces_latest') }}
),

ranges as (
    select * from {{ ref('int_lot_number_ranges') }}
),

-- A replacement counts when its number is one of those kept for the lot; each number replaces one piece.
replacements as (
    select
        pieces.replacement_id as envelope_id,
        min(pieces.envelope_id) as replaces_envelope_id,
        arg_min(pieces.number_kind, pieces.envelope_id) as replaces_number_kind,
        arg_min(pieces.spoiled_on, pieces.envelope_id) as reprinted_on,
        any_value(pieces.lot_id) as lot_id
    from pieces
    inner join ranges
        on
            pieces.lot_id = ranges.lot_id
            and ranges.number_kind = 'replacement'
            and try_cast(left(pieces.replacement_id, 9) as bigint) between ranges.first_number and ranges.last_number
    where
        pieces.spoiled_on is not null
        and regexp_full_match(pieces.replacement_id, '[0-9]{11}')
        and try_cast(pieces.replacement_id as bigint) % 97 = 1
    group by pieces.replacement_id
),

-- A piece printed again can spoil as well. Chains begin at a number of the plan, so they come to an end.
chains as (
    select
        envelope_id,
        replaces_envelope_id,
        replaces_envelope_id as frozen_envelope_id,
        replaces_number_kind as frozen_number_kind,
        lot_id,
        reprinted_on
    from replacements
    where replaces_number_kind in ('sample', 'original')
    union all
    select
        replacements.envelope_id,
        replacements.replaces_envelope_id,
        chains.frozen_envelope_id,
        chains.frozen_number_kind,
        chains.lot_id,
        replacements.reprinted_on
    from replacements
    inner join chains on replacements.replaces_envelope_id = chains.envelope_id
),

final as (
    select * from chains
)

select * from final
