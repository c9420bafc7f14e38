{%- set lines = [
    (1, 'has_lost_membership'),
    (2, 'has_reached_75'),
    (3, 'is_new_enrollee'),
    (4, 'is_protected'),
    (5, 'is_between_routes'),
    (6, 'has_no_insured'),
    (7, 'has_rejected_card'),
    (8, 'is_card_usable'),
    (8.5, 'has_certificate_elsewhere'),
] -%}

with members as (
    select * from {{ ref('stg_register__members') }}
),

card_rows as (
    select * from {{ ref('stg_register__my_number_cards') }}
),

rejects as (
    select * from {{ ref('stg_register__rejects') }}
),

issued_certificates as (
    select * from {{ ref('stg_register__issued_certificates') }}
),

decisions as (
    select * from {{ ref('int_decisions_latest') }}
),

parameters as (
    select * from {{ ref('stg_campaign') }}
),

campaign as (
    select
        *,
        {{ reached_75_when_born_by('snapshot_as_of', campaign='parameters') }} as reached_75_when_born_by
    from parameters
),

-- Of the insured person only these facts count for the household, so the join that all dependents take stays narrow.
people as (
    select
        members.member_key,
        members.household_key,
        {{ suffix_of('members.member_key') }} = 0 as is_insured,
        coalesce(members.lost_on <= campaign.snapshot_as_of, false) as has_lost_membership,
        members.birth_date <= campaign.reached_75_when_born_by as has_reached_75,
        members.protected as is_protected,
        members.decided_on >= campaign.new_enrollee_from as is_new_enrollee,
        members.decided_on > campaign.enrolled_through
        and members.decided_on < campaign.new_enrollee_from as is_between_routes,
        {{ fits_print('members.name', 'campaign.max_name_width') }} as fits_name,
        {{ fits_print('members.name_kana', 'campaign.max_name_width') }} as fits_kana,
        {{ is_damaged_name('members.name') }} as has_damaged_name,
        {{ is_damaged_name('members.name_kana') }} as has_damaged_kana,
        {{ is_blank('members.name_kana') }} as has_no_kana
    from members
    cross join campaign
),

insured as (
    select
        household_key,
        has_lost_membership,
        has_reached_75,
        is_protected,
        fits_name,
        has_damaged_name,
        has_no_kana
    from people
    where is_insured
),

with_insured as (
    select
        member_key,
        household_key,
        has_lost_membership,
        has_reached_75,
        is_protected,
        is_new_enrollee,
        is_between_routes,
        false as has_no_insured,
        fits_name and fits_kana as fits_names,
        has_damaged_name or has_damaged_kana as has_damaged_names,
        has_no_kana
    from people
    where is_insured
    union all
    select
        people.member_key,
        people.household_key,
        people.has_lost_membership or coalesce(insured.has_lost_membership, false) as has_lost_membership,
        people.has_reached_75 or coalesce(insured.has_reached_75, false) as has_reached_75,
        people.is_protected or coalesce(insured.is_protected, false) as is_protected,
        people.is_new_enrollee,
        people.is_between_routes,
        insured.household_key is null as has_no_insured,
        people.fits_name and people.fits_kana and coalesce(insured.fits_name, true) as fits_names,
        people.has_damaged_name
        or people.has_damaged_kana
        or coalesce(insured.has_damaged_name, false) as has_damaged_names,
        people.has_no_kana or coalesce(insured.has_no_kana, false) as has_no_kana
    from people
    left join insured on people.household_key = insured.household_key
    where not people.is_insured
),

cards as (
    select
        card_rows.member_key,
        {{ card_need('campaign.snapshot_as_of', cards='card_rows') }} as need
    from card_rows
    cross join campaign
),

card_rejects as (
    select distinct row_key as member_key
    from rejects
    where file = 'my_number_cards' and row_key is not null
),

certificates_elsewhere as (
    select distinct issued_certificates.member_key
    from issued_certificates
    cross join campaign
    where {{ lives_on('campaign.snapshot_as_of', 'issued_certificates') }}
),

with_card as (
    select
        with_insured.*,
        certificates_elsewhere.member_key is not null as has_certificate_elsewhere,
        case when cards.member_key is null then 'no_card' else cards.need end as need,
        card_rejects.member_key is not null and cards.member_key is null as has_rejected_card
    from with_insured
    left join cards on with_insured.member_key = cards.member_key
    left join card_rejects on with_insured.member_key = card_rejects.member_key
    left join certificates_elsewhere on with_insured.member_key = certificates_elsewhere.member_key
),

with_usability as (
    select
        with_card.*,
        with_card.need is null
        or (with_card.need = 'certificate_in_grace' and not campaign.mail_in_grace) as is_card_usable
    from with_card
    cross join campaign
),

judged as (
    select
        *,
        {{ first_line(lines) }} as matched_line
    from with_usability
),

final as (
    select
        judged.member_key,
        judged.household_key,
        judged.matched_line::decimal(3, 1) as matched_line,
        -- A released hold runs through the lines after it again (rules: what becomes of each row).
        case
            when
                (judged.matched_line = 4 and decisions.releases_protection)
                or (judged.matched_line in (5, 6, 7) and decisions.is_released)
                then {{ first_line(lines, after='judged.matched_line') }}
            else judged.matched_line
        end::decimal(3, 1) as line_after_release,
        coalesce(decisions.is_released, false) as is_released,
        coalesce(decisions.is_excluded, false) as is_excluded_by_person,
        judged.need,
        judged.fits_names,
        judged.has_damaged_names,
        judged.has_no_kana
    from judged
    left join decisions on judged.member_key = decisions.member_key
)

select * from final
