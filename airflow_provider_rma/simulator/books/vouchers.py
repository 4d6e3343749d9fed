"""General-ledger vouchers: entry as given, and the year-end closing."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from airflow_provider_rma.simulator.books.posting import Document, PostingRow, Terms
from airflow_provider_rma.simulator.books.rounding import ZERO, round_half_up, to_float, to_stored

#: Decimal places of the general-ledger module (money elsewhere has 2).
GL_PLACES = 8


def post_gl(document: Document, terms: Terms) -> list[PostingRow]:
    """Return the rows of a general-ledger voucher; nothing is rounded to cents and no balance is asked for.

    A line of 0 is kept only if it carries a source or a memo. In foreign currency every row is followed by
    its difference to CHF; what those differences leave over falls on the first of them.

    :param document: ``lines`` of ``accno`` and ``debit`` or ``credit`` (document currency), ``transdate``,
        ``currency``, ``exchangerate``.
    :param terms: carries the books' currency.
    """
    rows: list[PostingRow] = []
    rate = terms.exchange_rate(document)
    day = document["transdate"]
    for line in document.get("lines") or []:
        amount = to_float(line.get("credit")) - to_float(line.get("debit"))
        source, memo = line.get("source") or None, line.get("memo") or None
        if not (amount or source or memo):
            continue
        accno = str(line["accno"])
        rows.append(PostingRow(accno, to_stored(amount), day, source=source, memo=memo))
        if difference := round_half_up(amount * (rate - 1), GL_PLACES):
            rows.append(PostingRow(accno, to_stored(difference), day, fx=True))
    _level_differences(rows)
    return rows


def _level_differences(rows: list[PostingRow]) -> None:
    """Let the exchange rows of a balanced voucher sum to zero."""
    differences = [row for row in rows if row.fx]
    if not differences or sum((row.amount for row in rows if not row.fx), ZERO):
        return
    differences[0].amount -= sum((row.amount for row in differences), ZERO)


def build_year_end_rows(
    sums: Iterable[tuple[str, Decimal]], day: str, equity_accno: str, reference: str
) -> list[PostingRow]:
    """Return the rows of a closing voucher: every income and expense account to zero, the result to equity.

    :param sums: account number and raw sum (credit positive, CHF) of the period being closed.
    :param day: closing date, ISO.
    :param equity_accno: account that takes the result.
    :param reference: reference of the voucher; also the source of its rows.
    """
    rows = [PostingRow(accno, -amount, day, source=reference) for accno, amount in sums if amount]
    result = -sum((row.amount for row in rows), ZERO)
    if result:
        rows.append(PostingRow(equity_accno, result, day, source=reference))
    return rows
