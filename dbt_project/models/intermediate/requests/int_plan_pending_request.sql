with run_context as (
    select * from {{ ref('stg_context') }}
    where run_kind = 'request' and posting_date is not null
),

issues_judged as (
    select * from {{ ref('int_issues_judged') }}
    where outcome = 'issue'
),

lots as (
    select * from {{ ref('int_lots') }}
),

members as (
    select * from {{ ref('stg_newest_register__members') }}
),

addresses as (
    select * from {{ ref('stg_newest_register__addresses') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

packed as (
    select
        issues_judged.*,
        -- A piece of a lot is a household's envelope, or an employer's bundle whatever lies in it.
        case
            when issues_judged.lot_kind = 'employer' then issues_judged.employer_key else issues_judged.household_key
        end as owner_key,
        run_context.posting_date,
        campaign.lot_size - campaign.seed_households_per_lot as room,
        (row_number() over (partition by issues_judged.household_key order by issues_judged.member_key) - 1)
        // campaign.certificates_per_envelope + 1 as position,
        (row_number() over (partition by issues_judged.household_key order by issues_judged.member_key) - 1)
        % campaign.certificates_per_envelope + 1 as slot,
        (
            count(*) over (partition by issues_judged.household_key) + campaign.certificates_per_envelope - 1
        ) // campaign.certificates_per_envelope as envelopes_in_household
    from issues_judged
    cross join run_context
    cross join campaign
),

owners as (
    select
        lot_kind,
        {{ prefecture_of('household_key') }} as prefecture,
        owner_key,
        any_value(room) as room,
        max(envelopes_in_household) as household_pieces
    from packed
    group by all
),

lots_of_day as (
    select
        lots.prefecture,
        lots.lot_kind,
        max(regexp_extract(lots.lot_id, '-([0-9]+)$', 1)::integer) as lot_count
    from lots
    inner join run_context on lots.posting_date = run_context.posting_date
    group by lots.prefecture, lots.lot_kind
),

owners_in_lots as (
    select
        owners.lot_kind,
        owners.prefecture,
        owners.owner_key,
        coalesce(lots_of_day.lot_count, 0) + 1 + (
            sum(case when owners.lot_kind = 'employer' then 1 else owners.household_pieces end) over (
                partition by owners.lot_kind, owners.prefecture
                order by owners.owner_key
                rows between unbounded preceding and current row
            -- Room for the largest household (25 envelopes), so that none is cut by the end of a lot.
            ) - 1
        ) // (owners.room - 24) as lot_number
    from owners
    left join lots_of_day
        on owners.prefecture = lots_of_day.prefecture and owners.lot_kind = lots_of_day.lot_kind
),

-- Few people, with the day and the campaign beside each of them: the register is joined by keys alone, for a query
-- with a table that is joined by nothing lets the planner pair every member with every address.
placed as materialized (
    select
        campaign.*,
        packed.lot_kind,
        owners_in_lots.prefecture,
        packed.posting_date,
        owners_in_lots.lot_number,
        packed.household_key,
        packed.employer_key,
        packed.position,
        packed.envelopes_in_household,
        false as is_additional,
        packed.slot,
        packed.member_key,
        packed.route,
        packed.need,
        packed.supersedes_certificate_id,
        {{ insured_of_household('packed.household_key') }} as insured_key
    from packed
    inner join owners_in_lots
        on packed.lot_kind = owners_in_lots.lot_kind and packed.owner_key = owners_in_lots.owner_key
    cross join campaign
),

final as (
    {{ pending_certificates() }}
)

select * from final
