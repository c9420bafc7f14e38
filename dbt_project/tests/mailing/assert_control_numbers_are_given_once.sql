-- A control number is used once, by any piece of any plan, and its check digits are right (rules: envelopes and lots).
with numbers as (
    select
        envelope_id,
        sequence
    from {{ ref('stg_plans__envelopes') }}
    union all
    select
        envelope_id,
        sequence
    from {{ ref('stg_plans__seed_pieces') }}
)

select envelope_id
from numbers
group by envelope_id
having count(*) > 1 or min({{ control_number('sequence') }}) <> envelope_id
