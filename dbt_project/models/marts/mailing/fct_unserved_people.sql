with everyone as (
    select * from {{ ref('int_everyone') }}
    where line = 'without'
),

waiting as (
    select * from {{ ref('int_people_waiting') }}
),

final as (
    select
        {{ insurer_number(prefecture_of('everyone.member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('everyone.member_key')) }} as symbol,
        {{ number_text(household_of_member('everyone.member_key')) }} as number,
        {{ suffix_text('everyone.member_key') }} as suffix,
        coalesce(waiting.stage, 'nothing_in_hand') as stage,
        everyone.reason_code,
        waiting.reason_code as detail_code,
        waiting.certificate_id
    from everyone
    left join waiting on everyone.member_key = waiting.member_key
)

select * from final
