{%- set lines = [
    (9, 'is_overseas'),
    (10, 'is_address_missing'),
    (11, 'is_damaged'),
    (12, 'has_no_kana'),
    (13, 'is_unprintable'),
    (14, 'is_held_at_employer'),
] -%}

-- Read twice, for other columns each time: a copy of all rows in memory would cost more than the second scan.
with judged as not materialized (
    select * from {{ ref('int_members_judged') }}
),

addresses as (
    select * from {{ ref('stg_register__addresses') }}
),

employers as (
    select * from {{ ref('stg_register__employers') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- Text is looked at only where lines 1 to 8 leave someone to write to.
open_households as (
    select distinct household_key
    from judged
    where matched_line is null or line_after_release is null
),

open_addresses as (
    select addresses.*
    from addresses
    semi join open_households on addresses.household_key = open_households.household_key
),

address_verdicts as (
    select
        open_addresses.household_key,
        {{ is_abroad('open_addresses.country') }} as is_overseas,
        {{ is_address_missing('open_addresses') }} as is_address_missing,
        {{ is_damaged('open_addresses.address') }} or {{ is_damaged('open_addresses.building') }} as is_damaged,
        {{ all_fit_print([
            ('open_addresses.address', 'campaign.max_address_width'),
            ('open_addresses.building', 'campaign.max_building_width'),
        ]) }} as fits_address,
        {{ comparable_address('open_addresses.address') }} as compared_address
    from open_addresses
    cross join campaign
),

employer_addresses as (
    select distinct {{ comparable_address('address') }} as compared_address
    from employers
    where not {{ is_blank('address') }}
),

household_verdicts as (
    select
        address_verdicts.household_key,
        address_verdicts.is_overseas,
        address_verdicts.is_address_missing,
        address_verdicts.fits_address,
        address_verdicts.is_damaged,
        employer_addresses.compared_address is not null as address_is_employer
    from address_verdicts
    left join employer_addresses on address_verdicts.compared_address = employer_addresses.compared_address
),

with_address as (
    select
        judged.* exclude (has_no_kana),
        coalesce(judged.has_no_kana, false) as has_no_kana,
        coalesce(judged.has_damaged_names, false) or coalesce(household_verdicts.is_damaged, false) as is_damaged,
        coalesce(household_verdicts.is_overseas, false) as is_overseas,
        coalesce(household_verdicts.is_address_missing, true) as is_address_missing,
        not judged.fits_names or not coalesce(household_verdicts.fits_address, true) as is_unprintable,
        coalesce(household_verdicts.address_is_employer, false) as address_is_employer,
        coalesce(household_verdicts.address_is_employer, false)
        and campaign.hold_when_address_is_employer as is_held_at_employer
    from judged
    cross join campaign
    left join household_verdicts on judged.household_key = household_verdicts.household_key
),

with_line as (
    select
        *,
        coalesce(matched_line, {{ first_line(lines) }}) as final_line,
        coalesce(line_after_release, {{ first_line(lines) }}) as open_line
    from with_address
),

with_effective_line as (
    select
        *,
        case
            when is_released and matched_line is null and final_line >= 9
                then {{ first_line(lines, after='final_line') }}
            else open_line
        end as effective_line,
        -- Whom the rules exclude stays excluded for the rule's own reason.
        is_excluded_by_person and coalesce(final_line not in (1, 2, 3, 8, 8.5), true) as is_taken_out
    from with_line
),

final as (
    select
        member_key,
        household_key,
        {{ prefecture_of('member_key', of='member') }} as prefecture,
        {{ disposition_of_line('final_line') }} as disposition,
        coalesce({{ reason_of_line('final_line') }}, need) as reason_code,
        case when final_line is null then need end as need,
        case
            when is_taken_out then 'excluded'
            else {{ disposition_of_line('effective_line') }}
        end as effective_disposition,
        case
            when is_taken_out then 'decided_excluded'
            else coalesce({{ reason_of_line('effective_line') }}, need)
        end as effective_reason_code,
        case when effective_line is null and not is_taken_out then need end as effective_need,
        address_is_employer,
        coalesce(final_line = 2, false) as reached_75_warning
    from with_effective_line
)

select * from final
