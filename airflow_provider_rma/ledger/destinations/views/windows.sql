-- One row per tenant and month that was loaded or tried: what is loaded, and what was refused since.
SELECT coalesce(kept.tenant, refused.tenant) AS tenant,
       coalesce(kept.month, refused.month) AS month,
       kept.tenant IS NOT NULL AS loaded,
       coalesce(kept.verdict IN ('exact', 'tolerated'), FALSE) AS proven,
       kept.verdict AS verdict,
       kept.load_id AS load_id,
       refused.verdict AS refused_verdict,
       refused.load_id AS refused_load_id
FROM (SELECT tenant, month, verdict, load_id FROM proofs WHERE accno IS NULL AND loaded) AS kept
FULL JOIN (SELECT tenant, month, verdict, load_id FROM proofs WHERE accno IS NULL AND NOT loaded) AS refused
       ON kept.tenant = refused.tenant AND kept.month = refused.month
