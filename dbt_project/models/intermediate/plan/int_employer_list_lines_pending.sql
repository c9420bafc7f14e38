with listed as (
    select * from {{ ref('int_employer_list_targets') }}
    where reason_code is null
),

members as (
    select * from {{ ref('stg_register__members') }}
),

employers as (
    select * from {{ ref('int_employers_judged') }}
),

frozen_envelopes as (
    select * from {{ ref('stg_plans__envelopes') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

pulled_urgently as (
    select frozen_envelope_id as envelope_id
    from {{ ref('int_employer_pieces') }}
    where is_pulled_urgently
),

-- One list for every employer: another run makes those that can never be posted, and no second one.
listed_before as (
    select distinct frozen_envelopes.employer_key
    from frozen_envelopes
    inner join lots on frozen_envelopes.lot_id = lots.lot_id
    anti join pulled_urgently on frozen_envelopes.envelope_id = pulled_urgently.envelope_id
    where frozen_envelopes.lot_kind = 'employer_list' and not lots.is_voided and lots.undone_reason_code is null
),

final as (
    select
        listed.employer_key,
        employers.prefecture,
        listed.member_key,
        {{ substituted('coalesce(listed.released_name, members.name)') }} as name,
        employers.name as employer_name,
        employers.postal_code,
        employers.address,
        employers.building
    from listed
    inner join employers on listed.employer_key = employers.employer_key
    inner join members on listed.member_key = members.member_key
    anti join listed_before on listed.employer_key = listed_before.employer_key
)

select * from final
