with list_lines as (
    select * from {{ ref('stg_plans__list_lines') }}
),

plans as (
    select * from {{ ref('int_plans') }}
),

lots as (
    select * from {{ ref('int_lots') }}
),

final as (
    select
        {{ insurer_number(prefecture_of('list_lines.member_key', of='member')) }} as insurer_number,
        {{ symbol_text(employer_of_member('list_lines.member_key')) }} as symbol,
        {{ number_text(household_of_member('list_lines.member_key')) }} as number,
        {{ suffix_text('list_lines.member_key') }} as suffix,
        list_lines.list_id,
        list_lines.lot_id,
        plans.run_on as listed_on
    from list_lines
    inner join plans on list_lines.plan_id = plans.plan_id
    inner join lots on list_lines.lot_id = lots.lot_id
    where not plans.is_voided and lots.undone_reason_code is null
)

select * from final
