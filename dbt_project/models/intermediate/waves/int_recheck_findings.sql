with release_lots as (
    select * from {{ ref('int_release_lots') }}
),

certificates_elsewhere as (
    select * from {{ ref('int_certificates_elsewhere') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

frozen_certificates as (
    select * from {{ ref('stg_plans__certificates') }}
),

frozen_envelopes as (
    select * from {{ ref('stg_plans__envelopes') }}
),

newest_members as (
    select * from {{ ref('stg_newest_register__members') }}
),

newest_addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

newest_cards as (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

people_held as (
    select * from {{ ref('int_people_held') }}
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
        -- A certificate issued on request took this one's place before it left: it must not leave any more.
        coalesce(certificates.reason_code = 'superseded_by_request', false) as is_superseded,
        release_lots.posting_date,
        campaign.age_of_late_stage_care,
        campaign.voluntary_years,
        campaign.validity_years,
        campaign.validity_turns_over_month,
        campaign.validity_turns_over_day
    from certificates
    inner join release_lots on certificates.lot_id = release_lots.lot_id
    cross join campaign
    where
        release_lots.is_released
        and not certificates.has_left
        and (certificates.is_live or coalesce(certificates.reason_code = 'superseded_by_request', false))
),

-- The register is read once, and only what is about the people of the released lots is kept: a join that turned round
-- would hold all of it in memory.
people as (
    select member_key from planned
    union
    select {{ insured_of_household('household_key') }} as member_key from planned
),

members as materialized (
    select
        newest_members.member_key,
        newest_members.name,
        newest_members.name_kana,
        newest_members.sex,
        newest_members.birth_date,
        newest_members.enrolment,
        newest_members.qualified_on,
        newest_members.lost_on,
        newest_members.protected
    from newest_members
    semi join people on newest_members.member_key = people.member_key
),

addresses as (
    select newest_addresses.*
    from newest_addresses
    semi join planned on newest_addresses.household_key = planned.household_key
),

cards as (
    select newest_cards.*
    from newest_cards
    semi join planned on newest_cards.member_key = planned.member_key
),

-- Another certificate of the same person: one that has left, one asked for by another route, or another system's.
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
    union
    select planned.certificate_id
    from planned
    inner join certificates_elsewhere on planned.member_key = certificates_elsewhere.member_key
    where {{ lives_on('planned.posting_date', 'certificates_elsewhere') }}
),

-- A household one of whose pulled pieces left all the same waits for a person.
households_with_incident as (
    select distinct household_key
    from certificates
    where is_incident
),

-- What would be printed today, beside what the plan printed.
beside_newest as (
    select
        planned.*,
        frozen_certificates.name as frozen_name,
        frozen_certificates.name_kana as frozen_name_kana,
        frozen_certificates.birth_date as frozen_birth_date,
        frozen_certificates.sex as frozen_sex,
        frozen_certificates.qualified_on as frozen_qualified_on,
        frozen_envelopes.addressee_name as frozen_addressee_name,
        frozen_envelopes.postal_code as frozen_postal_code,
        frozen_envelopes.address as frozen_address,
        coalesce(frozen_envelopes.building, '') as frozen_building,
        members.member_key is null or insured.member_key is null as is_missing,
        least(members.lost_on, insured.lost_on) as lost_on,
        least(
            {{ birthday_75('members.birth_date', 'planned') }}, {{ birthday_75('insured.birth_date', 'planned') }}
        ) as late_stage_care_on,
        members.protected or insured.protected as is_protected,
        {{ substituted('members.name') }} as name,
        {{ substituted('members.name_kana') }} as name_kana,
        members.birth_date,
        members.sex,
        members.qualified_on,
        {{ substituted('insured.name') }} as addressee_name,
        insured.name_kana as insured_kana,
        {{ normalised_postal_code('addresses.postal_code') }} as postal_code,
        {{ substituted('addresses.address') }} as address,
        coalesce({{ printed_building('addresses.building') }}, '') as building,
        addresses.country,
        {{ card_need('planned.posting_date') }} as need,
        {{ valid_until(
            'planned.posting_date', 'members.birth_date', 'insured.birth_date', 'insured.enrolment',
            'insured.qualified_on', campaign='planned'
        ) }} as valid_until_anew
    from planned
    inner join frozen_certificates on planned.frozen_certificate_id = frozen_certificates.certificate_id
    inner join frozen_envelopes on planned.frozen_envelope_id = frozen_envelopes.envelope_id
    left join members on planned.member_key = members.member_key
    left join members as insured on {{ insured_of_household('planned.household_key') }} = insured.member_key
    left join addresses on planned.household_key = addresses.household_key
    left join cards on planned.member_key = cards.member_key
),

-- Kana and digits of another width are no change.
changed as (
    select
        *,
        -- Widths are evened out only where the two texts differ as they are, which few do.
        ({{ text_differs('frozen_name', 'name') }})
        or ({{ text_differs('frozen_name_kana', 'name_kana') }})
        or coalesce(frozen_birth_date <> birth_date, true)
        or (sex is distinct from frozen_sex)
        or (qualified_on is distinct from frozen_qualified_on)
        -- The insured's birth date, enrolment or qualified_on was corrected: what is printed would say too much.
        or coalesce(valid_until_anew < valid_until, false)
        or ({{ text_differs('frozen_addressee_name', 'addressee_name') }})
        or coalesce(frozen_postal_code <> postal_code, true)
        or ({{ address_differs('frozen_address', 'address') }})
        or ({{ address_differs('frozen_building', 'building') }})
        or {{ is_abroad('country') }}
        or {{ is_blank('country') }} as has_changed
    from beside_newest
),

compared as (
    select
        changed.certificate_id,
        changed.envelope_id,
        changed.lot_id,
        changed.posting_date,
        changed.member_key,
        changed.household_key,
        -- A household that turned voluntary meanwhile: a certificate made today would be over before it is posted.
        changed.valid_until_anew < changed.posting_date as is_over_anew,
        case
            when changed.is_missing then 'row_missing'
            when changed.lost_on <= changed.posting_date then 'membership_lost'
            when changed.late_stage_care_on <= changed.posting_date then 'reached_75'
            when changed.is_protected then 'address_protected'
            when changed.valid_until < changed.posting_date then 'validity_over'
            when changed.is_superseded or other_certificates.certificate_id is not null then 'already_has_certificate'
            when people_held.member_key is not null then 'by_person'
            when changed.has_changed then 'details_changed'
            when campaign.pull_when_usable and changed.need is null then 'card_usable'
        end as reason_code,
        -- What the new values would be held for (rules: what becomes of each row, lines 9 to 11).
        case
            when households_with_incident.household_key is not null then 'replacement_stopped'
            when {{ is_abroad('changed.country') }} then 'address_overseas'
            when
                {{ is_blank('changed.country') }}
                or {{ is_blank('changed.address') }}
                or {{ is_word_for_nothing('changed.address') }}
                or changed.postal_code is null
                then 'address_missing'
            when
                {{ is_damaged_name('changed.addressee_name') }}
                or {{ is_damaged_name('changed.name') }}
                or {{ is_damaged_name('changed.name_kana') }}
                or {{ is_damaged('changed.address') }}
                or {{ is_damaged('changed.building') }}
                then 'damaged_text'
            when {{ is_blank('changed.name_kana') }} or {{ is_blank('changed.insured_kana') }} then 'kana_missing'
            when
                not {{ all_fit_print([
                    ('changed.addressee_name', 'campaign.max_name_width'),
                    ('changed.name', 'campaign.max_name_width'),
                    ('changed.name_kana', 'campaign.max_name_width'),
                    ('changed.address', 'campaign.max_address_width'),
                    ('changed.building', 'campaign.max_building_width'),
                ]) }}
                then 'unprintable_text'
        end as hold_reason_code
    from changed
    left join other_certificates on changed.certificate_id = other_certificates.certificate_id
    left join people_held on changed.member_key = people_held.member_key
    left join households_with_incident on changed.household_key = households_with_incident.household_key
    cross join campaign
),

pulled_envelopes as (
    select distinct envelope_id
    from compared
    where reason_code is not null
),

judged as (
    select
        compared.* exclude (reason_code),
        pulled_envelopes.envelope_id is not null as is_pulled,
        -- What is pulled and would be planned again is not, when it would be over (rules: a wave and its releases).
        case
            when
                compared.is_over_anew
                and pulled_envelopes.envelope_id is not null
                and coalesce(compared.reason_code = 'details_changed', true)
                then 'validity_over'
            else compared.reason_code
        end as reason_code
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
            when reason_code in ('row_missing', 'address_protected', 'by_person') then 'held'
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
            when reason_code in ('row_missing', 'address_protected', 'by_person') then reason_code
            when coalesce(reason_code, 'details_changed') <> 'details_changed' then null
            else hold_reason_code
        end as outcome_reason_code
    from judged
)

select * from final
