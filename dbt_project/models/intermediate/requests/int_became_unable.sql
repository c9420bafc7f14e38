with cards_at_snapshot as not materialized (
    select * from {{ ref('stg_register__my_number_cards') }}
),

-- Scanned wherever it is used: a copy of all rows in memory would cost more.
cards as not materialized (
    select * from {{ ref('stg_newest_register__my_number_cards') }}
),

landed_cards as not materialized (
    select * from {{ ref('stg_landed__my_number_cards') }}
),

members as not materialized (
    select * from {{ ref('stg_newest_register__members') }}
),

certificates as (
    select * from {{ ref('int_certificates') }}
),

certificates_elsewhere as (
    select * from {{ ref('int_certificates_elsewhere') }}
),

run_context as (
    select
        *,
        coalesce(run_on, as_of) as run_day,
        coalesce(posting_date, run_on, as_of) as judged_for
    from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

-- Who has a certificate, ours or another system's, needs none;
-- who gave one back without asking for another does not get it again by itself.
served as (
    select distinct member_key
    from certificates
    where is_live or reason_code in ('returned_by_member', 'return_expected')
    union
    select certificates_elsewhere.member_key
    from certificates_elsewhere
    cross join run_context
    where {{ lives_on('run_context.judged_for', 'certificates_elsewhere') }}
),

-- A card row that is gone is no card; that it was rejected is judged later, with everything else of the person. In
-- grace the card still works, yet from a run after the second month on nobody waits for the end of it.
unable_now as materialized (
    select
        members.member_key,
        members.decided_on,
        {{ card_need('run_context.judged_for') }} as need
    from members
    cross join run_context
    cross join campaign
    anti join served on members.member_key = served.member_key
    left join cards on members.member_key = cards.member_key
    where
        need <> 'certificate_in_grace'
        or (
            need = 'certificate_in_grace'
            and {{ rolling_waits_until('cards.certificate_expires_on') }} < run_context.run_day
        )
),

-- Who could use the card on the snapshot's day, by the same reading of the grace months as the first plan.
able_at_snapshot as (
    select
        cards_at_snapshot.member_key,
        {{ card_need('campaign.snapshot_as_of', cards='cards_at_snapshot') }} as need
    from cards_at_snapshot
    cross join campaign
    semi join unable_now on cards_at_snapshot.member_key = unable_now.member_key
    where need is null or (need = 'certificate_in_grace' and not campaign.mail_in_grace)
),

-- Who joined on the route of new enrollees: able when the membership was decided, in grace too, as far as the
-- snapshot's card row tells, or the newest one of who came after it.
joined as (
    select
        unable_now.member_key,
        unable_now.decided_on
    from unable_now
    cross join campaign
    where unable_now.decided_on >= campaign.new_enrollee_from
),

able_when_joined as (
    select
        joined.member_key,
        {{ card_need('joined.decided_on', cards='cards_at_snapshot') }} as need
    from joined
    inner join cards_at_snapshot on joined.member_key = cards_at_snapshot.member_key
    where need is null or need = 'certificate_in_grace'
    union all
    select
        joined.member_key,
        {{ card_need('joined.decided_on') }} as need
    from joined
    inner join cards on joined.member_key = cards.member_key
    where need is null or need = 'certificate_in_grace'
),

-- Who could use it on the day of any later drop: able once since, whatever was before.
able_since as (
    select
        landed_cards.member_key,
        {{ card_need('landed_cards.as_of', cards='landed_cards') }} as need
    from landed_cards
    cross join run_context
    cross join campaign
    semi join unable_now on landed_cards.member_key = unable_now.member_key
    where
        landed_cards.as_of > campaign.snapshot_as_of
        and landed_cards.as_of <= run_context.as_of
        and need is null
),

able_before as (
    select member_key from able_at_snapshot
    union
    select member_key from able_when_joined
    union
    select member_key from able_since
),

final as (
    select
        unable_now.member_key,
        unable_now.need
    from unable_now
    semi join able_before on unable_now.member_key = able_before.member_key
)

select * from final
