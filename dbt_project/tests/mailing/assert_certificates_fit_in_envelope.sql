-- No envelope holds more certificates than campaign.certificates_per_envelope (rules: envelopes and lots).
select certificates.envelope_id
from {{ ref('stg_plans__certificates') }} as certificates
group by certificates.envelope_id
having count(*) > (select campaign.certificates_per_envelope from {{ ref('stg_campaign') }} as campaign)
