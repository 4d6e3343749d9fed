-- The chain of months without a gap that each loaded month belongs to.

-- A chain is named by its first month.
SELECT tenant, month, verdict, proven,
       max(CASE WHEN begins THEN month END)
           OVER (PARTITION BY tenant ORDER BY month ROWS UNBOUNDED PRECEDING) AS chain
FROM (SELECT tenant, month, verdict, proven,
             coalesce(lag(month) OVER (PARTITION BY tenant ORDER BY month) + INTERVAL '1 month' <> month, TRUE)
                 AS begins
      FROM windows
      WHERE loaded) AS loaded_months
