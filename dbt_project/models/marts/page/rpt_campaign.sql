with run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

final as (
    select
        campaign.campaign,
        run_context.as_of,
        run_context.newest_register_as_of,
        (select count(distinct registers.as_of) from registers)::integer as drop_count,
        campaign.snapshot_as_of,
        campaign.hand_off_on,
        campaign.employer_lists_on,
        campaign.closing_follow_up_on,
        campaign.served_by,
        campaign.old_cards_end_on,
        campaign.stop_rate::double as stop_rate,
        campaign.assumed_delivered_after_days::integer as assumed_delivered_after_days
    from run_context
    cross join campaign
)

select * from final
