-- A live certificate is in exactly one live envelope (rules: envelopes and lots).
select certificates.certificate_id
from {{ ref('int_certificates') }} as certificates
left join {{ ref('int_envelopes') }} as envelopes
    on certificates.envelope_id = envelopes.envelope_id and envelopes.is_live
where certificates.is_live and envelopes.envelope_id is null
