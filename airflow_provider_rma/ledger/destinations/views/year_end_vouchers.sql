-- Vouchers that look like the ledger's year-end closing, which the service does not mark.
WITH candidates AS (
    SELECT postings.tenant, postings.module, postings.voucher_id,
           max(postings.month) AS month, max(postings.transdate) AS transdate, max(postings.reference) AS reference,
           max(CASE WHEN account_kinds.kind <> 'income_statement' THEN postings.accno END) AS equity_accno,
           sum(CASE WHEN account_kinds.kind <> 'income_statement' THEN postings.amount ELSE 0 END) AS result,
           count(*) - 1 AS swept_accounts
    FROM postings
    JOIN account_kinds ON account_kinds.tenant = postings.tenant AND account_kinds.accno = postings.accno
    WHERE postings.module = 'gl' AND postings.voucher_id IS NOT NULL
    GROUP BY postings.tenant, postings.module, postings.voucher_id
    HAVING count(*) >= 3
       AND sum(CASE WHEN account_kinds.kind = 'income_statement' THEN 0 ELSE 1 END) = 1
       AND count(DISTINCT postings.accno) = count(*)
       AND sum(CASE WHEN postings.reference <> '' AND postings.source = postings.reference THEN 0 ELSE 1 END) = 0
       AND min(postings.transdate) = max(postings.transdate)
       AND max(postings.transdate) = CAST(max(postings.month) + INTERVAL '1 month' - INTERVAL '1 day' AS DATE)
), cleared AS (
    SELECT candidates.tenant, candidates.voucher_id,
           sum(CASE WHEN trial_balance.closing_raw = 0 THEN 1 ELSE 0 END) AS cleared_accounts
    FROM candidates
    JOIN postings
      ON postings.tenant = candidates.tenant AND postings.month = candidates.month
     AND postings.module = candidates.module AND postings.voucher_id = candidates.voucher_id
     AND postings.accno <> candidates.equity_accno
    JOIN trial_balance
      ON trial_balance.tenant = postings.tenant AND trial_balance.month = postings.month
     AND trial_balance.accno = postings.accno
    GROUP BY candidates.tenant, candidates.voucher_id
)
SELECT candidates.tenant, candidates.module, candidates.voucher_id, candidates.reference, candidates.transdate,
       candidates.equity_accno, candidates.result, candidates.swept_accounts,
       CAST(coalesce(cleared.cleared_accounts, 0) AS BIGINT) AS cleared_accounts
FROM candidates
LEFT JOIN cleared ON cleared.tenant = candidates.tenant AND cleared.voucher_id = candidates.voucher_id
