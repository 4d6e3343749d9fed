-- One row per tenant and month that was loaded or tried: what is loaded, and what was refused since.
SELECT listed.tenant,
       listed.month,
       kept.tenant IS NOT NULL AS loaded,
       coalesce(kept.verdict IN ('exact', 'tolerated'), FALSE) AS proven,
       kept.verdict AS verdict,
       kept.load_id AS load_id,
       refused.verdict AS refused_verdict,
       refused.load_id AS refused_load_id
FROM (SELECT DISTINCT tenant, month FROM proofs WHERE accno IS NULL) AS listed
LEFT JOIN (SELECT tenant, month, verdict, load_id FROM proofs WHERE accno IS NULL AND loaded) AS kept
       ON kept.tenant = listed.tenant AND kept.month = listed.month
LEFT JOIN (SELECT tenant, month, verdict, load_id FROM proofs WHERE accno IS NULL AND NOT loaded) AS refused
       ON refused.tenant = listed.tenant AND refused.month = listed.month
