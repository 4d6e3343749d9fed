-- One row per voucher that a load found changed: what it was, what it is, when, by which run.
SELECT changes.tenant, changes.month,
       changes.tenant || ':' || changes.module || ':' || CAST(changes.voucher_id AS VARCHAR) AS voucher_key,
       changes.module, changes.voucher_id, changes.reference, changes.change,
       changes.lines_before, changes.lines_after, changes.debit_before, changes.debit_after,
       loads.finished_at AS found_at, loads.verdict, loads.run, changes.load_id
FROM changes
JOIN loads
  ON loads.load_id = changes.load_id AND loads.tenant = changes.tenant AND loads.month = changes.month
