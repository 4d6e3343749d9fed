-- Closing balances by month, and the result not yet closed; each month adds up to 0.

-- The result is what no closing has carried into equity yet.
WITH closings AS (
    SELECT trial_balance.tenant, trial_balance.month, trial_balance.accno, account_kinds.account_name,
           account_kinds.kind, account_kinds.kind_source, trial_balance.closing_raw
    FROM trial_balance
    JOIN account_kinds
      ON account_kinds.tenant = trial_balance.tenant AND account_kinds.accno = trial_balance.accno
), brought AS (
    SELECT tenant, chain, CASE WHEN count(*) = count(opening_raw) THEN -sum(opening_raw) END AS amount
    FROM account_openings
    GROUP BY tenant, chain
), earned AS (
    SELECT tenant, month, sum(closing_raw) AS amount
    FROM closings
    WHERE kind = 'income_statement'
    GROUP BY tenant, month
), results AS (
    SELECT window_chains.tenant, window_chains.month,
           CASE WHEN brought.tenant IS NULL THEN 0 ELSE brought.amount END AS brought_forward,
           coalesce(earned.amount, 0) AS earned
    FROM window_chains
    LEFT JOIN brought ON brought.tenant = window_chains.tenant AND brought.chain = window_chains.chain
    LEFT JOIN earned ON earned.tenant = window_chains.tenant AND earned.month = window_chains.month
), sheet AS (
    SELECT tenant, month,
           CASE WHEN kind IN ('closing', 'unknown') THEN 'other'
                WHEN substr(accno, 1, 1) = '1' THEN 'assets'
                WHEN substr(accno, 1, 1) = '2' THEN 'liabilities'
                ELSE 'other' END AS side,
           accno, account_name, kind_source, closing_raw, CAST(NULL AS DECIMAL(28, 8)) AS brought_forward
    FROM closings
    WHERE kind <> 'income_statement' AND (closing_raw IS NULL OR closing_raw <> 0)
    UNION ALL
    SELECT tenant, month, 'result', NULL, 'Result not yet closed', NULL, brought_forward + earned, brought_forward
    FROM results
)
SELECT sheet.tenant, sheet.month, sheet.side, sheet.accno, sheet.account_name,
       CASE WHEN sheet.side = 'assets' THEN -sheet.closing_raw ELSE sheet.closing_raw END AS closing,
       sheet.closing_raw, sheet.brought_forward, sheet.kind_source, window_chains.verdict, window_chains.proven
FROM sheet
JOIN window_chains ON window_chains.tenant = sheet.tenant AND window_chains.month = sheet.month
