{{ config(materialized='view') }}

with plans as (
    select * from {{ ref('stg_plans__plan') }}
),

approvals as (
    select * from {{ ref('stg_approvals') }}
),

-- An approval binds to a hash: two answers about different files are not two approvals of a plan.
approved_subjects as (
    select
        plan_id,
        subject_sha256,
        max(received_on) as approved_on
    from approvals
    where decision = 'approved'
    group by plan_id, subject_sha256
    having count(distinct decided_by) >= 2
),

approved as (
    select
        plan_id,
        min(approved_on) as approved_on
    from approved_subjects
    group by plan_id
),

voided as (
    select distinct plan_id
    from approvals
    where decision = 'rejected'
),

final as (
    select
        plans.plan_id,
        plans.plan_kind,
        plans.posting_date,
        plans.run_on,
        plans.register_as_of,
        plans.received_on as frozen_on,
        plans.envelope_count,
        plans.certificate_count,
        plans.member_count,
        approved.approved_on,
        voided.plan_id is not null as is_voided,
        approved.plan_id is not null and voided.plan_id is null as is_approved
    from plans
    left join approved on plans.plan_id = approved.plan_id
    left join voided on plans.plan_id = voided.plan_id
)

select * from final
