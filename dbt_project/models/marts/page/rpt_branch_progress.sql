with branches as (
    select * from {{ ref('dim_branches') }}
),

people as (
    select * from {{ ref('int_people_counted') }}
),

envelopes as (
    select * from {{ ref('int_envelopes') }}
    where
        lot_kind in ('home', 'supplementary')
        and plan_kind in ('home', 'release', 'resend')
        and status <> 'replaced'
),

follow_ups as (
    select * from {{ ref('fct_employer_follow_ups') }}
),

stopped as (
    select distinct prefecture
    from {{ ref('int_branches_stopped') }}
),

people_by_branch as (
    select
        prefecture,
        sum(people_count) filter (where disposition = 'target') as target_count,
        sum(people_count) filter (where is_to_be_served) as to_be_served_count,
        sum(people_count) filter (where is_to_be_served and place in ('in_transit', 'delivered', 'at_employer'))
            as served_count,
        sum(people_count) filter (where place in ('held', 'at_branch_desk')) as waiting_for_person_count
    from people
    group by prefecture
),

-- Counted as in fct_waves: a piece printed again is not planned once more, but it is what was posted.
pieces_by_branch as (
    select
        prefecture,
        count(*) filter (where not is_reprint) as planned_count,
        count(*) filter (where status = 'pulled') as pulled_count,
        count(*) filter (where is_posted) as posted_count,
        count(*) filter (where returned_on is not null) as returned_count,
        max(posting_date) as last_posting_on
    from envelopes
    group by prefecture
),

follow_ups_by_branch as (
    select
        insurer_number,
        count(*) filter (where outcome = 'employer_bundle') as employer_bundle_count,
        count(*) filter (where outcome = 'branch_desk') as branch_desk_count
    from follow_ups
    group by insurer_number
),

final as (
    select
        branches.prefecture_code,
        branches.insurer_number,
        branches.branch_name,
        coalesce(people_by_branch.target_count, 0)::bigint as target_count,
        coalesce(people_by_branch.to_be_served_count, 0)::bigint as to_be_served_count,
        coalesce(people_by_branch.served_count, 0)::bigint as served_count,
        coalesce(people_by_branch.waiting_for_person_count, 0)::bigint as waiting_for_person_count,
        coalesce(pieces_by_branch.planned_count, 0)::bigint as planned_count,
        coalesce(pieces_by_branch.pulled_count, 0)::bigint as pulled_count,
        coalesce(pieces_by_branch.posted_count, 0)::bigint as posted_count,
        coalesce(pieces_by_branch.planned_count - pieces_by_branch.pulled_count - pieces_by_branch.posted_count, 0)
        ::bigint as open_count,
        coalesce(pieces_by_branch.returned_count, 0)::bigint as returned_count,
        coalesce(follow_ups_by_branch.employer_bundle_count, 0)::bigint as employer_bundle_count,
        coalesce(follow_ups_by_branch.branch_desk_count, 0)::bigint as branch_desk_count,
        pieces_by_branch.last_posting_on,
        stopped.prefecture is not null as is_stopped
    from branches
    left join people_by_branch on branches.prefecture_code::integer = people_by_branch.prefecture
    left join pieces_by_branch on branches.prefecture_code::integer = pieces_by_branch.prefecture
    left join follow_ups_by_branch on branches.insurer_number = follow_ups_by_branch.insurer_number
    left join stopped on branches.prefecture_code::integer = stopped.prefecture
)

select * from final
