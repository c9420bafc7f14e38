with people as (
    select * from {{ ref('int_people_counted') }}
),

registers as (
    select * from {{ ref('stg_registers') }}
),

rejects as (
    select * from {{ ref('stg_register__rejects') }}
),

manifest_rows as (
    select coalesce(sum(manifest_rows), 0) as register_count
    from registers
    where is_campaign_drop and file = 'members'
),

rejected_rows as (
    select count(*) as rejected_count
    from rejects
    where file = 'members'
),

register_counts as (
    select
        manifest_rows.register_count,
        rejected_rows.rejected_count
    from manifest_rows
    cross join rejected_rows
),

snapshot_counts as (
    select
        sum(people_count) filter (where disposition = 'excluded' and reason_code = 'card_usable') as card_usable_count,
        sum(people_count) filter (where disposition = 'excluded' and reason_code <> 'card_usable')
            as otherwise_excluded_count,
        sum(people_count) filter (where disposition = 'held') as held_count,
        sum(people_count) filter (where disposition = 'target') as target_count,
        sum(people_count) filter (where disposition <> 'target' and is_to_be_served) as addition_count,
        sum(people_count) filter (where is_to_be_served) as to_be_served_count
    from people
),

flow as (
    select
        unnest([1, 2, 3, 4, 5, 6, 7, 8]) as step_no,
        unnest([
            'register', 'rejected', 'card_usable', 'otherwise_excluded', 'held_at_snapshot', 'target', 'addition',
            'to_be_served'
        ]) as step_code,
        unnest(['total', 'out', 'out', 'out', 'out', 'total', 'in', 'total']) as step_kind,
        unnest([
            register_counts.register_count,
            register_counts.rejected_count,
            snapshot_counts.card_usable_count,
            snapshot_counts.otherwise_excluded_count,
            snapshot_counts.held_count,
            snapshot_counts.target_count,
            snapshot_counts.addition_count,
            snapshot_counts.to_be_served_count
        ]) as people_count
    from register_counts
    cross join snapshot_counts
),

places as (
    select
        unnest([9, 10, 11, 12, 13, 14, 15, 16]) as step_no,
        unnest([
            'delivered', 'in_transit', 'at_employer', 'waiting', 'returned', 'at_branch_desk', 'held', 'ended'
        ]) as step_code
),

today as (
    select
        place,
        sum(people_count) as people_count
    from people
    where is_to_be_served
    group by place
),

final as (
    select
        step_no,
        step_code,
        step_kind,
        coalesce(people_count, 0)::bigint as people_count
    from flow
    union all
    select
        places.step_no,
        places.step_code,
        'today' as step_kind,
        coalesce(today.people_count, 0)::bigint as people_count
    from places
    left join today on places.step_code = today.place
)

select * from final
