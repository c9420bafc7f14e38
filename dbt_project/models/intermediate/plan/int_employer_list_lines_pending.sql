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
)

select * from final
