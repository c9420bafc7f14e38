{{ config(materialized='view') }}

with pieces as (
    select * from {{ ref('int_pieces_tracked') }}
),

final as (
    select
        envelope_id,
        frozen_envelope_id,
        replaces_envelope_id,
        is_reprint,
        plan_id,
        plan_kind,
        lot_id,
        lot_kind,
        prefecture,
        employer_key,
        certificate_count,
        posting_date,
        status,
        status_reason_code,
        is_live,
        announced_on,
        is_posted,
        posted_on,
        returned_on,
        return_known_on,
        return_reason_code,
        is_pulled_urgently
    from pieces
    where household_key is null
)

select * from final
