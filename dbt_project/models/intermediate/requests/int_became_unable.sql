with cards_at_snapshot as (
    select * from {{ ref('stg_register__my_number_cards') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
cards as not materialized (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

certificates as (
    select * from {{ ref('int_certificates') }}
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

-- Who could use the card on the snapshot's day, by the same reading of the grace months as the first plan.
able_at_snapshot as (
    select
        cards_at_snapshot.member_key,
        {{ card_need('campaign.snapshot_as_of', cards='cards_at_snapshot') }} as need
    from cards_at_snapshot
    cross join campaign
    where need is null or (need = 'certificate_in_grace' and not campaign.mail_in_grace)
),

-- Who joined after it, as far as the newest card row tells: able when the membership was decided.
members_joined as (
    select
        members.member_key,
        members.decided_on,
        campaign.mail_in_grace
    from members
    cross join campaign
    where members.decided_on > campaign.snapshot_as_of
),

able_when_joined as (
    select
        members_joined.member_key,
        {{ card_need('members_joined.decided_on') }} as need
    from members_joined
    inner join cards on members_joined.member_key = cards.member_key
    where need is null or (need = 'certificate_in_grace' and not members_joined.mail_in_grace)
),

able_before as (
    select member_key from able_at_snapshot
    union
    select member_key from able_when_joined
),

-- A card row that is gone is no card; that it was rejected is judged later, with everything else of the person.
unable_now as (
    select
        members.member_key,
        {{ card_need('run_context.judged_for') }} as need
    from members
    cross join run_context
    semi join able_before on members.member_key = able_before.member_key
    left join cards on members.member_key = cards.member_key
    where need <> 'certificate_in_grace'
),

-- Who has a certificate needs none; who gave one back without asking for another does not get it again by itself.
served as (
    select distinct member_key
    from certificates
    where is_live or reason_code in ('returned_by_member', 'return_expected')
),

final as (
    select
        unable_now.member_key,
        unable_now.need
    from unable_now
    anti join served on unable_now.member_key = served.member_key
)

select * from final
