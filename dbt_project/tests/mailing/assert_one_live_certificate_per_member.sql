-- Nobody holds two live certificates (rules: envelopes and lots). Households with an incident are left to its alert:
-- what was posted though it was to be pulled cannot be taken back by a rule.
with certificates as (
    select * from {{ ref('int_certificates') }}
),

households_with_incident as (
    select distinct household_key
    from certificates
    where is_incident
)

select certificates.member_key
from certificates
left join households_with_incident on certificates.household_key = households_with_incident.household_key
where certificates.is_live and households_with_incident.household_key is null
group by certificates.member_key
having count(*) > 1
