-- One row per posting, with the balance of its account after it.
SELECT tenant, month, accno, account_name, transdate, module, reference, voucher_id, entry_id, description,
       source, memo, department_name, debit, credit,
       CASE WHEN substr(accno, 1, 1) IN ('2', '3') THEN balance_raw ELSE -balance_raw END AS balance,
       amount, balance_raw, verdict, proven
FROM (
    SELECT postings.*, window_chains.verdict, window_chains.proven,
           CASE WHEN account_openings.accno IS NULL THEN 0 ELSE account_openings.opening_raw END
               + sum(postings.amount) OVER (
                     PARTITION BY postings.tenant, window_chains.chain, postings.accno
                     ORDER BY postings.transdate, postings.module, postings.reference, postings.voucher_id,
                              postings.entry_id
                     ROWS UNBOUNDED PRECEDING) AS balance_raw
    FROM postings
    JOIN window_chains ON window_chains.tenant = postings.tenant AND window_chains.month = postings.month
    LEFT JOIN account_openings
      ON account_openings.tenant = postings.tenant AND account_openings.chain = window_chains.chain
     AND account_openings.accno = postings.accno
) AS running
