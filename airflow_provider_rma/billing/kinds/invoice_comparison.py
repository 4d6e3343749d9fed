"""Compare an invoice with what the books hold under its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.booked import BookedInvoice, booked_customer
from airflow_provider_rma.billing.kinds.base import Comparison
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.numbers import quote_number
from airflow_provider_rma.formatting import format_amount

#: Texts that do not change what is owed: a difference is reported, but is no conflict.
_TEXTS = ("ordnumber", "description", "notes")

#: Numbers of what an invoice refers to; in their place a record may name a person.
_NUMBERS = frozenset({"customernumber", "ar_accno"})


@dataclass
class _Findings:
    differences: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def check(self, name: str, ours: object, theirs: object) -> None:
        """Compare one value; what either side does not state is unchecked."""
        if ours is None or theirs is None:
            self.unchecked.append(name)
        elif ours != theirs:
            self.differences.append(f"{name}: meant {_written(name, ours)}, booked {_written(name, theirs)}")


def compare_invoice(document: InvoiceDocument, booked: Mapping[str, Any]) -> Comparison[InvoiceDocument]:
    """Compare number, customer, date, currency, lines and every figure that can be derived.

    :param document: the document as it is meant.
    :param booked: an invoice as read from RMA (:meth:`InvoiceSchema.from_wire`).
    """
    findings = _Findings()
    invoice = document.invoice
    findings.check("customernumber", document.customernumber, booked_customer(booked))
    findings.check("transdate", invoice["transdate"], booked.get("transdate"))
    if invoice.get("duedate"):
        findings.check("duedate", invoice["duedate"], booked.get("duedate"))
    findings.check("currency", document.currency, booked.get("currency") or None)
    if invoice.get("ar_accno"):
        findings.check("ar_accno", invoice["ar_accno"], booked.get("ar_accno") or None)
    _compare_totals(findings, document, booked)
    _compare_lines(findings, document, booked)
    texts = [name for name in _TEXTS if invoice.get(name) and _differs(invoice[name], booked.get(name))]
    return Comparison(
        BookedInvoice.from_rma(booked), tuple(findings.differences), tuple(texts), tuple(findings.unchecked)
    )


def _compare_totals(findings: _Findings, document: InvoiceDocument, booked: Mapping[str, Any]) -> None:
    if document.currency != "CHF":
        # Whether RMA states a foreign-currency document's totals in CHF or in its currency is not known.
        findings.unchecked.extend(["net", "gross"])
        return
    findings.check("net", document.totals.net, booked.get("netamount"))
    findings.check("gross", document.totals.gross, booked.get("amount"))


def _compare_lines(findings: _Findings, document: InvoiceDocument, booked: Mapping[str, Any]) -> None:
    """Compare lines without regard to their order; the ledger skips entries of zero."""
    invoice = document.invoice
    for name, keys in _LINES.items():
        if not invoice.get(name):
            continue
        if not any(booked.get(other) for other in _LINES):
            findings.unchecked.append(name)
        elif invoice.get("taxincluded") and name != "parts":
            # Whether entries come back with or without the tax that was taken out of them is not known.
            findings.unchecked.append(name)
        elif _lines(invoice[name], keys) != _lines(booked[name], keys):
            findings.differences.append(
                f"{name}: {len(invoice[name])} meant, {len(booked[name])} booked, or other values"
            )


_LINES = {
    "parts": ("partnumber", "quantity", "sellprice", "discount"),
    "incomeentries": ("income_accno", "amount"),
    "taxentries": ("tax_accno", "amount"),
}


def _lines(lines: list[dict[str, Any]], keys: tuple[str, ...]) -> Counter[tuple[object, ...]]:
    rows = [tuple(_plain(line.get(key)) for key in keys) for line in lines if line.get("amount") != 0]
    return Counter(rows)


def _plain(value: object) -> object:
    """A value in the form in which it is compared: no discount is a discount of zero, 5 is 5.0."""
    if value is None:
        return Decimal(0)
    return value


def _written(name: str, value: object) -> str:
    if isinstance(value, Decimal):
        return format_amount(value)
    return quote_number(str(value), "another number") if name in _NUMBERS else str(value)


def _differs(ours: str, theirs: str | None) -> bool:
    return theirs is not None and ours.split() != theirs.split()
