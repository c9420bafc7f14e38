-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with pieces as not materialized (
    select * from {{ ref('int_pieces_tracked') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

list_lines as (
    select * from {{ ref('stg_plans__list_lines') }}
),

members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

rejects as (
    select * from {{ ref('stg_newest_register__rejects') }}
),

people_held as (
    select * from {{ ref('int_people_held') }}
),

-- What may leave at any hour and is not reported yet. What needs a release and has none is re-checked by it.
pieces_out as (
    select
        pieces.envelope_id,
        pieces.frozen_envelope_id,
        pieces.lot_id,
        pieces.lot_kind,
        pieces.plan_kind,
        pieces.posting_date,
        pieces.pull_plan_id,
        coalesce(pull_plans.plan_kind = 'pull', false) as is_listed
    from pieces
    inner join lots on pieces.lot_id = lots.lot_id
    left join plans as pull_plans on pieces.pull_plan_id = pull_plans.plan_id
    where
        lots.is_released
        and pieces.bundle_id is null
        and pieces.print_event_on is null
        and pieces.returned_on is null
        and (pieces.is_live or coalesce(pull_plans.plan_kind = 'pull', false))
),

-- Who is in each piece: a household's envelope, a bundle made on request, a bundle of what came back, a list.
in_envelopes as (
    select
        pieces_out.envelope_id,
        certificates.certificate_id,
        certificates.member_key
    from pieces_out
    inner join certificates on pieces_out.envelope_id = certificates.envelope_id
),

packets as (
    select
        envelope_id,
        bundle_id
    from pieces
    where bundle_id is not null
),

in_bundles as (
    select
        pieces_out.envelope_id,
        certificates.certificate_id,
        certificates.member_key
    from pieces_out
    inner join packets on pieces_out.frozen_envelope_id = packets.bundle_id
    inner join certificates on packets.envelope_id = certificates.envelope_id
),

in_follow_ups as (
    select
        pieces_out.envelope_id,
        follow_ups.certificate_id,
        follow_ups.member_key
    from pieces_out
    inner join follow_ups on pieces_out.frozen_envelope_id = follow_ups.bundle_id
    where follow_ups.outcome = 'employer_bundle'
),

in_lists as (
    select
        pieces_out.envelope_id,
        null as certificate_id,
        list_lines.member_key
    from pieces_out
    inner join list_lines on pieces_out.frozen_envelope_id = list_lines.list_id
),

people as (
    select * from in_envelopes
    union all
    select * from in_bundles
    union all
    select * from in_follow_ups
    union all
    select * from in_lists
),

-- The newest row says so, or is rejected and cannot be read as saying no.
protected_rows as (
    select member_key
    from members
    where protected
    union
    select rejects.row_key as member_key
    from rejects
    anti join members on rejects.row_key = members.member_key
    where
        rejects.file = 'members'
        and rejects.row_key is not null
        and rejects.protected_readable is distinct from false
),

flagged as (
    select
        people.*,
        case
            when own.member_key is not null or insured.member_key is not null then 'address_protected'
            when people_held.member_key is not null then 'by_person'
        end as reason_code
    from people
    left join protected_rows as own on people.member_key = own.member_key
    left join protected_rows as insured
        on {{ insured_of_household(household_of_member('people.member_key')) }} = insured.member_key
    left join people_held on people.member_key = people_held.member_key
),

pieces_to_pull as (
    select distinct envelope_id
    from flagged
    where reason_code is not null
),

final as (
    select
        pieces_out.envelope_id,
        pieces_out.lot_id,
        pieces_out.lot_kind,
        pieces_out.posting_date,
        flagged.certificate_id,
        flagged.member_key,
        coalesce(flagged.reason_code, 'packed_anew') as reason_code,
        case when flagged.reason_code is null then 'planned_again' else 'held' end as outcome,
        flagged.reason_code as outcome_reason_code,
        pieces_out.is_listed
    from pieces_out
    semi join pieces_to_pull on pieces_out.envelope_id = pieces_to_pull.envelope_id
    inner join flagged on pieces_out.envelope_id = flagged.envelope_id
)

select * from final
