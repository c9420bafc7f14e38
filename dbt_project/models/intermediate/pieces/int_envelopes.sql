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
        household_key,
        employer_key,
        bundle_id,
        position,
        envelopes_in_household,
        is_additional,
        certificate_count,
        posting_date,
        wave_key,
        status,
        status_reason_code,
        is_live,
        made_on,
        announced_on,
        is_posted,
        posted_on,
        tracking_number,
        print_event_on,
        spoiled_on,
        returned_on,
        return_known_on,
        return_reason_code,
        pull_plan_id,
        pull_listed_on,
        is_pull_listed,
        is_pulled_for_protection,
        is_pulled_urgently,
        is_incident
    from pieces
    where household_key is not null
)

select * from final
