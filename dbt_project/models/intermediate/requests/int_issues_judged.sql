with requests as (
    select * from {{ ref('stg_feeds__issue_requests') }}
),

request_outcomes as (
    select * from {{ ref('stg_plans__request_outcomes') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

became_unable as (
    select * from {{ ref('int_became_unable') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

certificates_elsewhere as (
    select * from {{ ref('int_certificates_elsewhere') }}
),

decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
),

decisions_latest as (
    select * from {{ ref('int_decisions_latest') }}
),

cards_at_snapshot as not materialized (
    select * from {{ ref('stg_register__my_number_cards') }}
),

members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

cards as (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

rejects as (
    select * from {{ ref('stg_newest_register__rejects') }}
),

employers as (
    select * from {{ ref('int_employers_judged') }}
),

run_context as (
    select
        *,
        coalesce(posting_date, run_on, as_of) as judged_for
    from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- Issued in a lot that can never be posted, or in a piece that an urgent pull stopped: nobody got it.
undone as (
    select distinct
        plan_id,
        member_key
    from certificates
    where
        plan_kind = 'request'
        and (
            (status = 'superseded' and reason_code in ('lot_rejected', 'lot_destroyed'))
            or (status = 'pulled' and is_pulled_urgently)
        )
),

-- What a run issued or refused is never judged again; what it held is, and what it issued in vain.
decided as (
    select distinct request_outcomes.request_id
    from request_outcomes
    inner join plans on request_outcomes.plan_id = plans.plan_id
    left join undone
        on request_outcomes.plan_id = undone.plan_id and request_outcomes.member_key = undone.member_key
    where
        not plans.is_voided
        and request_outcomes.outcome <> 'held'
        and not (request_outcomes.outcome = 'issue' and undone.member_key is not null)
),

open_requests as (
    select requests.*
    from requests
    anti join decided on requests.request_id = decided.request_id
    -- A request that is delivered in a second file is still one request.
    qualify row_number() over (
        partition by requests.request_id
        order by requests.received_on, requests.source_file, requests.row_number
    ) = 1
),

-- Whom a person decided to serve, though no other line does (rules, other routes: decided).
decided_to_issue as (
    select
        decisions.member_key,
        max(decisions.decided_on) as decided_on
    from decisions
    cross join campaign
    where decisions.decision = 'issue' and decisions.decided_on >= campaign.snapshot_as_of
    group by decisions.member_key
),

-- Such a decision is carried out once, unless what came of it lay in a lot that can never be posted.
carried_out as (
    select distinct decided_to_issue.member_key
    from decided_to_issue
    inner join certificates on decided_to_issue.member_key = certificates.member_key
    inner join plans on certificates.plan_id = plans.plan_id
    where
        certificates.is_live
        or (
            plans.frozen_on >= decided_to_issue.decided_on
            and coalesce(certificates.reason_code not in ('lot_rejected', 'lot_destroyed'), true)
            and not coalesce(certificates.is_pulled_urgently, false)
        )
),

candidates as (
    select
        'request' as route,
        request_id,
        member_key,
        kind,
        requested_on as needed_on,
        requested_on as needed_since,
        {{ household_of_member('member_key') }} as household_key
    from open_requests
    union all
    select
        'rolling' as route,
        null as request_id,
        became_unable.member_key,
        'rolling' as kind,
        run_context.judged_for as needed_on,
        campaign.snapshot_as_of as needed_since,
        {{ household_of_member('became_unable.member_key') }} as household_key
    from became_unable
    cross join run_context
    cross join campaign
    union all
    select
        'decided' as route,
        null as request_id,
        decided_to_issue.member_key,
        'decided' as kind,
        run_context.judged_for as needed_on,
        decided_to_issue.decided_on as needed_since,
        {{ household_of_member('decided_to_issue.member_key') }} as household_key
    from decided_to_issue
    cross join run_context
    anti join carried_out on decided_to_issue.member_key = carried_out.member_key
    anti join became_unable on decided_to_issue.member_key = became_unable.member_key
),

-- A piece of the first plan that no release has taken up yet can still be pulled; any other is on its way.
live_certificates as (
    select
        certificates.member_key,
        max(certificates.certificate_id) as certificate_id,
        bool_and(certificates.route = 'home' and not certificates.has_left and not lots.is_in_release)
            as can_be_pulled
    from certificates
    inner join lots on certificates.lot_id = lots.lot_id
    semi join candidates on certificates.member_key = candidates.member_key
    where certificates.is_live
    group by certificates.member_key
),

served_elsewhere as (
    select distinct certificates_elsewhere.member_key
    from certificates_elsewhere
    cross join run_context
    semi join candidates on certificates_elsewhere.member_key = candidates.member_key
    where {{ lives_on('run_context.judged_for', 'certificates_elsewhere') }}
),

rejected_cards as (
    select distinct row_key as member_key
    from rejects
    where file = 'my_number_cards' and row_key is not null
),

rejected_rows as (
    select distinct row_key as member_key
    from rejects
    where file = 'members' and row_key is not null
),

-- What a person decided after the need arose; older decisions were about something else. To issue ends an exclusion.
decided_by_person as (
    select
        candidates.member_key,
        candidates.request_id,
        arg_max(decisions.decision, (decisions.decided_on, decisions.received_on, decisions.row_number))
        = 'exclude' as is_excluded,
        coalesce(
            arg_max(decisions.decision, (decisions.decided_on, decisions.received_on, decisions.row_number)) filter (
                where decisions.decision <> 'issue'
            ) = 'release',
            false
        ) as is_released
    from candidates
    inner join decisions on candidates.member_key = decisions.member_key
    where decisions.decision in ('release', 'exclude', 'issue') and decisions.decided_on >= candidates.needed_since
    group by all
),

gathered as (
    select
        candidates.*,
        members.member_key is null as is_missing,
        -- Nothing is known of them yet: the register is older than the form, or the row waits for its correction.
        coalesce(run_context.newest_register_as_of < candidates.needed_on, false)
        or rejected_rows.member_key is not null as is_not_known_yet,
        insured.member_key is null as has_no_insured,
        least(members.lost_on, insured.lost_on) as lost_on,
        least({{ birthday_75('members.birth_date') }}, {{ birthday_75('insured.birth_date') }}) as late_stage_care_on,
        coalesce(members.protected, false) or coalesce(insured.protected, false) as is_protected,
        members.decided_on >= campaign.new_enrollee_from as is_new_enrollee,
        rejected_cards.member_key is not null and cards.member_key is null as has_rejected_card,
        {{ card_need('candidates.needed_on') }} as card_need_code,
        card_need_code is null
        or (card_need_code = 'certificate_in_grace' and not campaign.mail_in_grace) as is_card_usable,
        live_certificates.certificate_id as live_certificate_id,
        coalesce(live_certificates.can_be_pulled, false) as can_be_pulled,
        served_elsewhere.member_key is not null as is_served_elsewhere,
        coalesce(decided_by_person.is_excluded, false) as is_excluded,
        coalesce(decided_by_person.is_released, false) as is_released,
        {{ card_need('campaign.snapshot_as_of', cards='cards_at_snapshot') }} as snapshot_need,
        members.decided_on > campaign.enrolled_through
        and members.decided_on < campaign.new_enrollee_from
        and snapshot_need is not null
        and (snapshot_need <> 'certificate_in_grace' or campaign.mail_in_grace)
        and not coalesce(decisions_latest.is_released, false) as is_between_routes,
        {{ is_abroad('addresses.country') }} as is_overseas,
        {{ is_address_missing('addresses') }} as is_address_missing,
        {{ is_damaged_name('insured.name') }}
        or {{ is_damaged_name('members.name') }}
        or {{ is_damaged_name('members.name_kana') }}
        or {{ is_damaged('addresses.address') }}
        or {{ is_damaged('addresses.building') }} as is_damaged,
        {{ is_blank('members.name_kana') }} or {{ is_blank('insured.name_kana') }} as has_no_kana,
        {{ all_fit_print([
            ('insured.name', 'campaign.max_name_width'),
            ('members.name', 'campaign.max_name_width'),
            ('members.name_kana', 'campaign.max_name_width'),
            ('addresses.address', 'campaign.max_address_width'),
            ('addresses.building', 'campaign.max_building_width'),
        ]) }} as fits_text,
        case
            when insured.enrolment = 'voluntary' then null
            when employers.employer_key is null then 'employer_unknown'
            when employers.reason_code = 'closed' then 'employer_closed'
            when employers.reason_code is not null then 'employer_unreachable'
        end as employer_hold_code,
        {{ valid_until(
            'run_context.judged_for', 'members.birth_date', 'insured.birth_date', 'insured.enrolment',
            'insured.qualified_on'
        ) }} as valid_until,
        insured.enrolment,
        run_context.judged_for
    from candidates
    cross join run_context
    cross join campaign
    left join members on candidates.member_key = members.member_key
    left join members as insured on {{ insured_of_household('candidates.household_key') }} = insured.member_key
    left join addresses on candidates.household_key = addresses.household_key
    left join cards on candidates.member_key = cards.member_key
    left join cards_at_snapshot on candidates.member_key = cards_at_snapshot.member_key
    left join decisions_latest on candidates.member_key = decisions_latest.member_key
    left join rejected_cards on candidates.member_key = rejected_cards.member_key
    left join rejected_rows on candidates.member_key = rejected_rows.member_key
    left join employers on {{ employer_of_household('candidates.household_key') }} = employers.employer_key
    left join live_certificates on candidates.member_key = live_certificates.member_key
    left join served_elsewhere on candidates.member_key = served_elsewhere.member_key
    left join decided_by_person
        on
            candidates.member_key = decided_by_person.member_key
            and candidates.request_id is not distinct from decided_by_person.request_id
),

-- The lines of rules, other routes; first match wins.
with_reason as (
    select
        *,
        case
            when is_missing and is_not_known_yet then 'row_missing'
            when is_missing then 'not_a_member'
            when lost_on <= judged_for then 'membership_lost'
            when late_stage_care_on <= judged_for then 'reached_75'
            when is_protected then 'address_protected'
            when is_excluded then 'decided_excluded'
            when is_between_routes then 'between_routes'
            when has_no_insured then 'household_without_insured'
            when kind = 'new_enrollee' and not is_new_enrollee then 'not_a_new_enrollee'
            when
                kind <> 'lost_or_damaged'
                and (is_served_elsewhere or (live_certificate_id is not null and not can_be_pulled))
                then 'already_has_certificate'
            -- Without a card row, a rejected one must not be read as no card, on whatever route.
            when has_rejected_card and not is_released then 'card_record_rejected'
            when kind in ('new_enrollee', 'decided') and is_card_usable then 'card_usable'
            -- Nothing to replace: then it is a request like any other.
            when
                kind = 'lost_or_damaged'
                and live_certificate_id is null
                and not is_served_elsewhere
                and is_card_usable
                then 'card_usable'
            when valid_until < judged_for then 'validity_over'
            when is_overseas then 'address_overseas'
            when is_address_missing then 'address_missing'
            when is_damaged then 'damaged_text'
            when has_no_kana then 'kana_missing'
            when not fits_text then 'unprintable_text'
            when employer_hold_code is not null and not is_released then employer_hold_code
        end as reason_code
    from gathered
),

with_outcome as (
    select
        *,
        case
            when reason_code is null then 'issue'
            when
                reason_code in (
                    'row_missing',
                    'address_protected',
                    'between_routes',
                    'household_without_insured',
                    'card_record_rejected',
                    'address_overseas',
                    'address_missing',
                    'damaged_text',
                    'kana_missing',
                    'unprintable_text',
                    'employer_unknown',
                    'employer_closed',
                    'employer_unreachable'
                )
                then 'held'
            else 'refused'
        end as outcome
    from with_reason
),

-- Of several wishes of one person one is fulfilled: a replacement first, then the earliest.
ranked as (
    select
        *,
        outcome = 'issue' and row_number() over (
            partition by member_key
            order by
                outcome = 'issue' desc,
                kind = 'lost_or_damaged' desc,
                kind in ('rolling', 'decided') asc,
                needed_on asc,
                request_id asc
        ) > 1 as is_second_wish
    from with_outcome
),

final as (
    select
        route,
        request_id,
        member_key,
        household_key,
        kind,
        needed_on,
        case when is_second_wish then 'refused' else outcome end as outcome,
        case when is_second_wish then 'already_has_certificate' else reason_code end as reason_code,
        coalesce(card_need_code, kind) as need,
        -- Home is for who has no employer, or whose employer cannot be written to and a person has said so.
        case when enrolment = 'voluntary' or employer_hold_code is not null then 'supplementary' else 'employer' end
            as lot_kind,
        case when enrolment <> 'voluntary' then {{ employer_of_household('household_key') }} end as employer_key,
        case when outcome = 'issue' and not is_second_wish then live_certificate_id end as supersedes_certificate_id,
        judged_for
    from ranked
)

select * from final
