with waiting as (
    select * from {{ ref('int_people_waiting') }}
    where stage in ('held', 'pulled_and_held', 'at_branch_desk')
),

requests as (
    select * from {{ ref('fct_requests') }}
    where outcome = 'held'
),

rolling_due as (
    select * from {{ ref('int_rolling_due') }}
    where outcome = 'held'
),

final as (
    select
        {{ insurer_number(prefecture_of('member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('member_key')) }} as symbol,
        {{ number_text(household_of_member('member_key')) }} as number,
        {{ suffix_text('member_key') }} as suffix,
        case stage
            when 'held' then case when certificate_id is null then 'snapshot' else 'returned' end
            when 'pulled_and_held' then 'pulled'
            else 'branch_desk'
        end as stage,
        reason_code,
        certificate_id,
        null::varchar as request_id
    from waiting
    union all
    select
        insurer_number,
        symbol,
        number,
        suffix,
        'request' as stage,
        reason_code,
        null::varchar as certificate_id,
        request_id
    from requests
    union all
    select
        {{ insurer_number(prefecture_of('member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('member_key')) }} as symbol,
        {{ number_text('household_key') }} as number,
        {{ suffix_text('member_key') }} as suffix,
        'rolling' as stage,
        reason_code,
        null::varchar as certificate_id,
        null::varchar as request_id
    from rolling_due
)

select * from final
