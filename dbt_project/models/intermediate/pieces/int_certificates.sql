-- Scanned wherever it is used: a copy of all rows in memory would cost more.
with certificates as not materialized (
    select * from {{ ref('stg_plans__certificates') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

envelopes as not materialized (
    select * from {{ ref('int_envelopes') }}
),

bundles as (
    select * from {{ ref('int_employer_pieces') }}
),

pulls as (
    select * from {{ ref('stg_plans__pulls') }}
),

follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

undone as (
    select * from {{ ref('int_follow_ups_undone') }}
),

certificate_returns as (
    select * from {{ ref('stg_feeds__certificate_returns') }}
),

newest_members as (
    select * from {{ ref('stg_newest_register__members') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

pull_reasons as (
    select
        pulls.certificate_id,
        min(pulls.reason_code) as reason_code
    from pulls
    inner join plans on pulls.plan_id = plans.plan_id
    where not plans.is_voided
    group by pulls.certificate_id
),

followed_up as (
    select
        follow_ups.certificate_id,
        max(follow_ups.run_on) as run_on,
        arg_max(follow_ups.outcome, follow_ups.run_on) as outcome,
        arg_max(follow_ups.reason_code, follow_ups.run_on) as reason_code,
        arg_max(follow_ups.bundle_id, follow_ups.run_on) as bundle_id
    from follow_ups
    inner join plans on follow_ups.plan_id = plans.plan_id
    anti join undone on follow_ups.plan_id = undone.plan_id and follow_ups.envelope_id = undone.envelope_id
    where not plans.is_voided
    group by follow_ups.certificate_id
),

bundle_fates as (
    select
        frozen_envelope_id as bundle_id,
        max(posted_on) filter (where is_live) as posted_on,
        max(returned_on) filter (where is_live) as returned_on
    from bundles
    group by frozen_envelope_id
),

-- One that can never be posted takes nobody's place.
superseded as (
    select
        certificates.supersedes_certificate_id as certificate_id,
        min(certificates.received_on) as superseded_on
    from certificates
    inner join plans on certificates.plan_id = plans.plan_id
    left join envelopes on certificates.envelope_id = envelopes.envelope_id
    where
        certificates.supersedes_certificate_id is not null
        and not plans.is_voided
        and not coalesce(
            envelopes.status = 'replaced' and envelopes.status_reason_code in ('lot_rejected', 'lot_destroyed'), false
        )
    group by certificates.supersedes_certificate_id
),

sent_back as (
    select
        certificate_id,
        min(returned_on) as sent_back_on
    from certificate_returns
    group by certificate_id
),

-- Few people leave, so joining only them costs little beside joining the register.
lost_members as (
    select
        newest_members.member_key,
        newest_members.lost_on
    from newest_members
    cross join run_context
    where newest_members.lost_on <= run_context.as_of
),

versions as (
    select
        envelopes.envelope_id || '-' || certificates.slot as certificate_id,
        certificates.certificate_id as frozen_certificate_id,
        certificates.supersedes_certificate_id,
        certificates.slot,
        certificates.member_key,
        certificates.route,
        certificates.need,
        certificates.issued_on,
        certificates.valid_until,
        envelopes.*
    from certificates
    inner join envelopes on certificates.envelope_id = envelopes.frozen_envelope_id
),

gathered as (
    select
        versions.*,
        pull_reasons.reason_code as pull_reason_code,
        coalesce(superseded.superseded_on, superseded_frozen.superseded_on) as superseded_on,
        sent_back.sent_back_on,
        least(own.lost_on, insured.lost_on) as lost_on,
        followed_up.run_on as followed_up_on,
        followed_up.outcome as follow_up_outcome,
        followed_up.reason_code as follow_up_reason_code,
        bundle_fates.posted_on as bundle_posted_on,
        bundle_fates.returned_on as bundle_returned_on,
        run_context.as_of,
        campaign.closing_follow_up_on,
        versions.posted_on + campaign.assumed_delivered_after_days::integer as delivered_on,
        -- A packet of a request leaves with its employer's bundle; the printer reports the bundle alone.
        versions.is_posted
        or versions.returned_on is not null
        or (versions.bundle_id is not null and coalesce(bundle_fates.posted_on, bundle_fates.returned_on) is not null)
            as has_left
    from versions
    cross join run_context
    cross join campaign
    left join pull_reasons on versions.certificate_id = pull_reasons.certificate_id
    left join superseded on versions.certificate_id = superseded.certificate_id
    left join superseded as superseded_frozen
        on versions.frozen_certificate_id = superseded_frozen.certificate_id and versions.is_reprint
    left join sent_back on versions.certificate_id = sent_back.certificate_id
    left join lost_members as own on versions.member_key = own.member_key
    left join lost_members as insured on versions.household_key * 100 = insured.member_key
    left join followed_up on versions.certificate_id = followed_up.certificate_id
    left join bundle_fates on coalesce(followed_up.bundle_id, versions.bundle_id) = bundle_fates.bundle_id
),

-- Where the certificate is, by what is known of its envelope and of the way through the employer.
placed as (
    select
        *,
        case
            when status = 'replaced' then 'superseded'
            when status = 'spoiled' then 'spoiled'
            when status = 'pulled' then 'pulled'
            when superseded_on is not null then 'superseded'
            when sent_back_on is not null then 'closed'
            when follow_up_outcome in ('closed', 'held') then follow_up_outcome
            when follow_up_outcome = 'branch_desk' then 'at_branch_desk'
            when bundle_returned_on is not null then 'at_branch_desk'
            when bundle_posted_on is not null then 'at_employer'
            when follow_up_outcome is not null then 'returned'
            when returned_on is not null and lot_kind not in ('home', 'supplementary') then 'at_branch_desk'
            when
                return_known_on >= closing_follow_up_on and as_of > closing_follow_up_on
                then 'at_branch_desk'
            when returned_on is not null then 'returned'
            when is_posted and delivered_on <= as_of then 'delivered'
            when is_posted then 'posted'
            when announced_on is not null then 'handed_off'
            else 'planned'
        end as place
    from gathered
),

judged as (
    select
        *,
        coalesce(place in ('posted', 'delivered', 'at_employer') and lost_on is not null, false) as is_return_expected
    from placed
),

final as (
    select
        certificate_id,
        frozen_certificate_id,
        envelope_id,
        frozen_envelope_id,
        is_reprint,
        plan_id,
        plan_kind,
        lot_id,
        lot_kind,
        slot,
        member_key,
        household_key,
        route,
        need,
        issued_on,
        valid_until,
        posting_date,
        wave_key,
        supersedes_certificate_id,
        case when is_return_expected then 'closed' else place end as status,
        case
            when is_return_expected then 'return_expected'
            when place = 'superseded' and status = 'replaced' then status_reason_code
            when place = 'superseded' then 'superseded_by_request'
            when place = 'spoiled' then 'spoiled'
            when place = 'pulled' then coalesce(pull_reason_code, status_reason_code)
            when sent_back_on is not null then 'returned_by_member'
            when place in ('closed', 'held') then follow_up_reason_code
            when place = 'at_branch_desk' and bundle_returned_on is not null then 'bundle_returned'
            when place = 'at_branch_desk' and follow_up_outcome is not null then follow_up_reason_code
            when place = 'at_branch_desk' and lot_kind not in ('home', 'supplementary') then return_reason_code
            when place = 'at_branch_desk' then 'returned_after_closing'
            when place = 'returned' and follow_up_outcome is not null then 'in_employer_bundle'
            when place = 'returned' then return_reason_code
            when is_incident then 'posted_though_pulled'
        end as reason_code,
        case
            when is_return_expected then greatest(lost_on, coalesce(bundle_posted_on, posted_on))
            when place = 'superseded' then coalesce(superseded_on, made_on)
            when place = 'spoiled' then spoiled_on
            when place = 'pulled' then coalesce(pull_listed_on, print_event_on, made_on)
            when sent_back_on is not null then sent_back_on
            when place = 'at_branch_desk' and bundle_returned_on is not null then bundle_returned_on
            when place = 'at_employer' then bundle_posted_on
            when follow_up_outcome is not null then followed_up_on
            when place in ('returned', 'at_branch_desk') then returned_on
            when place = 'delivered' then delivered_on
            when place = 'posted' then posted_on
            when place = 'handed_off' then announced_on
            else made_on
        end as status_on,
        place in (
            'planned', 'handed_off', 'posted', 'delivered', 'returned', 'at_employer', 'at_branch_desk', 'held'
        )
        and not is_return_expected as is_live,
        has_left,
        is_pulled_urgently,
        is_incident
    from judged
)

select * from final
