"""Views for people who read the warehouse: plain SQL that DuckDB and PostgreSQL both understand.

Every view lies over the tables of :mod:`.tables` alone, so the same text serves a DuckDB file, views over Parquet
files, and a PostgreSQL schema.

Two notions they share:

- A **chain** is a run of months loaded without a gap. Balances run on within a chain; a new chain starts from what the
  service states, because what happened in the gap is not known.
- **Natural sign**: liabilities, equity and income (accounts 2… and 3…) count credit as positive, all other accounts
  debit. Classes 7 to 9 hold income and expenses side by side; they are shown debit-positive. ``*_raw`` columns keep the
  sign of the service's postings: debit negative, credit positive.
"""

from __future__ import annotations

import hashlib
from typing import Any

#: In which order they can be created: a later one may use an earlier one.
VIEWS: dict[str, str] = {
    # One row per month that is loaded, or that was tried and refused.
    "windows": """
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
""",
    # Which chain a loaded month belongs to; a chain is named by its first month.
    "window_chains": """
SELECT tenant, month, verdict, proven,
       max(CASE WHEN begins THEN month END)
           OVER (PARTITION BY tenant ORDER BY month ROWS UNBOUNDED PRECEDING) AS chain
FROM (SELECT tenant, month, verdict, proven,
             coalesce(lag(month) OVER (PARTITION BY tenant ORDER BY month) + INTERVAL '1 month' <> month, TRUE)
                 AS begins
      FROM windows
      WHERE loaded) AS loaded_months
""",
    # Raw opening balance of each account of a chain. An account that is missing here opens at 0; a null opening is one
    # that the service states in a sign that is not known.
    "account_openings": """
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
""",
    # One row per loaded month and account that has a balance or postings.
    "trial_balance": """
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
""",
    # Every posting with the balance of its account after it.
    "general_ledger": """
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
""",
    # Postings of the months whose proof holds, and only those.
    "postings_proven": """
SELECT postings.*
FROM postings
JOIN windows ON windows.tenant = postings.tenant AND windows.month = postings.month
WHERE windows.proven
""",
}


def statements() -> list[str]:
    """The statements that create or renew all views in the current schema."""
    return [f"CREATE OR REPLACE VIEW {name} AS{text}" for name, text in VIEWS.items()]


def version() -> str:
    """A text that changes when a view changes."""
    return hashlib.sha256("\0".join(statements()).encode()).hexdigest()[:16]


def create_views(connection: Any) -> None:
    """Create or renew all views.

    :param connection: anything with ``execute(sql)``: a DuckDB connection, a DBAPI cursor. Committing is the caller's.
    """
    for statement in statements():
        connection.execute(statement)
