"""How like an invoice of somebody's own data is to the one that the books hold under its number.

A script of former days leaves marks: a date that slipped over midnight, a total rounded to five rappen, a text cut to
the length of a column. Such differences are told from those that make it another invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.comparison import compare
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.totals import line_amount

#: What a rounding to the smallest coin (five rappen) may move an amount, in the document's currency.
NEAR_AMOUNT = Decimal("0.05")
#: What a time zone may move a date.
NEAR_DAYS = 1

_LINES = {"parts": "partnumber", "incomeentries": "income_accno", "taxentries": "tax_accno"}


@dataclass(frozen=True)
class Difference:
    """One field that differs.

    :param text: a sentence about it, free of personal data.
    :param near: whether it may come from rounding, cutting, or a slip over midnight.
    """

    field: str
    text: str
    near: bool


@dataclass(frozen=True)
class Similarity:
    """What a comparison found.

    :param unchecked: names of what could not be compared.
    """

    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def near(self) -> bool:
        """Whether everything that differs is near."""
        return all(difference.near for difference in self.differences)


def liken(document: Document, booked: Mapping[str, Any]) -> Similarity:
    """Compare a document with the one in the books.

    :param document: the invoice by somebody's own data.
    :param booked: an invoice as read from RMA.
    """
    comparison = compare(document, booked)
    differences = [_weigh(sentence, document, booked) for sentence in comparison.differences]
    differences += [_text(name, document.invoice[name], booked.get(name) or "") for name in comparison.texts]
    return Similarity(tuple(differences), comparison.unchecked)


def _weigh(sentence: str, document: Document, booked: Mapping[str, Any]) -> Difference:
    name = sentence.partition(":")[0]
    invoice, figures = document.invoice, document.figures
    if name in ("transdate", "duedate"):
        return _days(sentence, name, invoice[name], booked[name])
    if name == "net" and figures.net is not None:
        return _amount(sentence, name, figures.net, booked["netamount"])
    if name == "gross" and figures.gross is not None:
        return _amount(sentence, name, figures.gross, booked["amount"])
    if name in _LINES:
        return Difference(name, sentence, _lines_are_near(name, invoice[name], booked.get(name) or ()))
    return Difference(name, sentence, near=False)


def _days(sentence: str, name: str, ours: date, theirs: date) -> Difference:
    days = abs((ours - theirs).days)
    return Difference(name, f"{sentence} ({days} {'day' if days == 1 else 'days'} off)", days <= NEAR_DAYS)


def _amount(sentence: str, name: str, ours: Decimal, theirs: Decimal) -> Difference:
    off = abs(ours - theirs)
    return Difference(name, f"{sentence} ({off:.2f} off)", off <= NEAR_AMOUNT)


def _text(name: str, ours: str, theirs: str) -> Difference:
    ours, theirs = " ".join(ours.split()), " ".join(theirs.split())
    if not theirs:
        return Difference(name, f"{name}: empty in RMA", near=True)
    cut = ours.startswith(theirs)
    return Difference(name, f"{name}: cut after {len(theirs)} characters" if cut else f"{name}: other words", near=True)


def _lines_are_near(name: str, ours: Iterable[Mapping[str, Any]], theirs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether both have the same articles or accounts, with amounts that are near."""
    pairs = [_sorted(name, ours), _sorted(name, theirs)]
    return len(pairs[0]) == len(pairs[1]) and all(
        key == other and abs(amount - booked) <= NEAR_AMOUNT
        for (key, amount), (other, booked) in zip(*pairs, strict=True)
    )


def _sorted(name: str, lines: Iterable[Mapping[str, Any]]) -> list[tuple[str, Decimal]]:
    amounts = [(str(line.get(_LINES[name]) or ""), _amount_of(name, line)) for line in lines]
    return sorted((key, amount) for key, amount in amounts if amount)


def _amount_of(name: str, line: Mapping[str, Any]) -> Decimal:
    if name != "parts":
        return line.get("amount") or Decimal(0)
    return line_amount(line) if line.get("sellprice") and line.get("quantity") else Decimal(0)
