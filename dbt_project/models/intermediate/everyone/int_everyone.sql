-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with newest_members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

newest_cards as not materialized (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

landed_members as not materialized (
    select * from {{ ref('stg_landed__members') }}
),

landed_rejects as (
    select * from {{ ref('stg_landed__member_rejects') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

certificates_elsewhere as (
    select * from {{ ref('int_certificates_elsewhere') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

waiting as (
    select * from {{ ref('int_people_waiting') }}
),

requests as (
    select * from {{ ref('int_requests_judged') }}
),

rolling_due as (
    select * from {{ ref('int_rolling_due') }}
),

evaluated as (
    select * from {{ ref('int_members_standing') }}
),

decisions as (
    select * from {{ ref('int_decisions_latest') }}
),

parameters as (
    select * from {{ ref('stg_campaign') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select
        parameters.*,
        run_context.as_of,
        {{ reached_75_when_born_by('run_context.as_of', campaign='parameters') }} as reached_75_when_born_by
    from parameters
    cross join run_context
),

drops as (
    select distinct
        registers.as_of,
        registers.kind
    from registers
    cross join run_context
    where registers.as_of <= run_context.as_of
),

newest_full as (
    select max(as_of) as as_of
    from drops
    where kind = 'full'
),

-- 1. Whose newest row is rejected. A copy of a row that was accepted in the same drop harms nothing.
rejected_keys as (
    select
        landed_rejects.member_key,
        max(landed_rejects.as_of) as rejected_as_of
    from landed_rejects
    semi join drops on landed_rejects.as_of = drops.as_of
    where landed_rejects.member_key is not null
    group by landed_rejects.member_key
),

accepted_again as (
    select
        landed_members.member_key,
        max(landed_members.as_of) as accepted_as_of
    from landed_members
    semi join rejected_keys on landed_members.member_key = rejected_keys.member_key
    semi join drops on landed_members.as_of = drops.as_of
    group by landed_members.member_key
),

-- Only what can be read as false is no protection (rules: a rejected row still protects).
rejected as (
    select
        rejected_keys.member_key,
        bool_or(landed_rejects.protected_readable is distinct from false) as is_protected
    from rejected_keys
    inner join landed_rejects
        on
            rejected_keys.member_key = landed_rejects.member_key
            and rejected_keys.rejected_as_of = landed_rejects.as_of
    left join accepted_again on rejected_keys.member_key = accepted_again.member_key
    where accepted_again.member_key is null or accepted_again.accepted_as_of < rejected_keys.rejected_as_of
    group by rejected_keys.member_key
),

-- 2. Whom an earlier drop had and the newest register has not.
earlier_rows as (
    select landed_members.*
    from landed_members
    semi join drops on landed_members.as_of = drops.as_of
    anti join newest_members on landed_members.member_key = newest_members.member_key
    where landed_members.as_of < (select newest_full.as_of from newest_full)
),

last_rows as (
    select
        member_key,
        arg_max(struct_pack(lost_on := lost_on, birth_date := birth_date, protected := protected), as_of) as last_row
    from earlier_rows
    group by member_key
),

missing as (
    select
        last_rows.member_key,
        last_rows.last_row.protected as is_protected
    from last_rows
    cross join campaign
    anti join rejected on last_rows.member_key = rejected.member_key
    where
        coalesce(last_rows.last_row.lost_on > campaign.as_of, true)
        and last_rows.last_row.birth_date > campaign.reached_75_when_born_by
),

-- 3. Members of the newest register. Few insured people left, turned 75 or are protected, so joining only them costs
-- little beside joining the register with itself.
households_over as (
    select {{ household_of_member('newest_members.member_key') }} as household_key
    from newest_members
    cross join campaign
    where
        {{ suffix_of('newest_members.member_key') }} = 0
        and (
            newest_members.lost_on <= campaign.as_of
            or newest_members.birth_date <= campaign.reached_75_when_born_by
        )
),

households_protected as (
    select {{ household_of_member('member_key') }} as household_key
    from newest_members
    where {{ suffix_of('member_key') }} = 0 and protected
    union
    select {{ household_of_member('member_key') }} as household_key
    from rejected
    where {{ suffix_of('member_key') }} = 0 and is_protected
    union
    select {{ household_of_member('member_key') }} as household_key
    from missing
    where {{ suffix_of('member_key') }} = 0 and is_protected
),

present as (
    select
        newest_members.member_key,
        newest_members.protected as is_protected,
        newest_members.decided_on
    from newest_members
    cross join campaign
    anti join households_over on {{ household_of_member('newest_members.member_key') }} = households_over.household_key
    where
        coalesce(newest_members.lost_on > campaign.as_of, true)
        and newest_members.birth_date > campaign.reached_75_when_born_by
),

people as (
    select
        member_key,
        'accepted' as row_state,
        is_protected,
        decided_on
    from present
    union all
    select
        member_key,
        'missing' as row_state,
        is_protected,
        null as decided_on
    from missing
    union all
    select
        member_key,
        'rejected' as row_state,
        is_protected,
        null as decided_on
    from rejected
),

-- What each person has and waits for, a row a person and source at most.
cards_that_work as (
    select
        newest_cards.member_key,
        {{ card_need('campaign.as_of', cards='newest_cards') }} as need
    from newest_cards
    cross join campaign
    where need is null or need = 'certificate_in_grace'
),

live_certificates as (
    select
        certificates.member_key,
        arg_max(
            struct_pack(
                status := certificates.status, reason_code := certificates.reason_code, lot_status := lots.status
            ),
            (certificates.has_left, certificates.status_on, certificates.certificate_id)
        ) as newest
    from certificates
    left join lots on certificates.lot_id = lots.lot_id
    where certificates.is_live
    group by certificates.member_key
),

-- What another system issued is in hand as much as what we did.
served_elsewhere as (
    select distinct certificates_elsewhere.member_key
    from certificates_elsewhere
    cross join campaign
    where {{ lives_on('campaign.as_of', 'certificates_elsewhere') }}
),

ended_certificates as (
    select
        member_key,
        bool_or(coalesce(reason_code = 'returned_by_member', false)) as is_given_back,
        arg_max(coalesce(reason_code, status), (status_on, certificate_id)) as reason_code
    from certificates
    where not is_live
    group by member_key
),

asked as (
    select
        member_key,
        bool_or(outcome = 'issue' and not is_decided) as is_requested,
        bool_or(outcome = 'refused') as is_refused,
        min(reason_code) filter (where outcome = 'held') as hold_code
    from requests
    group by member_key
),

due as (
    select
        member_key,
        bool_or(outcome = 'issue') as is_due,
        any_value(route) as route,
        min(reason_code) filter (where outcome = 'held') as hold_code
    from rolling_due
    group by member_key
),

taken_out as (
    select member_key
    from evaluated
    where effective_reason_code = 'decided_excluded'
),

protection_released as (
    select member_key
    from decisions
    where releases_protection
),

first_plan as (
    select count(*) > 0 as is_frozen
    from plans
    where plan_kind = 'home' and not is_voided
),

gathered as (
    select
        people.member_key,
        people.row_state,
        people.decided_on,
        people.is_protected or households_protected.household_key is not null as is_protected,
        cards_that_work.member_key is not null as has_working_card,
        coalesce(cards_that_work.need, 'usable') as card_code,
        live_certificates.newest.status as live_status,
        live_certificates.newest.reason_code as live_reason_code,
        live_certificates.newest.lot_status,
        served_elsewhere.member_key is not null as is_served_elsewhere,
        ended_certificates.is_given_back,
        ended_certificates.reason_code as ended_reason_code,
        -- A lot takes nobody whose row is missing or rejected, and nobody protected whom two people have not released.
        people.row_state = 'accepted'
        and (
            not (people.is_protected or households_protected.household_key is not null)
            or protection_released.member_key is not null
        )
        and coalesce(
            waiting.stage = 'not_planned'
            and (waiting.reason_code = 'released_and_waiting' or not first_plan.is_frozen),
            false
        ) as is_pending,
        coalesce(asked.is_requested, false) as is_requested,
        coalesce(due.is_due, false) as is_due,
        due.route as due_route,
        coalesce(asked.hold_code, due.hold_code) as hold_code,
        coalesce(asked.is_refused, false) as is_refused,
        waiting.stage as waiting_stage,
        waiting.reason_code as waiting_code,
        taken_out.member_key is not null as is_taken_out
    from people
    cross join first_plan
    left join households_protected
        on {{ household_of_member('people.member_key') }} = households_protected.household_key
    left join cards_that_work on people.member_key = cards_that_work.member_key
    left join live_certificates on people.member_key = live_certificates.member_key
    left join served_elsewhere on people.member_key = served_elsewhere.member_key
    left join ended_certificates on people.member_key = ended_certificates.member_key
    left join asked on people.member_key = asked.member_key
    left join due on people.member_key = due.member_key
    left join waiting on people.member_key = waiting.member_key
    left join taken_out on people.member_key = taken_out.member_key
    left join protection_released on people.member_key = protection_released.member_key
),

-- The lines of rules, everyone on any day; first match wins.
in_lines as (
    select
        *,
        case
            when has_working_card and not is_protected then 'able'
            when live_status in ('posted', 'delivered', 'at_employer') or is_served_elsewhere then 'in_hand'
            when live_status in ('planned', 'handed_off') or is_pending or is_requested or is_due then 'on_the_way'
            else 'without'
        end as line,
        case
            when live_status in ('planned', 'handed_off') and lot_status in ('withheld', 'stopped') then 'stopped_lot'
            when live_status in ('planned', 'handed_off') then live_status
            when is_pending then 'pending_in_next_plan'
            when is_requested then 'requested'
            when due_route = 'decided' then 'decided_due'
            else 'rolling_due'
        end as way_code
    from gathered
),

final as (
    select
        in_lines.member_key,
        in_lines.line,
        case in_lines.line
            when 'able' then in_lines.card_code
            when 'in_hand'
                then case
                    when in_lines.live_status in ('posted', 'delivered', 'at_employer') then in_lines.live_status
                    else 'issued_elsewhere'
                end
            when 'on_the_way' then in_lines.way_code
            else case
                when in_lines.live_status in ('returned', 'at_branch_desk') then in_lines.live_status
                when in_lines.live_status is not null then coalesce(in_lines.live_reason_code, in_lines.live_status)
                when in_lines.row_state = 'rejected' then 'row_rejected'
                when in_lines.row_state = 'missing' then 'row_missing'
                when in_lines.is_protected then 'address_protected'
                when in_lines.waiting_stage = 'at_branch_desk' then 'at_branch_desk'
                when in_lines.waiting_stage in ('held', 'pulled_and_held') and in_lines.waiting_code is not null
                    then in_lines.waiting_code
                when in_lines.hold_code is not null then in_lines.hold_code
                when in_lines.is_given_back then 'given_back'
                when in_lines.is_taken_out then 'decided_excluded'
                when in_lines.waiting_stage = 'not_planned' then 'not_planned'
                when in_lines.ended_reason_code is not null then in_lines.ended_reason_code
                when
                    in_lines.decided_on > campaign.enrolled_through
                    and in_lines.decided_on < campaign.new_enrollee_from
                    then 'between_routes'
                when in_lines.is_refused then 'request_refused'
                when in_lines.decided_on >= campaign.new_enrollee_from then 'no_request_filed'
                else 'no_route'
            end
        end as reason_code
    from in_lines
    cross join campaign
)

select * from final
