{{ config(materialized='view') }}

with home as (
    select * from {{ ref('int_plan_pending_home') }}
),

supplementary as (
    select * from {{ ref('int_plan_pending_supplementary') }}
),

requested as (
    select * from {{ ref('int_plan_pending_request') }}
),

final as (
    select
        lot_kind,
        prefecture,
        posting_date,
        wave_key,
        lot_number,
        household_key,
        employer_key,
        position,
        envelopes_in_household,
        is_additional,
        slot,
        member_key,
        route,
        need,
        issued_on,
        valid_until,
        enrolment,
        name,
        name_kana,
        sex,
        birth_date,
        qualified_on,
        addressee_name,
        postal_code,
        address,
        building,
        supersedes_certificate_id
    from home
    union all
    select
        lot_kind,
        prefecture,
        posting_date,
        wave_key,
        lot_number,
        household_key,
        employer_key,
        position,
        envelopes_in_household,
        is_additional,
        slot,
        member_key,
        route,
        need,
        issued_on,
        valid_until,
        enrolment,
        name,
        name_kana,
        sex,
        birth_date,
        qualified_on,
        addressee_name,
        postal_code,
        address,
        building,
        supersedes_certificate_id
    from supplementary
    union all
    select
        lot_kind,
        prefecture,
        posting_date,
        wave_key,
        lot_number,
        household_key,
        employer_key,
        position,
        envelopes_in_household,
        is_additional,
        slot,
        member_key,
        route,
        need,
        issued_on,
        valid_until,
        enrolment,
        name,
        name_kana,
        sex,
        birth_date,
        qualified_on,
        addressee_name,
        postal_code,
        address,
        building,
        supersedes_certificate_id
    from requested
)

select * from final
