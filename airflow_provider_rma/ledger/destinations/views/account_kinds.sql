-- Kind of each account, and how it is known.
SELECT found.tenant, found.accno,
       coalesce(accounts.description, found.account_name) AS account_name,
       coalesce(accounts.kind,
                CASE WHEN found.basis = 'to' OR substr(found.accno, 1, 1) IN ('1', '2') THEN 'balance_sheet'
                     WHEN substr(found.accno, 1, 1) IN ('3', '4', '5', '6', '7', '8') THEN 'income_statement'
                     WHEN substr(found.accno, 1, 1) = '9' THEN 'closing'
                     ELSE 'unknown' END) AS kind,
       coalesce(accounts.kind_source, CASE WHEN found.basis = 'to' THEN 'basis' ELSE 'first_digit' END) AS kind_source
FROM (SELECT tenant, accno, max(account_name) AS account_name, max(basis) AS basis
      FROM (SELECT tenant, accno, account_name, CAST(NULL AS VARCHAR) AS basis FROM postings
            UNION ALL
            SELECT tenant, accno, account_name, basis FROM balances
            UNION ALL
            SELECT tenant, accno, description, CAST(NULL AS VARCHAR) FROM accounts) AS everywhere
      GROUP BY tenant, accno) AS found
LEFT JOIN accounts ON accounts.tenant = found.tenant AND accounts.accno = found.accno
