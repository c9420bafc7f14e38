with evaluated as (
    select * from {{ ref('int_members_evaluated') }}
),

released_text as (
    select * from {{ ref('int_released_text') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

frozen_home_plans as (
    select plan_id
    from plans
    where plan_kind = 'home' and not is_voided
),

-- All targets, whatever is known of them since: the re-check before posting pulls what must not go.
targets as (
    select
        evaluated.member_key,
        evaluated.household_key,
        evaluated.prefecture,
        evaluated.effective_need as need
    from evaluated
    left join released_text on evaluated.member_key = released_text.member_key
    where
        evaluated.effective_disposition = 'target'
        -- Whom a person released is planned once the newest register can be printed.
        and (evaluated.disposition = 'target' or released_text.member_key is not null)
        and not exists (select frozen_home_plans.plan_id from frozen_home_plans)
),

counted as (
    select
        *,
        row_number() over (partition by household_key order by member_key) - 1 as place,
        count(*) over (partition by household_key) as target_count
    from targets
),

final as (
    select
        counted.member_key,
        counted.household_key,
        counted.prefecture,
        counted.need,
        (counted.place // campaign.certificates_per_envelope + 1)::integer as position,
        (counted.place % campaign.certificates_per_envelope + 1)::integer as slot,
        ceil(counted.target_count / campaign.certificates_per_envelope)::integer as envelopes_in_household
    from counted
    cross join campaign
)

select * from final
