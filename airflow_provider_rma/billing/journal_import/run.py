"""Take over from a script: hold what it was given against what it has booked. Nothing is ever sent.

What matches is journalled as booked. What looks as if it were booked under another number is blocked, so that no later
run bills it a second time, until a person has decided.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import IO, Any

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.files import IMPORT_REPORT, RunFolder
from airflow_provider_rma.billing.journal.model import ImportCounts, JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.journal_import.booked_index import BookedIndex, Shelved
from airflow_provider_rma.billing.journal_import.similarity import liken
from airflow_provider_rma.billing.kinds.invoice import Document, InputRules, read_invoice
from airflow_provider_rma.billing.lookup import FIRST_DAY, LAST_DAY
from airflow_provider_rma.billing.numbers import normalize_number, read_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.described_enum import DescribedEnum
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError

log = logging.getLogger(__name__)

#: How many findings of a kind a report names; the file has all of them.
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
    """What was found out about one invoice; free of personal data.

    :param position: of its record in the source, from 1; None for what only the books hold.
    :param fields: names of the fields that differ.
    :param net: total without tax, as booked if it is in the books, else by the source.
    :param gross: total with tax, likewise.
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
        """The finding as written into the report file: what is empty is left out."""
        values: dict[str, Any] = {
            "kind": str(self.kind),
            "number": self.number,
            "position": self.position,
            "transdate": self.transdate.isoformat() if self.transdate else None,
            "net": _money(self.net),
            "gross": _money(self.gross),
            "currency": self.currency if self.gross is not None or self.net is not None else None,
            "document_ids": list(self.document_ids),
            "fields": list(self.fields),
            "reasons": list(self.reasons),
            "unchecked": list(self.unchecked),
        }
        return {name: value for name, value in values.items() if value not in (None, [])}


@dataclass
class ImportReport:
    """The whole report.

    :param source: records of the source in the period, and those whose date cannot be read.
    :param outside: records of the source dated outside of the period; only their numbers count.
    :param read: invoices in the books, of all times.
    :param totals: sum of the gross amounts (net where that is not known) by kind, in CHF.
    :param fields: how often each field differs.
    :param named: the first findings of each kind other than ``match``.
    :param adoption: what the journal made of the matches; None if it was not written.
    :param blocked: numbers that are blocked in the journal, or would be if it were written.
    :param unused: accepted numbers about which there was nothing to decide.
    :param path: file with all findings.
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
    adoption: ImportCounts | None = None
    blocked: int = 0
    unused: tuple[str, ...] = ()
    path: str = ""

    @property
    def clean(self) -> bool:
        """Whether everything matches."""
        return not any(count for kind, count in self.counts.items() if kind != MatchKind.MATCH)

    def add(self, finding: MatchedInvoice) -> None:
        """Count a finding."""
        kind = str(finding.kind)
        self.counts[kind] += 1
        self.fields.update(finding.fields)
        amount = finding.gross if finding.gross is not None else finding.net
        if amount is not None and finding.currency == "CHF":
            self.totals[kind] = self.totals.get(kind, Decimal(0)) + amount
        named = self.named.setdefault(kind, [])
        if finding.kind != MatchKind.MATCH and len(named) < NAMED:
            named.append(finding)


@dataclass
class JournalImport:
    """Compares a source with the books of a tenant over a period.

    :param journal: the tenant's journal of invoices; changed only if ``write`` is set.
    :param output: where the report file goes.
    :param first: first day of the period, inclusive.
    :param last: last day of the period, inclusive.
    :param write: journal what matches, and block what is probably booked under another number.
    :param accepted: numbers of which a person says that they are no duplicates.
    :param who: the person.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused without.
    """

    client: RunMyAccountsClient
    journal: Journal
    output: RunFolder
    first: date
    last: date
    write: bool = False
    accepted: Collection[str] = ()
    who: str = ""
    input_timezone: str | None = None

    def run(self, records: Iterable[Mapping[str, Any]]) -> ImportReport:
        """Read both sides, compare, and report.

        :param records: the source, with RMA's field names, see :mod:`airflow_provider_rma.billing.records`.
        :raises ConfigurationError: if the period ends before it begins.
        :raises InvalidInputError: if the source cannot be read.
        :raises RequestError: if the list of invoices cannot be read to its end; nothing is journalled then.
        """
        if self.first > self.last:
            raise ConfigurationError("period: it ends before it begins", advice="Give the first day, then the last.")
        report = ImportReport(self.first, self.last)
        self._used: set[str] = set()
        with WorkingSet() as spool, BookedIndex() as shelf:
            self._read_source(records, spool, shelf, report)
            self._read_books(spool, shelf, report)
            report.path, stream = self.output.create(IMPORT_REPORT)
            with stream:
                matches = self._matches(spool, shelf, report, stream)
                if self.write:
                    report.adoption = self.journal.import_many(
                        matches, note="imported: booked before, by another program"
                    )
                else:
                    for _ in matches:
                        pass
        report.unused = tuple(number for number in self.accepted if normalize_number(number) not in self._used)
        log.info("Adoption: %s. File: %s", dict(report.counts), report.path)
        return report

    def _read_source(
        self, records: Iterable[Mapping[str, Any]], spool: WorkingSet, shelf: BookedIndex, report: ImportReport
    ) -> None:
        for position, record in enumerate(records, start=1):
            number = read_number(record, "invnumber")
            result: Document | DocumentResult
            try:
                # Whatever the script has billed counts, in every currency.
                currencies = {"CHF", str(record.get("currency") or "CHF")}
                rules = InputRules(send_customers=True, currencies=currencies, input_timezone=self.input_timezone)
                result = read_invoice(record, position, rules)
            except InvalidInputError as error:
                result = DocumentResult(position, number, Outcome.INVALID, tuple(map(str, error.problems)))
            if isinstance(result, Document) and not self.first <= result.invoice["transdate"] <= self.last:
                shelf.set_aside(result.key)
                report.outside += 1
                continue
            report.source += 1
            spool.add(position, number, {}, result)
        for number, positions in spool.repeated():
            where = ", ".join(map(str, positions))
            for position in positions:
                reason = f"invnumber: {number} stands at positions {where} of the source; keep the one that is meant"
                spool.settle(DocumentResult(position, number, Outcome.INVALID, (reason,)))

    def _read_books(self, spool: WorkingSet, shelf: BookedIndex, report: ImportReport) -> None:
        # In XML, which is read in flat memory, whatever the connection says.
        for booked in self.client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY, content_type="xml"):
            report.read += 1
            document = spool.document(str(booked.get("invnumber") or ""))
            shelf.add(booked, liken(document, booked) if document else None)

    def _matches(
        self, spool: WorkingSet, shelf: BookedIndex, report: ImportReport, stream: IO[bytes]
    ) -> Iterator[tuple[BookedDocument, str]]:
        """Write every finding, and give the matches."""
        for row, document, position, number, _ in spool.plan():
            if row is not None or document is None:
                finding = MatchedInvoice(MatchKind.INVALID, number, position, row.reasons if row else ())
                _write(stream, finding, report)
                continue
            booked = shelf.under(document.key)
            finding = self._compared(document, booked, shelf, report)
            _write(stream, finding, report)
            if finding.kind == MatchKind.MATCH:
                yield _found(document, booked[0]), document.content_hash
        for key in shelf.keys_of(self.first, self.last):
            booked = shelf.under(key)
            if not spool.carries(booked[0].number) and not shelf.is_aside(key):
                _write(stream, _only_booked(booked), report)

    def _compared(
        self, document: Document, booked: list[Shelved], shelf: BookedIndex, report: ImportReport
    ) -> MatchedInvoice:
        if not booked:
            return self._not_booked(document, shelf.twins(document), report)
        if len(booked) > 1:
            return _duplicate(booked, document.position)
        (one,) = booked
        likeness = one.likeness
        assert likeness is not None  # noqa: S101 - compared when it was read
        kind = MatchKind.MATCH if likeness.same else MatchKind.NEAR_MATCH if likeness.near else MatchKind.CONFLICT
        return MatchedInvoice(
            kind,
            document.number,
            document.position,
            tuple(difference.text for difference in likeness.differences),
            tuple(difference.field for difference in likeness.differences),
            one.ids,
            document.invoice["transdate"],
            one.net,
            one.gross,
            one.currency,
            likeness.unchecked,
        )

    def _not_booked(self, document: Document, twins: list[Shelved], report: ImportReport) -> MatchedInvoice:
        kind, reasons = MatchKind.MISSING, ("not in the books; a later run bills it",)
        if twins:
            kind, reason = self._probable_duplicate(document, twins, report)
            reasons = (reason,)
        return MatchedInvoice(
            kind,
            document.number,
            document.position,
            reasons,
            document_ids=tuple(one for twin in twins for one in twin.ids),
            transdate=document.invoice["transdate"],
            net=document.figures.net,
            gross=document.figures.gross,
            currency=document.currency,
        )

    def _probable_duplicate(
        self, document: Document, twins: list[Shelved], report: ImportReport
    ) -> tuple[MatchKind, str]:
        """Decide about an invoice that seems to be booked under another number, and block it if it may be."""
        number, key = document.number, document.key
        likely = f"probably booked as {_numbers(twins)}: same customer, date and {_compared_total(document)}"
        entry = self.journal.get([key]).get(key)
        if key in {normalize_number(accepted) for accepted in self.accepted}:
            self._used.add(key)
            if self.write:
                self._accept(document, entry, likely)
            return MatchKind.MISSING, f"accepted as an invoice of its own, not {_numbers(twins)}; a later run bills it"
        if entry is not None and self._is_decided(number):
            return (
                MatchKind.MISSING,
                f"decided to be an invoice of its own, not {_numbers(twins)}; a later run bills it",
            )
        if entry is not None and entry.state == JournalState.CREATED:
            return MatchKind.PROBABLE_DUPLICATE, f"{likely}; the journal holds it as booked, so no run sends it"
        if entry is not None and entry.is_alive(self.journal.now()):
            return MatchKind.PROBABLE_DUPLICATE, f"{likely}; a run is sending it, repeat this after its settle time"
        report.blocked += 1
        if self.write and (entry is None or entry.state != JournalState.BLOCKED):
            self.journal.block(number, document.content_hash, entry, reason=likely)
        return MatchKind.PROBABLE_DUPLICATE, f"{likely}; no run sends it until a person has decided"

    def _accept(self, document: Document, entry: JournalRow | None, likely: str) -> None:
        """Record the decision, so that the next adoption knows it too."""
        if entry is None:
            entry = self.journal.block(document.number, document.content_hash, None, reason=likely)
        if entry is not None and entry.state == JournalState.BLOCKED:
            self.journal.resolve(document.number, "absent", who=self.who or "?", reason="accepted when adopting")

    def _is_decided(self, number: str) -> bool:
        """Whether a person has released a number that was blocked."""
        moves = ((event.before, event.after) for event in self.journal.history(number))
        return (JournalState.BLOCKED, JournalState.RELEASED) in moves


def _write(stream: IO[bytes], finding: MatchedInvoice, report: ImportReport) -> None:
    report.add(finding)
    stream.write((json.dumps(finding.as_dict(), ensure_ascii=False) + "\n").encode())


def _found(document: Document, booked: Shelved) -> BookedDocument:
    return BookedDocument(document.number, next(iter(booked.ids), None), booked.net, booked.gross, booked.currency)


def _only_booked(booked: list[Shelved]) -> MatchedInvoice:
    if len(booked) > 1:
        return _duplicate(booked, None)
    (one,) = booked
    reasons = ("in the books, not in the source",)
    return MatchedInvoice(
        MatchKind.EXTRA, one.number, None, reasons, (), one.ids, one.transdate, one.net, one.gross, one.currency
    )


def _duplicate(booked: list[Shelved], position: int | None) -> MatchedInvoice:
    ids = tuple(one for booked_one in booked for one in booked_one.ids)
    reason = f"{len(booked)} documents carry this number (ids {', '.join(ids) or '?'}); have all but one removed in RMA"
    first = booked[0]
    gross = None if any(one.gross is None for one in booked) else sum(one.gross or Decimal(0) for one in booked)
    return MatchedInvoice(
        MatchKind.DUPLICATE,
        first.number,
        position,
        (reason,),
        document_ids=ids,
        transdate=first.transdate,
        gross=Decimal(gross) if gross is not None else None,
        currency=first.currency,
    )


def _compared_total(document: Document) -> str:
    """What of the amounts was compared to find a twin."""
    if document.currency != "CHF":
        return f"currency (totals in {document.currency} cannot be compared)"
    figures = document.figures
    return "gross" if figures.gross is not None else "net" if figures.net is not None else "currency"


def _numbers(twins: list[Shelved]) -> str:
    shown = ", ".join(twin.number for twin in twins[:3])
    return shown + (f" and {len(twins) - 3} more" if len(twins) > 3 else "")


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
