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

from airflow_provider_rma.simulator.storage import Fetch, sum_units, total

_COLUMNS = """
    SELECT p.entry_id, p.document_id AS id, a.accno, a.description AS account_description, p.transdate,
           d.number AS reference, COALESCE(d.description, '') AS description, p.amount, d.module,
           COALESCE(p.source, '') AS source, COALESCE(p.memo, '') AS memo, COALESCE(d.notes, '') AS notes,
           COALESCE(d.intnotes, '') AS intnotes, p.fx, d.department_id
    FROM posting p JOIN document d ON d.id = p.document_id JOIN account a ON a.id = p.account_id"""

OPENING_REFERENCE = "Eröffnungssaldo"
CLOSING_REFERENCE = "Schlusssaldo"


def matches(pattern: str, accno: str) -> bool:
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
        """SQL condition on ``posting p`` and its parameters."""
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
    """Number of rows that ``iterate_postings`` gives."""
    where, parameters = wanted.where()
    return int(fetch(f"SELECT COUNT(*) FROM posting p WHERE {where}", parameters)[0][0])  # noqa: S608


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
    days = fetch(f"SELECT DISTINCT p.transdate FROM posting p WHERE {where} ORDER BY 1", parameters)  # noqa: S608
    query = f"{_COLUMNS} WHERE {where} AND p.transdate = ? ORDER BY d.number, 7, p.entry_id"
    for (day,) in days:
        for row in fetch(query, [*parameters, day]):
            yield posting_dict(row, departments)


def posting_dict(row: sqlite3.Row, departments: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Give one row of the ledger as a dict: ``amount`` raw (debit negative), ``department`` a dict or ``None``."""
    result = dict(row)
    result["amount"] = Decimal(result["amount"])
    result["fx_transaction"] = bool(result.pop("fx"))
    result["department"] = departments.get(result.pop("department_id"))
    return result


def raw_sums(
    fetch: Fetch, wanted: PostingFilter, extra: str = "", parameters: Sequence[Any] = ()
) -> dict[str, Decimal]:
    """Raw sums by account number (credit positive), in order of number.

    :param wanted: the filter; rows of 0 count as a movement.
    :param extra: further SQL condition on ``posting p`` and ``document d``, with its parameters.
    """
    where, values = wanted.where(zero_rows=True)
    rows = fetch(
        f"SELECT a.accno, {sum_units('p.units')} FROM posting p JOIN account a ON a.id = p.account_id "  # noqa: S608
        f"JOIN document d ON d.id = p.document_id WHERE {where} {extra} GROUP BY a.accno ORDER BY a.accno",
        [*values, *parameters],
    )
    return {accno: total(whole, fraction) for accno, whole, fraction in rows}


def natural(amount: Decimal, account: Mapping[str, Any]) -> Decimal:
    """Turn a raw sum into the sign in which a balance is shown.

    Assets and expenses are positive when debited; a contra account is turned once more (ledger code, D27).
    """
    turned = (account["category"] in {"A", "E"}) != bool(account["contra"])
    return -amount if turned and amount else amount


def status_of(amount: Decimal, paid: Decimal, duedate: str | None, today: str) -> str:
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
