with decisions as (
    select * from {{ ref('stg_feeds__decisions') }}
    where decision = 'incident_closed'
),

certificates as not materialized (
    select * from {{ ref('int_certificates') }}
),

envelopes as not materialized (
    select * from {{ ref('int_envelopes') }}
),

follow_ups as (
    select * from {{ ref('stg_plans__follow_ups') }}
),

bundles as (
    select * from {{ ref('int_employer_pieces') }}
),

list_lines as (
    select * from {{ ref('stg_plans__list_lines') }}
),

-- Two people, each in their own name (rules: a wave, to the letter box).
decided as (
    select
        member_key,
        max(received_on) as closed_on
    from decisions
    group by member_key
    having count(distinct decided_by) >= 2
),

own_certificates as (
    select
        certificates.certificate_id,
        certificates.envelope_id,
        decided.closed_on
    from certificates
    inner join decided on certificates.member_key = decided.member_key
),

-- Every piece with a certificate of the person, or with their name: the envelope, the bundle around it, the list.
pieces as (
    select
        envelope_id,
        closed_on
    from own_certificates
    union all
    select
        bundles.envelope_id,
        own_certificates.closed_on
    from own_certificates
    inner join envelopes on own_certificates.envelope_id = envelopes.envelope_id
    inner join bundles on envelopes.bundle_id = bundles.frozen_envelope_id
    union all
    select
        bundles.envelope_id,
        own_certificates.closed_on
    from own_certificates
    inner join follow_ups on own_certificates.certificate_id = follow_ups.certificate_id
    inner join bundles on follow_ups.bundle_id = bundles.frozen_envelope_id
    union all
    select
        bundles.envelope_id,
        decided.closed_on
    from decided
    inner join list_lines on decided.member_key = list_lines.member_key
    inner join bundles on list_lines.list_id = bundles.frozen_envelope_id
),

final as (
    select
        envelope_id,
        max(closed_on) as closed_on
    from pieces
    group by envelope_id
)

select * from final
