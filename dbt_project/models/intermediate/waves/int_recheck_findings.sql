with release_lots as (
    select * from {{ ref('int_release_lots') }}
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

frozen_certificates as (
    select * from {{ ref('stg_plans__certificates') }}
),

frozen_envelopes as (
    select * from {{ ref('stg_plans__envelopes') }}
),

members as (
    select * from {{ ref('stg_newest_register__members') }}
),

addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

cards as (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- A lot that is not released now is checked when it is, against the register of that day.
planned as (
    select
        certificates.certificate_id,
        certificates.frozen_certificate_id,
        certificates.envelope_id,
        certificates.frozen_envelope_id,
        certificates.lot_id,
        certificates.member_key,
        certificates.household_key,
        certificates.route,
        certificates.valid_until,
        release_lots.posting_date
    from certificates
    inner join release_lots on certificates.lot_id = release_lots.lot_id
    where release_lots.is_released and certificates.is_live and not certificates.has_left
),

-- Another certificate of the same person: one that has left, or one asked for by another route.
other_certificates as (
    select distinct planned.certificate_id
    from planned
    inner join certificates
        on
            planned.member_key = certificates.member_key
            and planned.certificate_id <> certificates.certificate_id
    where
        certificates.is_live
        and (certificates.has_left or (planned.route = 'home' and certificates.route <> 'home'))
),

-- A household one of whose pulled pieces left all the same waits for a person.
households_with_incident as (
    select distinct household_key
    from certificates
    where is_incident
),

compared as (
    select
        planned.certificate_id,
        planned.envelope_id,
        planned.lot_id,
        planned.posting_date,
        planned.member_key,
        planned.household_key,
        case
            when members.member_key is null or insured.member_key is null then 'row_missing'
            when
                members.lost_on <= planned.posting_date or insured.lost_on <= planned.posting_date
                then 'membership_lost'
            when
                {{ birthday_75('members.birth_date') }} <= planned.posting_date
                or {{ birthday_75('insured.birth_date') }} <= planned.posting_date
                then 'reached_75'
            when members.protected or insured.protected then 'address_protected'
            when planned.valid_until < planned.posting_date then 'validity_over'
            when other_certificates.certificate_id is not null then 'already_has_certificate'
            when
                {{ text_differs('frozen_certificates.name', substituted('members.name')) }}
                or {{ text_differs('frozen_certificates.name_kana', substituted('members.name_kana')) }}
                or frozen_certificates.birth_date is distinct from members.birth_date
                or {{ text_differs('frozen_envelopes.addressee_name', substituted('insured.name')) }}
                or frozen_envelopes.postal_code is distinct from {{ normalised_postal_code('addresses.postal_code') }}
                or {{ text_differs('frozen_envelopes.address', substituted('addresses.address')) }}
                or {{ text_differs(
                    "nullif(frozen_envelopes.building, '')", "nullif(" ~ substituted('addresses.building') ~ ", '')"
                ) }}
                or coalesce(addresses.country <> 'JP', true)
                then 'details_changed'
            when campaign.pull_when_usable and {{ card_need('planned.posting_date') }} is null then 'card_usable'
        end as reason_code,
        -- What the new values would be held for (rules: what becomes of each row, lines 9 to 11).
        case
            when households_with_incident.household_key is not null then 'replacement_stopped'
            when addresses.country <> 'JP' then 'address_overseas'
            when
                addresses.household_key is null
                or addresses.country is null
                or {{ is_blank('addresses.address') }}
                or {{ normalised_postal_code('addresses.postal_code') }} is null
                then 'address_missing'
            when
                not (
                    {{ fits_print('insured.name', 'campaign.max_name_width') }}
                    and {{ fits_print('members.name', 'campaign.max_name_width') }}
                    and {{ fits_print('members.name_kana', 'campaign.max_name_width') }}
                    and {{ fits_print('addresses.address', 'campaign.max_address_width') }}
                    and {{ fits_print('addresses.building', 'campaign.max_building_width') }}
                )
                then 'unprintable_text'
        end as hold_reason_code
    from planned
    cross join campaign
    inner join frozen_certificates on planned.frozen_certificate_id = frozen_certificates.certificate_id
    inner join frozen_envelopes on planned.frozen_envelope_id = frozen_envelopes.envelope_id
    left join members on planned.member_key = members.member_key
    left join members as insured on {{ insured_of_household('planned.household_key') }} = insured.member_key
    left join addresses on planned.household_key = addresses.household_key
    left join cards on planned.member_key = cards.member_key
    left join other_certificates on planned.certificate_id = other_certificates.certificate_id
    left join households_with_incident on planned.household_key = households_with_incident.household_key
),

pulled_envelopes as (
    select distinct envelope_id
    from compared
    where reason_code is not null
),

judged as (
    select
        compared.*,
        pulled_envelopes.envelope_id is not null as is_pulled
    from compared
    left join pulled_envelopes on compared.envelope_id = pulled_envelopes.envelope_id
),

final as (
    select
        certificate_id,
        envelope_id,
        lot_id,
        posting_date,
        member_key,
        household_key,
        case when is_pulled then coalesce(reason_code, 'packed_anew') end as reason_code,
        is_pulled,
        case
            when not is_pulled then null
            when reason_code in ('row_missing', 'address_protected') then 'held'
            when
                reason_code in (
                    'membership_lost', 'reached_75', 'validity_over', 'already_has_certificate', 'card_usable'
                )
                then 'closed'
            when hold_reason_code is not null then 'held'
            else 'planned_again'
        end as outcome,
        case
            when not is_pulled then null
            when reason_code in ('row_missing', 'address_protected') then reason_code
            when coalesce(reason_code, 'details_changed') <> 'details_changed' then null
            else hold_reason_code
        end as outcome_reason_code
    from judged
)

select * from final
