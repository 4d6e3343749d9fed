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

from airflow_provider_rma.ledger.contract import TABLES
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS


def _content() -> str:
    """What a posting says, as one text: tenant and business columns, null and empty being the same.

    Dates become numbers because a date's text depends on settings of the session.
    """
    types = {column.name: column.type for column in TABLES["postings"].columns}
    parts = [_as_text(name, types[name]) for name in ("tenant", *BUSINESS_COLUMNS)]
    return " || chr(31) || ".join(parts)


def _as_text(name: str, kind: str) -> str:
    if kind == "text":
        return f"coalesce({name}, '')"
    if kind == "date":
        day = f"extract(year FROM {name}) * 10000 + extract(month FROM {name}) * 100 + extract(day FROM {name})"
        return f"coalesce(CAST(CAST({day} AS INTEGER) AS VARCHAR), '')"
    return f"coalesce(CAST({name} AS VARCHAR), '')"


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
    # What kind each account is that has a name, a balance or a posting, and how that is known.
    "account_kinds": """
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
""",
    # Vouchers that look like the ledger's own year-end closing. It is not marked in what the service sends.
    "year_end_vouchers": """
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
""",
    # Income and expense by month and cumulated over the calendar year, without and with year-end closings.
    "profit_and_loss": """
WITH moved AS (
    SELECT postings.tenant, postings.month, postings.accno,
           sum(postings.amount) AS booked,
           sum(CASE WHEN year_end_vouchers.voucher_id IS NULL THEN postings.amount ELSE 0 END) AS result
    FROM postings
    JOIN account_kinds ON account_kinds.tenant = postings.tenant AND account_kinds.accno = postings.accno
    LEFT JOIN year_end_vouchers
      ON year_end_vouchers.tenant = postings.tenant AND year_end_vouchers.module = postings.module
     AND year_end_vouchers.voucher_id = postings.voucher_id
    WHERE account_kinds.kind = 'income_statement'
    GROUP BY postings.tenant, postings.month, postings.accno
), years AS (
    SELECT tenant, CAST(extract(year FROM month) AS INTEGER) AS fiscal_year, accno, min(month) AS since
    FROM moved
    GROUP BY tenant, CAST(extract(year FROM month) AS INTEGER), accno
), loaded_months AS (
    SELECT tenant, month, CAST(extract(year FROM month) AS INTEGER) AS fiscal_year, verdict, proven,
           count(*) OVER so_far = extract(month FROM month) AS complete,
           min(CASE WHEN proven THEN 1 ELSE 0 END) OVER so_far = 1 AS proven_cumulated
    FROM windows
    WHERE loaded
    WINDOW so_far AS (PARTITION BY tenant, extract(year FROM month) ORDER BY month ROWS UNBOUNDED PRECEDING)
), figures AS (
    SELECT loaded_months.*, years.accno,
           coalesce(moved.result, 0) AS result,
           sum(coalesce(moved.result, 0)) OVER so_far AS result_cumulated,
           coalesce(moved.booked, 0) AS booked,
           sum(coalesce(moved.booked, 0)) OVER so_far AS booked_cumulated
    FROM loaded_months
    JOIN years
      ON years.tenant = loaded_months.tenant AND years.fiscal_year = loaded_months.fiscal_year
     AND years.since <= loaded_months.month
    LEFT JOIN moved
      ON moved.tenant = loaded_months.tenant AND moved.month = loaded_months.month AND moved.accno = years.accno
    WINDOW so_far AS (PARTITION BY loaded_months.tenant, loaded_months.fiscal_year, years.accno
                      ORDER BY loaded_months.month ROWS UNBOUNDED PRECEDING)
)
SELECT figures.tenant, figures.fiscal_year, figures.month, figures.accno, account_kinds.account_name,
       CASE WHEN substr(figures.accno, 1, 1) = '3' THEN result ELSE -result END AS amount,
       CASE WHEN substr(figures.accno, 1, 1) = '3' THEN result_cumulated ELSE -result_cumulated END
           AS amount_cumulated,
       result, result_cumulated,
       booked AS result_with_closings, booked_cumulated AS result_with_closings_cumulated,
       complete, verdict, proven, proven_cumulated, account_kinds.kind_source
FROM figures
JOIN account_kinds ON account_kinds.tenant = figures.tenant AND account_kinds.accno = figures.accno
""",
    # Closing balances at the end of each month, and the result that no closing has carried into equity yet.
    "balance_sheet": """
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
), lines AS (
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
SELECT lines.tenant, lines.month, lines.side, lines.accno, lines.account_name,
       CASE WHEN lines.side = 'assets' THEN -lines.closing_raw ELSE lines.closing_raw END AS closing,
       lines.closing_raw, lines.brought_forward, lines.kind_source, window_chains.verdict, window_chains.proven
FROM lines
JOIN window_chains ON window_chains.tenant = lines.tenant AND window_chains.month = lines.month
""",
    # Keys that stay when a voucher is saved again and its lines get new numbers.
    "postings_keys": f"""
SELECT tenant, month, voucher_key,
       md5(content || chr(31) || CAST(occurrence AS VARCHAR)) AS line_hash,
       CAST(occurrence AS INTEGER) AS occurrence,
       module, voucher_id, transdate, accno, amount, entry_id, load_id
FROM (SELECT hashed.*,
             row_number() OVER (PARTITION BY tenant, month, content ORDER BY entry_id) AS occurrence
      FROM (SELECT tenant, month, module, voucher_id, transdate, accno, amount, entry_id, load_id,
                   tenant || ':' || module || ':' || CAST(voucher_id AS VARCHAR) AS voucher_key,
                   md5({_content()}) AS content
            FROM postings) AS hashed) AS counted
""",  # noqa: S608 - names of ours
    # What loads found changed, and when.
    "voucher_changes": """
SELECT changes.tenant, changes.month,
       changes.tenant || ':' || changes.module || ':' || CAST(changes.voucher_id AS VARCHAR) AS voucher_key,
       changes.module, changes.voucher_id, changes.reference, changes.change,
       changes.lines_before, changes.lines_after, changes.debit_before, changes.debit_after,
       loads.finished_at AS found_at, loads.verdict, loads.run, changes.load_id
FROM changes
JOIN loads
  ON loads.load_id = changes.load_id AND loads.tenant = changes.tenant AND loads.month = changes.month
""",
}

#: What each view shows, for people and for tools that list the warehouse.
NOTES: dict[str, str] = {
    "windows": "One row per tenant and month that was loaded or tried: what is loaded, and what was refused since.",
    "window_chains": "The chain of months without a gap that each loaded month belongs to.",
    "account_openings": "Raw opening balance of each balance-sheet account of a chain, as the service states it.",
    "trial_balance": "One row per loaded month and account: opening, debit, credit, closing.",
    "general_ledger": "One row per posting, with the balance of its account after it.",
    "postings_proven": "The postings of the months whose loaded verdict is exact or tolerated.",
    "account_kinds": "Kind of each account, and how it is known.",
    "year_end_vouchers": "Vouchers that look like the ledger's year-end closing, which the service does not mark.",
    "profit_and_loss": "Income and expense by month and account, and cumulated over the calendar year.",
    "balance_sheet": "Closing balances by month, and the result not yet closed; each month adds up to 0.",
    "postings_keys": "Keys of vouchers and lines that stay when a voucher is saved again.",
    "voucher_changes": "One row per voucher that a load found changed: what it was, what it is, when, by which run.",
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
