"""The result of a comparison: kinds of matches, invoices with how they match, and the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.journal.model import ImportCounts
from airflow_provider_rma.described_enum import DescribedEnum

#: How many invoices of a kind a report names; the file has all of them.
NAMED = 20


class MatchKind(DescribedEnum):
    """How one invoice of the source and the books fit."""

    MATCH = "match", "in both, nothing differs"
    NEAR_MATCH = "near_match", "in both, differs as by rounding, cutting or a slip over midnight"
    CONFLICT = "conflict", "in both under one number, and not the same invoice"
    MISSING = "missing", "in the source, not in the books: a later run bills it"
    PROBABLE_DUPLICATE = (
        "probable_duplicate",
        "not in the books, but the same customer, date and gross under another number",
    )
    DUPLICATE = "duplicate", "in the books more than once under its number"
    EXTRA = "extra", "in the books, not in the source"
    INVALID = "invalid", "cannot be read as an invoice"


@dataclass(frozen=True)
class MatchedInvoice:
    """One invoice of the source or of the books, and how both fit; free of personal data.

    :param position: of its record in the source, from 1; None for what only the books hold.
    :param fields: names of the fields that differ.
    :param net: total without tax, as booked if it is in the books, else by the source.
    :param gross: total with tax, as booked if it is in the books, else by the source.
    """

    kind: MatchKind
    number: str
    position: int | None = None
    reasons: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    transdate: date | None = None
    net: Decimal | None = None
    gross: Decimal | None = None
    currency: str = "CHF"
    unchecked: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the members of its line in the report file: what is empty is left out."""
        values: dict[str, Any] = {
            "kind": str(self.kind),
            "number": self.number,
            "position": self.position,
            "transdate": self.transdate.isoformat() if self.transdate else None,
            "net": _to_text(self.net),
            "gross": _to_text(self.gross),
            "currency": self.currency if self.gross is not None or self.net is not None else None,
            "document_ids": list(self.document_ids),
            "fields": list(self.fields),
            "reasons": list(self.reasons),
            "unchecked": list(self.unchecked),
        }
        return {name: value for name, value in values.items() if value not in (None, [])}


@dataclass
class ImportReport:
    """Counts and totals of a comparison, and what the journal made of it.

    :param source: records of the source in the period, and those whose date cannot be read.
    :param outside: records of the source dated outside of the period; only their numbers count.
    :param read: invoices in the books, of all times.
    :param totals: sum of the gross amounts (net where that is not known) by kind, in CHF.
    :param fields: how often each field differs.
    :param named: the first invoices of each kind other than ``match``.
    :param imported: what the journal made of the matches; None if it was not written.
    :param blocked: numbers that are blocked in the journal, or would be if it were written.
    :param accepted_without_need: accepted numbers about which there was nothing to decide.
    :param path: file with all invoices.
    """

    first: date
    last: date
    source: int = 0
    outside: int = 0
    read: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    totals: dict[str, Decimal] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[MatchedInvoice]] = field(default_factory=dict)
    imported: ImportCounts | None = None
    blocked: int = 0
    accepted_without_need: tuple[str, ...] = ()
    path: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether everything matches."""
        return not any(count for kind, count in self.counts.items() if kind != MatchKind.MATCH)

    def add(self, invoice: MatchedInvoice) -> None:
        """Count an invoice."""
        kind = str(invoice.kind)
        self.counts[kind] += 1
        self.fields.update(invoice.fields)
        amount = invoice.gross if invoice.gross is not None else invoice.net
        if amount is not None and invoice.currency == "CHF":
            self.totals[kind] = self.totals.get(kind, Decimal(0)) + amount
        named = self.named.setdefault(kind, [])
        if invoice.kind != MatchKind.MATCH and len(named) < NAMED:
            named.append(invoice)


def _to_text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
