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

unserved as (
    select * from {{ ref('fct_unserved_people') }}
),

held as (
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
        route as stage,
        reason_code,
        null::varchar as certificate_id,
        null::varchar as request_id
    from rolling_due
),

-- The last line of everyone is somebody's work too. What came back waits for the next follow-up, not for a person.
nothing_in_hand as (
    select
        unserved.insurer_number,
        unserved.symbol,
        unserved.number,
        unserved.suffix,
        'nothing_in_hand' as stage,
        unserved.reason_code,
        unserved.certificate_id,
        null::varchar as request_id
    from unserved
    anti join held
        on
            unserved.insurer_number = held.insurer_number
            and unserved.symbol = held.symbol
            and unserved.number = held.number
            and unserved.suffix = held.suffix
    where unserved.reason_code <> 'returned'
),

final as (
    select * from held
    union all
    select * from nothing_in_hand
)

select * from final
