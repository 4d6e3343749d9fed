"""Reading the ledger: account transactions, balances, lists of documents.

Semantics of the documented resources, corrected by what the real ledger code does (posting oracle, D24 to
D29): exchange rows belong to the balances, rows of 0 are not account transactions, openings are plain sums,
the year-end voucher is an ordinary voucher.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.storage import FRACTION, WHOLE, Fetch, join_sum

_COLUMNS = """
    SELECT p.entry_id, p.document_id AS id, a.accno, a.description AS account_description, p.transdate,
           d.number AS reference, COALESCE(d.description, '') AS description, p.amount, d.module,
           COALESCE(p.source, '') AS source, COALESCE(p.memo, '') AS memo, COALESCE(d.notes, '') AS notes,
           COALESCE(d.intnotes, '') AS intnotes, p.fx, d.department_id
    FROM posting p JOIN document d ON d.id = p.document_id JOIN account a ON a.id = p.account_id"""

OPENING_REFERENCE = "Eröffnungssaldo"
CLOSING_REFERENCE = "Schlusssaldo"


def matches_pattern(pattern: str, accno: str) -> bool:
    """Whether an account number fits a pattern: ``x`` is one digit, a lone ``x`` is every account (documented)."""
    if pattern.lower() == "x":
        return True
    return re.fullmatch(re.escape(pattern).replace("x", "[0-9]").replace("X", "[0-9]"), accno) is not None


@dataclass(frozen=True, slots=True)
class PostingFilter:
    """Which postings: dates are inclusive, ISO, or ``None`` for no limit.

    ``account_ids`` is ``None`` for all accounts.
    """

    account_ids: Sequence[int] | None
    from_date: str | None = None
    to_date: str | None = None

    def before(self) -> PostingFilter:
        """The same accounts, all that was posted before the first date."""
        first = date.fromisoformat(self.from_date or "0001-01-02")
        return PostingFilter(self.account_ids, None, (first - timedelta(days=1)).isoformat())

    def where(self, *, zero_rows: bool = False) -> tuple[str, list[Any]]:
        """SQL condition on ``posting p`` (with ``zero_rows`` also on ``daily p``) and its parameters."""
        conditions: list[str] = [] if zero_rows else ["p.units <> 0"]
        parameters: list[Any] = []
        if self.account_ids is not None:
            conditions.append(f"p.account_id IN ({','.join('?' * len(self.account_ids))})")
            parameters.extend(self.account_ids)
        if self.from_date:
            conditions.append("p.transdate >= ?")
            parameters.append(self.from_date)
        if self.to_date:
            conditions.append("p.transdate <= ?")
            parameters.append(self.to_date)
        return " AND ".join(conditions) or "1", parameters


def count_postings(fetch: Fetch, wanted: PostingFilter) -> int:
    """Count the rows that ``iterate_postings`` yields."""
    where, parameters = wanted.where(zero_rows=True)
    return int(fetch(f"SELECT TOTAL(p.visible) FROM daily p WHERE {where}", parameters)[0][0])  # noqa: S608


def count_rows(fetch: Fetch) -> int:
    """Number of rows of the ledger, those of 0 included."""
    return int(fetch("SELECT TOTAL(lines) FROM daily")[0][0])


def iterate_postings(
    fetch: Fetch,
    wanted: PostingFilter,
    departments: Mapping[int, Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Yield postings by date, reference and description, one day in memory at a time.

    :param fetch: queries one state of the books.
    :param wanted: the filter; rows of 0 are left out.
    :param departments: department by id.
    """
    where, parameters = wanted.where()
    on_days, _ = wanted.where(zero_rows=True)
    days = fetch(f"SELECT DISTINCT p.transdate FROM daily p WHERE {on_days} AND visible ORDER BY 1", parameters)  # noqa: S608
    query = f"{_COLUMNS} WHERE {where} AND p.transdate = ? ORDER BY d.number, 7, p.entry_id"
    for (day,) in days:
        for row in fetch(query, [*parameters, day]):
            yield posting_dict(row, departments)


def posting_dict(row: sqlite3.Row, departments: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return one row of the ledger as a dict: ``amount`` raw (debit negative), ``department`` a dict or ``None``."""
    result = dict(row)
    result["amount"] = Decimal(result["amount"])
    result["fx_transaction"] = bool(result.pop("fx"))
    result["department"] = departments.get(result.pop("department_id"))
    return result


@dataclass(frozen=True, slots=True)
class BalanceFilter:
    """Postings that a balance leaves out.

    :param department_id: only documents of this department.
    :param project: only rows of the project with this number or description.
    :param exclude_yearend: without the year-end closing vouchers.
    :param exclude_fx: without the exchange rows.
    """

    department_id: int | None = None
    project: str | None = None
    exclude_yearend: bool = False
    exclude_fx: bool = False


NO_FILTER = BalanceFilter()


def raw_sums(fetch: Fetch, wanted: PostingFilter, balance_filter: BalanceFilter = NO_FILTER) -> dict[str, Decimal]:
    """Raw sums by account number (credit positive), in order of number; rows of 0 count as a movement.

    Department and project are a property of the postings; everything else comes from the daily totals.
    """
    where, parameters = wanted.where(zero_rows=True)
    if balance_filter.exclude_fx:
        where += " AND p.fx = 0"
    if balance_filter.department_id is not None or balance_filter.project:
        source, values = _filtered_postings(where, parameters, balance_filter)
    else:
        source, values = _daily_totals(where, parameters, balance_filter)
    rows = fetch(
        f"SELECT a.accno, SUM(whole), SUM(fraction) FROM ({source}) p JOIN account a ON a.id = p.account_id "  # noqa: S608
        "GROUP BY a.accno HAVING SUM(lines) > 0 ORDER BY a.accno",
        values,
    )
    return {accno: join_sum(whole, fraction) for accno, whole, fraction in rows}


def _daily_totals(where: str, parameters: list[Any], balance_filter: BalanceFilter) -> tuple[str, list[Any]]:
    source = f"SELECT p.account_id, p.lines, p.whole, p.fraction FROM daily p WHERE {where}"  # noqa: S608
    if not balance_filter.exclude_yearend:
        return source, parameters
    closings = (
        f"SELECT p.account_id, -1, -({WHOLE}), -({FRACTION}) FROM posting p "  # noqa: S608
        f"WHERE p.document_id IN (SELECT document_id FROM yearend) AND {where}"
    )
    return f"{source} UNION ALL {closings}", [*parameters, *parameters]


def _filtered_postings(where: str, parameters: list[Any], balance_filter: BalanceFilter) -> tuple[str, list[Any]]:
    values = list(parameters)
    if balance_filter.exclude_yearend:
        where += " AND p.document_id NOT IN (SELECT document_id FROM yearend)"
    if balance_filter.department_id is not None:
        where += " AND p.document_id IN (SELECT id FROM document WHERE department_id = ?)"
        values.append(balance_filter.department_id)
    if balance_filter.project:
        where += " AND p.project_id = (SELECT id FROM project WHERE number = ? OR description = ?)"
        values += [balance_filter.project, balance_filter.project]
    columns = f"p.account_id, 1 AS lines, {WHOLE} AS whole, {FRACTION} AS fraction"
    return f"SELECT {columns} FROM posting p WHERE {where}", values  # noqa: S608


def apply_natural_sign(amount: Decimal, account: Mapping[str, Any]) -> Decimal:
    """Turn a raw sum into the sign in which a balance is shown.

    Assets and expenses are positive when debited; a contra account is turned once more (ledger code, D27).
    """
    turned = (account["category"] in {"A", "E"}) != bool(account["contra"])
    return -amount if turned and amount else amount


def decide_status(amount: Decimal, paid: Decimal, duedate: str | None, today: str) -> str:
    """Status of an invoice: paid exactly, overdue since the due date has passed, or open.

    An over-paid invoice counts as open, one of amount 0 as paid (ledger code, D7).
    """
    if paid == amount:
        return "PAID"
    return "OVERDUE" if duedate and duedate < today else "OPEN"


def iterate_documents(
    source: AbstractContextManager[Fetch], module: str, from_date: str | None, to_date: str | None
) -> Iterator[sqlite3.Row]:
    """Yield the documents of a module by date, one day in memory at a time; dates inclusive."""
    conditions, parameters = ["module = ?"], [module]
    if from_date:
        conditions.append("transdate >= ?")
        parameters.append(from_date)
    if to_date:
        conditions.append("transdate <= ?")
        parameters.append(to_date)
    where = " AND ".join(conditions)
    with source as fetch:
        days = fetch(f"SELECT DISTINCT transdate FROM document WHERE {where} ORDER BY 1", parameters)  # noqa: S608
        query = "SELECT * FROM document WHERE module = ? AND transdate = ? ORDER BY id"
        for (day,) in days:
            yield from fetch(query, (module, day))
