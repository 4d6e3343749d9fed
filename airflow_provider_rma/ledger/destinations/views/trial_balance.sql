-- One row per loaded month and account: opening, debit, credit, closing.

-- Accounts that have a balance or postings.
WITH moved AS (
    SELECT postings.tenant, window_chains.chain, postings.month, postings.accno,
           max(postings.account_name) AS account_name,
           sum(postings.debit) AS debit, sum(postings.credit) AS credit, sum(postings.amount) AS movement_raw
    FROM postings
    JOIN window_chains ON window_chains.tenant = postings.tenant AND window_chains.month = postings.month
    GROUP BY postings.tenant, window_chains.chain, postings.month, postings.accno
), chain_accounts AS (
    SELECT tenant, chain, accno FROM moved
    UNION
    SELECT tenant, chain, accno FROM account_openings
), names AS (
    SELECT tenant, accno, max(account_name) AS account_name
    FROM (SELECT tenant, accno, account_name FROM moved
          UNION ALL
          SELECT tenant, accno, account_name FROM balances) AS named
    GROUP BY tenant, accno
), figures AS (
    SELECT window_chains.tenant, window_chains.month, chain_accounts.accno, window_chains.verdict, window_chains.proven,
           coalesce(moved.debit, 0) AS debit, coalesce(moved.credit, 0) AS credit,
           coalesce(moved.movement_raw, 0) AS movement_raw,
           moved.accno IS NOT NULL AS has_postings,
           CASE WHEN account_openings.accno IS NULL THEN 0 ELSE account_openings.opening_raw END
               + sum(coalesce(moved.movement_raw, 0)) OVER (
                     PARTITION BY window_chains.tenant, window_chains.chain, chain_accounts.accno
                     ORDER BY window_chains.month ROWS UNBOUNDED PRECEDING) AS closing_raw
    FROM window_chains
    JOIN chain_accounts
      ON chain_accounts.tenant = window_chains.tenant AND chain_accounts.chain = window_chains.chain
    LEFT JOIN moved
      ON moved.tenant = window_chains.tenant AND moved.month = window_chains.month
     AND moved.accno = chain_accounts.accno
    LEFT JOIN account_openings
      ON account_openings.tenant = window_chains.tenant AND account_openings.chain = window_chains.chain
     AND account_openings.accno = chain_accounts.accno
)
SELECT figures.tenant, figures.month, figures.accno,
       coalesce(accounts.description, names.account_name) AS account_name,
       CASE WHEN substr(figures.accno, 1, 1) IN ('2', '3') THEN closing_raw - movement_raw
            ELSE movement_raw - closing_raw END AS opening,
       debit, credit,
       CASE WHEN substr(figures.accno, 1, 1) IN ('2', '3') THEN closing_raw ELSE -closing_raw END AS closing,
       closing_raw - movement_raw AS opening_raw,
       movement_raw, closing_raw, verdict, proven
FROM figures
LEFT JOIN accounts ON accounts.tenant = figures.tenant AND accounts.accno = figures.accno
LEFT JOIN names ON names.tenant = figures.tenant AND names.accno = figures.accno
WHERE has_postings OR closing_raw IS NULL OR closing_raw <> 0
