"""Payments: saved together with a document, or entered later through the payment form.

The two ways differ in the real ledger, and so they do here: carries, rounding, order of the difference rows,
and what happens when a document becomes fully paid (posting oracle, rules D2, D7, D8, D11 to D13, D18).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_rma.simulator.books.posting import (
    ADJUSTMENT_MEMO,
    Document,
    Posted,
    PostingRow,
    Terms,
    document_sign,
)
from airflow_provider_rma.simulator.books.rounding import ZERO, round_half_up, to_float, to_stored


@dataclass(frozen=True, slots=True)
class _Payment:
    """A payment with its figures: ``amount`` in document currency, ``rate`` CHF per unit."""

    given: Document
    payment_no: int
    amount: float
    rate: float
    accno: str
    day: str


def _read(given: Document, payment_no: int, document: Document, terms: Terms, sign: int) -> _Payment:
    rate = to_float(given.get("exchangerate"), terms.exchange_rate(document)) if terms.is_foreign(document) else 1.0
    return _Payment(
        given,
        payment_no,
        sign * to_float(given.get("amount")),
        rate,
        str(given.get("payment_accno") or terms.payment_accno),
        str(given.get("datepaid") or document["transdate"]),
    )


def _bank_row(payment: _Payment, side: int) -> PostingRow:
    """The payment account's row: it alone carries source and memo, and the decimals as given."""
    return PostingRow(
        payment.accno,
        to_stored(-side * payment.amount),
        payment.day,
        source=payment.given.get("source") or None,
        memo=payment.given.get("memo") or None,
        payment_no=payment.payment_no,
    )


def add_payments(posted: Posted, document: Document, given: Sequence[Document], terms: Terms, *, article: bool) -> None:
    """Append the rows of payments that are saved together with their document, and complete the header.

    :param posted: the document as posted without payments; changed in place.
    :param document: the document as it was entered.
    :param given: payments with ``amount`` (document currency), ``datepaid``, ``payment_accno``, ``exchangerate``,
        ``source``, ``memo``.
    :param terms: the master data that concerns the document.
    :param article: whether the document is of the article method.
    """
    sign = document_sign(document)
    rate = float(posted.exchangerate)
    paid = fxpaid = carry = 0.0
    days = []
    for payment_no, item in enumerate(given, start=1):
        payment = _read(item, payment_no, document, terms, sign)
        if not payment.amount:
            continue
        exact = payment.amount * rate - (0.0 if article else carry)
        settled = round_half_up(exact)
        carry = settled - exact
        paid += settled
        fxpaid += payment.amount
        days.append(payment.day)
        posted.rows.append(PostingRow(terms.arap_accno, to_stored(terms.side * settled), payment.day))
        posted.rows.append(_bank_row(payment, terms.side))
        _add_differences(posted, payment, settled, terms, article or terms.is_foreign(document))
    posted.fxpaid = to_stored(fxpaid)
    is_settled = round_half_up(fxpaid) == round_half_up(float(posted.fxamount))
    # An article sale that is not paid in full states what was paid as one amount, not as the sum of its rows.
    as_one = article and terms.side > 0 and not is_settled
    posted.paid = to_stored(round_half_up(fxpaid * rate if as_one else paid))
    if days:
        posted.datepaid = max(days) if article else days[-1]
    if is_settled:
        settle = _settle_article if article else _settle_booking
        settle(posted, document, terms, paid)


def _add_differences(posted: Posted, payment: _Payment, settled: float, terms: Terms, with_bank: bool) -> None:
    chf = round_half_up(payment.amount * payment.rate)
    gain = round_half_up(chf - settled) if payment.rate != float(posted.exchangerate) else 0.0
    if gain:
        credit = terms.side * gain
        posted.rows.append(PostingRow(terms.gain_or_loss(credit), to_stored(credit), payment.day, fx=True))
    bank = to_stored(payment.amount - settled - gain) if with_bank else ZERO
    if bank:
        posted.rows.append(PostingRow(payment.accno, terms.side * bank, payment.day, fx=True))


def _settle_booking(posted: Posted, document: Document, terms: Terms, paid: float) -> None:
    """A fully paid booking document whose CHF amounts differ: the difference goes to exchange gain or loss."""
    open_amount = round_half_up(float(posted.amount) - paid)
    if not open_amount:
        return
    posted.datepaid = posted.datepaid or document["transdate"]
    posted.paid = posted.amount
    credit = to_stored(terms.side * open_amount)
    posted.rows.append(PostingRow(terms.arap_accno, credit, posted.datepaid))
    posted.rows.append(PostingRow(terms.gain_or_loss(float(-credit)), -credit, posted.datepaid))


def _settle_article(posted: Posted, document: Document, terms: Terms, paid: float) -> None:
    """A fully paid article document whose CHF amounts differ: the invoice itself is adjusted."""
    difference = to_stored(round_half_up(paid - float(posted.amount)))
    if not difference or not posted.rows:
        return
    first = posted.rows[0].accno
    posted.amount += difference
    posted.netamount += difference
    change = terms.side * difference
    posted.rows.append(PostingRow(first, change, document["transdate"], memo=ADJUSTMENT_MEMO))
    posted.rows.append(PostingRow(terms.arap_accno, -change, document["transdate"], memo=ADJUSTMENT_MEMO))


def pay_by_form(posted: Posted, document: Document, given: Document, payment_no: int, terms: Terms) -> list[PostingRow]:
    """Compute the rows that the payment form appends to a saved document, and update its header.

    :param posted: the saved document with its rows; header changed in place, rows untouched.
    :param document: the document as it was entered.
    :param given: the payment, as in ``add_payments``.
    :param payment_no: its number within the document, from 1.
    :param terms: the master data that concerns the document.
    """
    payment = _read(given, payment_no, document, terms, document_sign(document))
    side = terms.side
    settled = round_half_up(payment.amount * float(posted.exchangerate))
    chf = round_half_up(payment.amount * payment.rate)
    rows = [PostingRow(terms.arap_accno, to_stored(side * settled), payment.day), _bank_row(payment, side)]
    if terms.is_foreign(document):
        bank, gain = side * round_half_up(payment.amount - chf), side * round_half_up(chf - settled)
        differences = [(payment.accno, bank), (terms.gain_or_loss(gain), gain)]
        if side < 0 and "lines" in document:
            differences.reverse()
        for accno, difference in differences:
            if difference:
                rows.append(PostingRow(accno, to_stored(difference), payment.day, fx=True))
    posted.paid = to_stored(round_half_up(float(posted.paid) + settled))
    posted.fxpaid = to_stored(float(posted.fxpaid) + round_half_up(payment.amount))
    posted.datepaid = payment.day
    return rows


def build_surplus_rows(amount: float, day: str, payment_accno: str, terms: Terms) -> list[PostingRow]:
    """Rows of the document that the payment form creates when its total exceeds the invoices it pays.

    :param amount: the surplus, CHF.
    :param day: date of the payment, ISO.
    :param payment_accno: account on which the money arrived.
    :param terms: the master data that concerns the customer or vendor.
    """
    credit = to_stored(terms.side * round_half_up(amount))
    return [
        PostingRow(terms.arap_accno, credit, day),
        PostingRow(payment_accno, -credit, day),
        PostingRow(payment_accno, ZERO, day, fx=True),
    ]


@dataclass(slots=True)
class Settlement:
    """Changes to the rows of a foreign-currency document that the payment form settles.

    :param changed: index of an older row to its new amount.
    :param added: new rows.
    """

    changed: dict[int, Decimal]
    added: list[PostingRow]


def settle_paid_form(posted: Posted, terms: Terms, *, first_row_rewritten: bool) -> Settlement:
    """Level a foreign-currency document that the payment form has just paid in full.

    The receivable is brought to zero on the first payment, then every date of the document is levelled with
    the exchange accounts. The ledger compares sums of doubles with zero: their noise leaves rows of 0.

    :param posted: the document with all its rows; ``paid`` is changed in place.
    :param terms: the master data that concerns the document.
    :param first_row_rewritten: whether the first row was rewritten after it was inserted (article documents of
        several lines), which decides where it lies in the table and so in which order it is summed.
    """
    result = Settlement({}, [])
    rows = posted.rows
    order = [*range(1, len(rows)), 0] if first_row_rewritten else list(range(len(rows)))
    payments = [i for i, row in enumerate(rows[:-1]) if rows[i + 1].payment_no and row.accno == terms.arap_accno]
    difference = posted.amount - posted.paid
    if difference and payments:
        result.changed[payments[0]] = rows[payments[0]].amount + terms.side * difference
        posted.paid = posted.amount
        order = [i for i in order if i not in payments] + payments
    for day, noise in _sums_by_day(rows, order, result.changed).items():
        if noise:
            _level(rows, day, round_half_up(-noise), terms, result)
    return result


def _sums_by_day(rows: Sequence[PostingRow], order: Sequence[int], changed: dict[int, Decimal]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for index in order:
        row = rows[index]
        sums[row.transdate] = sums.get(row.transdate, 0.0) + float(changed.get(index, row.amount))
    return dict(sorted(sums.items()))


def _level(rows: Sequence[PostingRow], day: str, credit: float, terms: Terms, result: Settlement) -> None:
    """Put a difference on the date's exchange row, or on a new one where there is none."""
    exchange = {terms.gain_accno, terms.loss_accno}
    for index, row in enumerate(rows):
        if row.transdate == day and row.fx and row.accno in exchange:
            result.changed[index] = row.amount + to_stored(credit)
            return
    result.added.append(PostingRow(terms.gain_or_loss(credit), to_stored(credit), day, fx=True))
