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
    (9, 'is_overseas'),
    (10, 'is_address_missing'),
    (11, 'is_damaged'),
    (12, 'has_no_kana'),
    (13, 'is_unprintable'),
    (14, 'is_held_at_employer'),
] -%}
{#- Who was pulled for a missing row was a target before: enrolment, need and card are settled. -#}
{%- set lines_of_pulled = lines | rejectattr(0, 'in', [3, 5, 6, 7, 8, 8.5]) | list -%}

with events as (
    select
        *,
        row_number() over (order by member_key, cause, judged_on) as event_no
    from {{ ref('int_late_events') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
landed_members as not materialized (
    select * from {{ ref('stg_landed__members') }}
),

issued_certificates as (
    select * from {{ ref('stg_register__issued_certificates') }}
),

landed_cards as (
    select * from {{ ref('stg_landed__my_number_cards') }}
),

landed_addresses as (
    select * from {{ ref('stg_landed__addresses') }}
),

rejected_keys as (
    select * from {{ ref('stg_landed__rejected_keys') }}
),

employers as (
    select * from {{ ref('stg_register__employers') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

decisions as (
    select * from {{ ref('int_decisions_latest') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

drops as (
    select distinct
        as_of,
        kind
    from registers
),

event_days as (
    select distinct judged_on
    from events
),

-- The newest register of a drop's day begins with its newest full drop.
registers_of_days as (
    select
        event_days.judged_on,
        max(drops.as_of) as full_on
    from event_days
    inner join drops on event_days.judged_on >= drops.as_of and drops.kind = 'full'
    group by event_days.judged_on
),

looked_up as (
    select
        events.event_no,
        events.judged_on,
        registers_of_days.full_on,
        events.member_key,
        events.household_key,
        {{ insured_of_household('events.household_key') }} as insured_key
    from events
    inner join registers_of_days on events.judged_on = registers_of_days.judged_on
),

-- The files are read once, and only what is about these people is kept.
people as (
    select member_key from looked_up
    union
    select insured_key as member_key from looked_up
),

member_rows as materialized (
    select landed_members.*
    from landed_members
    semi join people on landed_members.member_key = people.member_key
    semi join drops on landed_members.as_of = drops.as_of
),

card_rows as materialized (
    select landed_cards.*
    from landed_cards
    semi join looked_up on landed_cards.member_key = looked_up.member_key
    semi join drops on landed_cards.as_of = drops.as_of
),

address_rows as materialized (
    select landed_addresses.*
    from landed_addresses
    semi join looked_up on landed_addresses.household_key = looked_up.household_key
    semi join drops on landed_addresses.as_of = drops.as_of
),

-- A row that a later drop rejected is used no more, as in the newest register.
own_rows as (
    select
        looked_up.event_no,
        member_rows.*
    from looked_up
    inner join member_rows
        on
            looked_up.member_key = member_rows.member_key
            and member_rows.as_of between looked_up.full_on and looked_up.judged_on
    qualify row_number() over (partition by looked_up.event_no order by member_rows.as_of desc) = 1
),

insured_rows as (
    select
        looked_up.event_no,
        member_rows.*
    from looked_up
    inner join member_rows
        on
            looked_up.insured_key = member_rows.member_key
            and member_rows.as_of between looked_up.full_on and looked_up.judged_on
    qualify row_number() over (partition by looked_up.event_no order by member_rows.as_of desc) = 1
),

household_rows as (
    select
        looked_up.event_no,
        address_rows.*
    from looked_up
    inner join address_rows
        on
            looked_up.household_key = address_rows.household_key
            and address_rows.as_of between looked_up.full_on and looked_up.judged_on
    qualify row_number() over (partition by looked_up.event_no order by address_rows.as_of desc) = 1
),

-- The need is that of the first accepted card row, whatever came later.
cards as (
    select
        looked_up.event_no,
        card_rows.*
    from looked_up
    inner join card_rows
        on looked_up.member_key = card_rows.member_key and looked_up.judged_on >= card_rows.as_of
    qualify row_number() over (partition by looked_up.event_no order by card_rows.as_of) = 1
),

looked_up_keys as (
    select
        event_no,
        judged_on,
        full_on,
        'members' as file,
        'member' as role,
        member_key as row_key
    from looked_up
    union all
    select
        event_no,
        judged_on,
        full_on,
        'members' as file,
        'insured' as role,
        insured_key as row_key
    from looked_up
    union all
    select
        event_no,
        judged_on,
        full_on,
        'addresses' as file,
        'address' as role,
        household_key as row_key
    from looked_up
    union all
    select
        event_no,
        judged_on,
        full_on,
        'my_number_cards' as file,
        'card' as role,
        member_key as row_key
    from looked_up
),

rejections as (
    select
        looked_up_keys.event_no,
        max(rejected_keys.as_of) filter (where looked_up_keys.role = 'member') as member_rejected_on,
        max(rejected_keys.as_of) filter (where looked_up_keys.role = 'insured') as insured_rejected_on,
        max(rejected_keys.as_of) filter (where looked_up_keys.role = 'address') as address_rejected_on,
        max(rejected_keys.as_of) filter (where looked_up_keys.role = 'card') as card_rejected_on
    from looked_up_keys
    inner join rejected_keys
        on
            looked_up_keys.file = rejected_keys.file
            and looked_up_keys.row_key = rejected_keys.row_key
            and rejected_keys.as_of between looked_up_keys.full_on and looked_up_keys.judged_on
    semi join drops on rejected_keys.as_of = drops.as_of
    group by looked_up_keys.event_no
),

-- Joined by keys alone: a query with the campaign in it, which is joined by nothing, lets the planner pair every row
-- with every address.
beside_drop as (
    select
        events.event_no,
        events.member_key,
        events.household_key,
        events.cause,
        events.judged_on,
        events.insured_accepted_on,
        events.card_accepted_on,
        events.household_accepted_on,
        own_rows.member_key is not null
        and coalesce(rejections.member_rejected_on <= own_rows.as_of, true) as has_row,
        own_rows.birth_date,
        own_rows.lost_on,
        own_rows.decided_on,
        own_rows.protected,
        own_rows.name,
        own_rows.name_kana,
        insured_rows.member_key is not null
        and coalesce(rejections.insured_rejected_on <= insured_rows.as_of, true) as has_insured,
        insured_rows.birth_date as insured_birth_date,
        insured_rows.lost_on as insured_lost_on,
        insured_rows.protected as insured_protected,
        insured_rows.name as insured_name,
        insured_rows.name_kana as insured_kana,
        household_rows.household_key is not null
        and coalesce(rejections.address_rejected_on <= household_rows.as_of, true) as has_address,
        household_rows.postal_code,
        household_rows.address,
        household_rows.building,
        household_rows.country,
        cards.member_key is not null as has_card_row,
        rejections.card_rejected_on is not null and cards.member_key is null as has_rejected_card,
        cards.has_card,
        cards.number_filed,
        cards.registered,
        cards.certificate_expires_on,
        cards.registration_cancelled_on
    from events
    left join own_rows on events.event_no = own_rows.event_no
    left join insured_rows on events.event_no = insured_rows.event_no
    left join household_rows on events.event_no = household_rows.event_no
    left join cards on events.event_no = cards.event_no
    left join rejections on events.event_no = rejections.event_no
),

-- Few addresses are looked at, so employers are asked for these alone.
compared_addresses as (
    select
        beside_drop.event_no,
        {{ comparable_address('beside_drop.address') }} as compared_address
    from beside_drop
    where beside_drop.has_address
),

employers_alike as (
    select distinct compared_addresses.event_no
    from employers
    inner join compared_addresses
        on {{ comparable_address('employers.address') }} = compared_addresses.compared_address
    where not {{ is_blank('employers.address') }}
),

-- Lines 1 and 2 are of the drop's day, the others as at the snapshot (rules: what becomes of each row).
certificates_elsewhere as (
    select distinct issued_certificates.member_key
    from issued_certificates
    cross join campaign
    where {{ lives_on('campaign.snapshot_as_of', 'issued_certificates') }}
),

-- Apart from what reads it: a query pays for the printable characters at each place where the planner puts them.
printed as (
    select
        beside_drop.event_no,
        {{ all_fit_print([
            ('beside_drop.insured_name', 'campaign.max_name_width'),
            ('beside_drop.name', 'campaign.max_name_width'),
            ('beside_drop.name_kana', 'campaign.max_name_width'),
            ('beside_drop.address', 'campaign.max_address_width'),
            ('beside_drop.building', 'campaign.max_building_width'),
        ]) }} as fits_print
    from beside_drop
    cross join campaign
),

looked_at as (
    select
        beside_drop.*,
        coalesce(beside_drop.lost_on <= beside_drop.judged_on, false)
        or coalesce(beside_drop.has_insured and beside_drop.insured_lost_on <= beside_drop.judged_on, false)
            as has_lost_membership,
        {{ birthday_75('beside_drop.birth_date') }} <= beside_drop.judged_on
        or coalesce(
            beside_drop.has_insured and {{ birthday_75('beside_drop.insured_birth_date') }} <= beside_drop.judged_on,
            false
        ) as has_reached_75,
        beside_drop.decided_on >= campaign.new_enrollee_from as is_new_enrollee,
        beside_drop.protected or coalesce(beside_drop.has_insured and beside_drop.insured_protected, false)
            as is_protected,
        beside_drop.decided_on > campaign.enrolled_through
        and beside_drop.decided_on < campaign.new_enrollee_from as is_between_routes,
        not beside_drop.has_insured as has_no_insured,
        case
            when not beside_drop.has_card_row then 'no_card'
            else {{ card_need('campaign.snapshot_as_of', cards='beside_drop') }}
        end as need,
        beside_drop.has_address and {{ is_abroad('beside_drop.country') }} as is_overseas,
        not beside_drop.has_address or {{ is_address_missing('beside_drop') }} as is_address_missing,
        {{ is_damaged_name('beside_drop.name') }}
        or {{ is_damaged_name('beside_drop.name_kana') }}
        or (beside_drop.has_insured and {{ is_damaged_name('beside_drop.insured_name') }})
        or {{ is_damaged('beside_drop.address') }}
        or {{ is_damaged('beside_drop.building') }} as is_damaged,
        {{ is_blank('beside_drop.name_kana') }}
        or (beside_drop.has_insured and {{ is_blank('beside_drop.insured_kana') }}) as has_no_kana,
        printed.fits_print,
        certificates_elsewhere.member_key is not null as has_certificate_elsewhere,
        employers_alike.event_no is not null as address_is_employer,
        employers_alike.event_no is not null and campaign.hold_when_address_is_employer as is_held_at_employer,
        campaign.mail_in_grace
    from beside_drop
    inner join printed on beside_drop.event_no = printed.event_no
    cross join campaign
    left join employers_alike on beside_drop.event_no = employers_alike.event_no
    left join certificates_elsewhere on beside_drop.member_key = certificates_elsewhere.member_key
    where
        beside_drop.has_row
        -- Nobody is addressed without the insured's row: who was pulled for it waits on.
        and (beside_drop.cause <> 'row_missing' or beside_drop.has_insured)
),

with_usability as (
    select
        *,
        not fits_print as is_unprintable,
        need is null or (need = 'certificate_in_grace' and not mail_in_grace) as is_card_usable
    from looked_at
),

with_line as (
    select
        *,
        case
            when cause = 'row_missing' then {{ first_line(lines_of_pulled) }}
            else {{ first_line(lines) }}
        end as line
    from with_usability
),

-- A hold whose row comes in a later drop is judged by that one; of a person pulled the first drop counts.
counted as (
    select *
    from with_line
    where
        not coalesce(
            (line = 6 and insured_accepted_on > judged_on)
            or (line = 7 and card_accepted_on > judged_on)
            or (line = 10 and household_accepted_on > judged_on),
            false
        )
    qualify row_number() over (partition by member_key, cause order by judged_on) = 1
),

with_decision as (
    select
        counted.*,
        case
            when counted.cause = 'row_missing' then counted.line
            when
                (counted.line = 4 and decisions.releases_protection)
                or (counted.line in (5, 6, 7) and decisions.is_released)
                or (counted.line >= 9 and decisions.is_released)
                then {{ first_line(lines, after='counted.line') }}
            else counted.line
        end as effective_line,
        -- Whom the rules exclude stays excluded for the rule's own reason.
        coalesce(decisions.is_excluded, false)
        and coalesce(counted.line not in (1, 2, 3, 8, 8.5), true) as is_taken_out
    from counted
    left join decisions on counted.member_key = decisions.member_key
),

final as (
    select
        member_key,
        household_key,
        {{ prefecture_of('member_key', of='member') }} as prefecture,
        cause,
        judged_on,
        {{ disposition_of_line('line') }} as disposition,
        coalesce({{ reason_of_line('line') }}, need) as reason_code,
        case when is_taken_out then 'excluded' else {{ disposition_of_line('effective_line') }} end
            as effective_disposition,
        case
            when is_taken_out then 'decided_excluded'
            else coalesce({{ reason_of_line('effective_line') }}, need)
        end as effective_reason_code,
        case when effective_line is null and not is_taken_out then need end as effective_need,
        address_is_employer,
        coalesce(line = 2, false) as reached_75_warning
    from with_decision
)

select * from final
