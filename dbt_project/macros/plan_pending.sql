{#- Columns of a certificate to be made, the same in every model of what is pending; freezing reads them by name. -#}
{% macro pending_columns() -%}
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
{%- endmacro %}

{#-
    Certificates to be made from people who have their place: the query of a last CTE, with the values that the newest
    register prints. It reads the CTEs `placed` (lot_kind, prefecture, posting_date, lot_number, household_key,
    employer_key, position, envelopes_in_household, is_additional, slot, member_key, insured_key, route, need,
    supersedes_certificate_id, and the campaign's columns), `members` and `addresses`, and joins them by keys alone.
    The employer of a voluntary household is nobody (rules: envelopes and lots).
-#}
{% macro pending_certificates() -%}
    select
        placed.lot_kind,
        placed.prefecture,
        placed.posting_date,
        strftime(placed.posting_date, '%Y-%m') as wave_key,
        placed.lot_number::integer as lot_number,
        placed.household_key,
        case when insured.enrolment <> 'voluntary' then placed.employer_key end as employer_key,
        placed.position::integer as position,
        placed.envelopes_in_household::integer as envelopes_in_household,
        placed.is_additional,
        placed.slot::integer as slot,
        placed.member_key,
        placed.route,
        placed.need,
        placed.posting_date as issued_on,
        {{ valid_until(
            'placed.posting_date', 'members.birth_date', 'insured.birth_date', 'insured.enrolment',
            'insured.qualified_on', campaign='placed'
        ) }} as valid_until,
        insured.enrolment,
        {{ substituted('members.name') }} as name,
        {{ substituted('members.name_kana') }} as name_kana,
        members.sex,
        members.birth_date,
        members.qualified_on,
        {{ substituted('insured.name') }} as addressee_name,
        {{ normalised_postal_code('addresses.postal_code') }} as postal_code,
        {{ substituted('addresses.address') }} as address,
        {{ substituted('addresses.building') }} as building,
        placed.supersedes_certificate_id,
        {{ old_card_duty('least(members.lost_on, insured.lost_on)', campaign='placed') }} as old_card_duty
    from placed
    inner join members on placed.member_key = members.member_key
    inner join members as insured on placed.insured_key = insured.member_key
    inner join addresses on placed.household_key = addresses.household_key
{%- endmacro %}
