"""From a document to the rows of the ledger: shared types, and the booking method.

Pure: a document and the master data that concerns it go in, a header and rows come out. Everything here
follows the posting oracle, which was produced by the real ledger code.

Signs: rows are raw (credit positive, debit negative). A document's own amounts are positive for an ordinary
invoice or purchase; ``Terms.side`` turns them into rows (sales +1, purchases -1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.rounding import ZERO, round_half_up, to_float, to_stored

Document = Mapping[str, Any]

#: Document types of the ledger whose amounts are entered positive and booked negative.
REVERSED_TYPES = frozenset({"credit_note", "debit_note", "credit_invoice", "debit_invoice"})

ADJUSTMENT_MEMO = "rounding adjustment"


@dataclass(slots=True)
class PostingRow:
    """One posting line: ``amount`` in CHF, credit positive.

    ``fx`` marks the difference rows that lead from a document-currency amount to CHF.
    """

    accno: str
    amount: Decimal
    transdate: str
    source: str | None = None
    memo: str | None = None
    fx: bool = False
    payment_no: int | None = None
    project: str | None = None


@dataclass(slots=True)
class Posted:
    """A document's computed header and its rows in posting order.

    ``amount``, ``netamount``, ``paid`` in CHF, ``fxamount``, ``fxpaid`` in document currency.
    """

    amount: Decimal = ZERO
    netamount: Decimal = ZERO
    paid: Decimal = ZERO
    fxamount: Decimal = ZERO
    fxpaid: Decimal = ZERO
    exchangerate: Decimal = Decimal(1)
    taxincluded: bool = False
    duedate: str | None = None
    datepaid: str | None = None
    rows: list[PostingRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ArticleTerms:
    """Terms of one article at the document's date, for one customer or vendor.

    :param accno: income or expense account.
    :param rates: tax account to rate (fraction), the taxes that article and customer share.
    """

    accno: str
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms that master data contributes to a document.

    :param side: +1 for sales, -1 for purchases.
    :param tax_accnos: tax accounts of the customer or vendor, in their order.
    """

    side: int
    arap_accno: str
    payment_accno: str
    tax_accnos: Sequence[str]
    default_currency: str
    gain_accno: str
    loss_accno: str

    def is_foreign(self, document: Document) -> bool:
        """Whether the document is in another currency than the books."""
        return (document.get("currency") or self.default_currency) != self.default_currency

    def exchange_rate(self, document: Document) -> float:
        """CHF for one unit of the document's currency; 1 in the books' own currency."""
        return to_float(document.get("exchangerate"), 1.0) if self.is_foreign(document) else 1.0

    def gain_or_loss(self, credit: float) -> str:
        """Account that takes an exchange difference: gain for a credit, loss for a debit or for nothing."""
        return self.gain_accno if credit > 0 else self.loss_accno


def document_sign(document: Document) -> int:
    """-1 for the document types whose amounts are entered positive and booked negative."""
    return -1 if document.get("doctype") in REVERSED_TYPES else 1


def post_booking(document: Document, terms: Terms) -> Posted:
    """Post a document of the booking method: the caller names accounts and tax amounts.

    Payments that come with the document are not posted here (see ``payments``).

    :param document: a sale (``incomeentries``) or a purchase (``expenseentries``) with ``taxentries``.
    :param terms: the master data that concerns it.
    """
    sign = document_sign(document)
    rate = terms.exchange_rate(document)
    entries = _entries(document, sign)
    taxes = _taxes(document, terms, sign)
    entry_sum = sum(amount for _, amount, _ in entries)
    tax_sum = sum(amount for _, amount, _ in taxes)
    asked_inclusive = bool(document.get("taxincluded"))
    inclusive = asked_inclusive and entry_sum != 0
    if inclusive:
        entries = _without_tax(entries, entry_sum, tax_sum)

    posted = Posted(
        exchangerate=to_stored(rate),
        taxincluded=asked_inclusive,
        duedate=document.get("duedate") or document["transdate"],
        fxamount=to_stored(round_half_up(entry_sum if asked_inclusive else entry_sum + tax_sum)),
    )
    writer = _BookingWriter(posted, terms, document["transdate"], rate, terms.is_foreign(document))
    net = writer.write([(accno, amount, memo, False) for accno, amount, memo in entries])
    tax = writer.write([(accno, amount, None, ticked) for accno, amount, ticked in taxes])
    posted.netamount = to_stored(round_half_up(net))
    amount = round_half_up(net + tax)
    posted.amount = to_stored(amount)
    if amount:
        posted.rows.append(PostingRow(terms.arap_accno, to_stored(-terms.side * amount), document["transdate"]))
    return posted


def _entries(document: Document, sign: int) -> list[tuple[str, float, str | None]]:
    """Account, amount and text of the entries that are not zero."""
    if "incomeentries" in document:
        entries, key = document["incomeentries"], "income_accno"
    else:
        entries, key = document.get("expenseentries") or [], "expense_accno"
    return [
        (str(entry[key]), sign * amount, entry.get("description") or None)
        for entry in entries or []
        if (amount := to_float(entry.get("amount")))
    ]


def _taxes(document: Document, terms: Terms, sign: int) -> list[tuple[str, float, bool]]:
    """Account, amount and tick of every tax account of the customer, then of those only the document names.

    Accounts without a tax take part as well: a carry of the account before them may fall on them.
    """
    amounts = dict.fromkeys(terms.tax_accnos, 0.0)
    ticked = set()
    for entry in document.get("taxentries") or []:
        accno = str(entry["tax_accno"])
        amounts[accno] = amounts.get(accno, 0.0) + sign * to_float(entry.get("amount"))
        if entry.get("checked"):
            ticked.add(accno)
    return [(accno, amount, accno in ticked) for accno, amount in amounts.items()]


def _without_tax(
    entries: list[tuple[str, float, str | None]], entry_sum: float, tax_sum: float
) -> list[tuple[str, float, str | None]]:
    """Take the given tax out of the entries in proportion, carrying the rounding rest from entry to entry."""
    result = []
    carry = 0.0
    for accno, amount, memo in entries:
        share = tax_sum * amount / entry_sum - carry
        part = round_half_up(share)
        carry = part - share
        result.append((accno, amount - part, memo))
    return result


@dataclass(slots=True)
class _BookingWriter:
    """Writes rows in document currency, each followed by its difference to CHF."""

    posted: Posted
    terms: Terms
    transdate: str
    rate: float
    foreign: bool

    def write(self, items: list[tuple[str, float, str | None, bool]]) -> float:
        """Write one block (entries or taxes) and return its sum in CHF.

        The sum carries the rounding rest from item to item; the rows themselves are rounded singly.
        """
        total = carry = 0.0
        for accno, amount, memo, even_if_zero in items:
            exact = amount * self.rate - carry
            chf = round_half_up(exact)
            carry = chf - exact
            total += chf
            row = round_half_up(amount)
            if row or even_if_zero:
                self._append(accno, row, memo, fx=False)
            if self.foreign and (difference := round_half_up(chf - row)):
                self._append(accno, difference, None, fx=True)
        return total

    def _append(self, accno: str, amount: float, memo: str | None, *, fx: bool) -> None:
        self.posted.rows.append(
            PostingRow(accno, to_stored(self.terms.side * amount), self.transdate, memo=memo, fx=fx)
        )
