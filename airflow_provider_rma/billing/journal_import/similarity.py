"""Similarity of an invoice in the source with the one that the books hold under its number.

A script leaves traces: a date that slipped over midnight, a total rounded to five rappen, a text cut to the length of a
column. Such minor differences are told from those that make it another invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.kinds.invoice_comparison import compare_invoice
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.totals import line_amount
from airflow_provider_rma.formatting import format_amount

#: Largest difference of an amount that a rounding to the smallest coin (five rappen) makes, in its currency.
MINOR_AMOUNT = Decimal("0.05")
#: Largest difference of a date that a time zone makes, in days.
MINOR_DAYS = 1

_LINES = {"parts": "partnumber", "incomeentries": "income_accno", "taxentries": "tax_accno"}


@dataclass(frozen=True)
class FieldDifference:
    """One field that differs.

    :param sentence: free of personal data.
    :param is_minor: whether it may come from rounding, cutting, or a slip over midnight.
    """

    field: str
    sentence: str
    is_minor: bool


@dataclass(frozen=True)
class Similarity:
    """Differences of two invoices of one number.

    :param unchecked: names of what could not be compared.
    """

    differences: tuple[FieldDifference, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def is_minor(self) -> bool:
        """Whether every difference is minor."""
        return all(difference.is_minor for difference in self.differences)


def compare_loosely(document: InvoiceDocument, booked: Mapping[str, Any]) -> Similarity:
    """Compare a document with the one in the books, and weigh each difference.

    :param document: the invoice of the source.
    :param booked: an invoice as read from RMA.
    """
    comparison = compare_invoice(document, booked)
    differences = [_weigh(sentence, document, booked) for sentence in comparison.differences]
    differences += [_compare_texts(name, document.invoice[name], booked.get(name) or "") for name in comparison.texts]
    return Similarity(tuple(differences), comparison.unchecked)


def _weigh(sentence: str, document: InvoiceDocument, booked: Mapping[str, Any]) -> FieldDifference:
    name = sentence.partition(":")[0]
    invoice, totals = document.invoice, document.totals
    if name in ("transdate", "duedate"):
        return _compare_days(sentence, name, invoice[name], booked[name])
    if name == "net" and totals.net is not None:
        return _compare_amounts(sentence, name, totals.net, booked["netamount"])
    if name == "gross" and totals.gross is not None:
        return _compare_amounts(sentence, name, totals.gross, booked["amount"])
    if name in _LINES:
        return FieldDifference(name, sentence, _are_lines_similar(name, invoice[name], booked.get(name) or ()))
    return FieldDifference(name, sentence, is_minor=False)


def _compare_days(sentence: str, name: str, ours: date, theirs: date) -> FieldDifference:
    days = abs((ours - theirs).days)
    return FieldDifference(name, f"{sentence} ({days} {'day' if days == 1 else 'days'} off)", days <= MINOR_DAYS)


def _compare_amounts(sentence: str, name: str, ours: Decimal, theirs: Decimal) -> FieldDifference:
    off = abs(ours - theirs)
    return FieldDifference(name, f"{sentence} ({format_amount(off)} off)", off <= MINOR_AMOUNT)


def _compare_texts(name: str, ours: str, theirs: str) -> FieldDifference:
    ours, theirs = " ".join(ours.split()), " ".join(theirs.split())
    if not theirs:
        return FieldDifference(name, f"{name}: empty in RMA", is_minor=True)
    cut = ours.startswith(theirs)
    return FieldDifference(
        name, f"{name}: cut after {len(theirs)} characters" if cut else f"{name}: other words", is_minor=True
    )


def _are_lines_similar(name: str, ours: Iterable[Mapping[str, Any]], theirs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether both have the same articles or accounts, with amounts that differ by a rounding only."""
    pairs = [_sorted(name, ours), _sorted(name, theirs)]
    return len(pairs[0]) == len(pairs[1]) and all(
        key == other and abs(amount - booked) <= MINOR_AMOUNT
        for (key, amount), (other, booked) in zip(*pairs, strict=True)
    )


def _sorted(name: str, lines: Iterable[Mapping[str, Any]]) -> list[tuple[str, Decimal]]:
    amounts = [(str(line.get(_LINES[name]) or ""), _line_total(name, line)) for line in lines]
    return sorted((key, amount) for key, amount in amounts if amount)


def _line_total(name: str, line: Mapping[str, Any]) -> Decimal:
    if name != "parts":
        return line.get("amount") or Decimal(0)
    return line_amount(line) if line.get("sellprice") and line.get("quantity") else Decimal(0)
