-- No envelope holds two households, and none a household other than its own (rules: envelopes and lots).
select certificates.certificate_id
from {{ ref('stg_plans__certificates') }} as certificates
inner join {{ ref('stg_plans__envelopes') }} as envelopes on certificates.envelope_id = envelopes.envelope_id
where
    certificates.household_key <> envelopes.household_key
    or {{ household_of_member('certificates.member_key') }} <> certificates.household_key
