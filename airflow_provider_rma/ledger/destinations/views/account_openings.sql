-- Raw opening balance of each balance-sheet account of a chain, as the service states it.

-- An account that is missing here opens at 0. A null opening is one that the service states in a sign that is not known.
SELECT stated.tenant, window_chains.chain, stated.accno,
       CASE WHEN coalesce(stated.opening, 0) = 0 THEN 0
            WHEN coalesce(own.sign, class.sign) = 1 THEN stated.opening
            WHEN coalesce(own.sign, class.sign) = -1 THEN -stated.opening
       END AS opening_raw
FROM balances AS stated
JOIN window_chains
  ON window_chains.tenant = stated.tenant AND window_chains.month = stated.month
 AND window_chains.chain = stated.month
LEFT JOIN (SELECT tenant, accno, max(sign) AS sign FROM balances GROUP BY tenant, accno) AS own
  ON own.tenant = stated.tenant AND own.accno = stated.accno
LEFT JOIN (SELECT tenant, substr(accno, 1, 1) AS digit,
                  CASE WHEN sum(sign) > 0 THEN 1 WHEN sum(sign) < 0 THEN -1 END AS sign
           FROM balances
           WHERE basis = 'to'
           GROUP BY tenant, substr(accno, 1, 1)) AS class
  ON class.tenant = stated.tenant AND class.digit = substr(stated.accno, 1, 1)
WHERE stated.basis = 'to'
