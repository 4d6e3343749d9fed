"""Matching of a source with the books, invoice by invoice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import IO

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.files import to_line
from airflow_provider_rma.billing.journal.model import JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.journal_import.booked_index import BookedIndex, IndexedInvoice
from airflow_provider_rma.billing.journal_import.model import ImportReport, MatchedInvoice, MatchKind
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.working_set import WorkingSet


@dataclass
class Matcher:
    """Decides about every invoice of the source, and names the invoices that only the books hold.

    :param working_set: the records of the source.
    :param index: the invoices of the books.
    :param report: counts every invoice.
    :param stream: the report file.
    :param write: block what is probably booked under another number, and record what a person accepts.
    :param accepted: numbers of which a person says that they are no duplicates.
    :param who: the person.
    """

    working_set: WorkingSet[InvoiceDocument]
    index: BookedIndex
    journal: Journal
    report: ImportReport
    stream: IO[bytes]
    write: bool
    accepted: Collection[str]
    who: str

    def __post_init__(self) -> None:
        self._accepted = {normalize_number(number) for number in self.accepted}
        self._needed: set[str] = set()

    def match(self) -> Iterator[tuple[BookedDocument, str]]:
        """Match everything, writing each invoice into the report file.

        :returns: the documents of the books that match, with the hash of the content that was meant.
        """
        for record in self.working_set.decided():
            document = record.document
            if record.result is not None or document is None:
                reasons = record.result.reasons if record.result else ()
                self._write(MatchedInvoice(MatchKind.INVALID, record.number, record.position, reasons))
                continue
            found = self.index.find(document.key)
            invoice = self._match_document(document, found)
            self._write(invoice)
            if invoice.kind == MatchKind.MATCH:
                yield replace(found[0].booked, number=document.number), document.content_hash
        for key in self.index.keys_between(self.report.first, self.report.last):
            found = self.index.find(key)
            if not self.working_set.carries(key) and not self.index.is_aside(key):
                self._write(_only_booked(found))
        self.report.accepted_without_need = tuple(
            number for number in self.accepted if normalize_number(number) not in self._needed
        )

    def _write(self, invoice: MatchedInvoice) -> None:
        self.report.add(invoice)
        self.stream.write(to_line(invoice.as_dict()))

    def _match_document(self, document: InvoiceDocument, found: Sequence[IndexedInvoice]) -> MatchedInvoice:
        if not found:
            return self._match_absent(document, self.index.find_twins(document))
        if len(found) > 1:
            return _duplicate(found, document.position)
        (only,) = found
        booked, similarity = only.booked, only.similarity
        assert similarity is not None  # noqa: S101 - compared when it was read
        if similarity.is_same:
            kind = MatchKind.MATCH
        else:
            kind = MatchKind.NEAR_MATCH if similarity.is_minor else MatchKind.CONFLICT
        return MatchedInvoice(
            kind,
            document.number,
            document.position,
            tuple(difference.sentence for difference in similarity.differences),
            tuple(difference.field for difference in similarity.differences),
            _ids(found),
            document.invoice["transdate"],
            booked.net,
            booked.gross,
            booked.currency or "CHF",
            similarity.unchecked,
        )

    def _match_absent(self, document: InvoiceDocument, twins: Sequence[IndexedInvoice]) -> MatchedInvoice:
        kind, reason = MatchKind.MISSING, "not in the books; a later run bills it"
        if twins:
            kind, reason = self._decide_twins(document, twins)
        return MatchedInvoice(
            kind,
            document.number,
            document.position,
            (reason,),
            document_ids=_ids(twins),
            transdate=document.invoice["transdate"],
            net=document.totals.net,
            gross=document.totals.gross,
            currency=document.currency,
        )

    def _decide_twins(self, document: InvoiceDocument, twins: Sequence[IndexedInvoice]) -> tuple[MatchKind, str]:
        """Decide about an invoice that seems to be booked under another number, and block it if it may be."""
        number, key = document.number, document.key
        likely = f"probably booked as {_list_numbers(twins)}: same customer, date and {_compared_total(document)}"
        row = self.journal.get([key]).get(key)
        if key in self._accepted:
            self._needed.add(key)
            if self.write:
                self._accept(document, row, likely)
            reason = f"accepted as an invoice of its own, not {_list_numbers(twins)}; a later run bills it"
            return MatchKind.MISSING, reason
        if row is not None and self._is_decided(number):
            reason = f"decided to be an invoice of its own, not {_list_numbers(twins)}; a later run bills it"
            return MatchKind.MISSING, reason
        if row is not None and row.state == JournalState.CREATED:
            return MatchKind.PROBABLE_DUPLICATE, f"{likely}; the journal holds it as booked, so no run sends it"
        if row is not None and row.is_alive(self.journal.now()):
            return MatchKind.PROBABLE_DUPLICATE, f"{likely}; a run is sending it, repeat this after its settle time"
        self.report.blocked += 1
        if self.write and (row is None or row.state != JournalState.BLOCKED):
            self.journal.block(number, document.content_hash, row, reason=likely)
        return MatchKind.PROBABLE_DUPLICATE, f"{likely}; no run sends it until a person has decided"

    def _accept(self, document: InvoiceDocument, row: JournalRow | None, likely: str) -> None:
        """Record the decision, so that the next import knows it too."""
        if row is None:
            row = self.journal.block(document.number, document.content_hash, None, reason=likely)
        if row is not None and row.state == JournalState.BLOCKED:
            self.journal.resolve(document.number, "absent", who=self.who, reason="accepted at import")

    def _is_decided(self, number: str) -> bool:
        """Whether a person has released a number that was blocked."""
        changes = ((event.before, event.after) for event in self.journal.history(number))
        return (JournalState.BLOCKED, JournalState.RELEASED) in changes


def _only_booked(found: Sequence[IndexedInvoice]) -> MatchedInvoice:
    if len(found) > 1:
        return _duplicate(found, None)
    booked = found[0].booked
    return MatchedInvoice(
        MatchKind.EXTRA,
        booked.number,
        reasons=("in the books, not in the source",),
        document_ids=_ids(found),
        transdate=booked.transdate,
        net=booked.net,
        gross=booked.gross,
        currency=booked.currency or "CHF",
    )


def _duplicate(found: Sequence[IndexedInvoice], position: int | None) -> MatchedInvoice:
    ids = _ids(found)
    reason = f"{len(found)} documents carry this number (ids {', '.join(ids) or '?'}); have all but one removed in RMA"
    first = found[0].booked
    totals = [invoice.booked.gross for invoice in found]
    return MatchedInvoice(
        MatchKind.DUPLICATE,
        first.number,
        position,
        (reason,),
        document_ids=ids,
        transdate=first.transdate,
        gross=None if None in totals else sum((total for total in totals if total is not None), Decimal(0)),
        currency=first.currency or "CHF",
    )


def _ids(found: Sequence[IndexedInvoice]) -> tuple[str, ...]:
    return tuple(invoice.booked.document_id for invoice in found if invoice.booked.document_id is not None)


def _compared_total(document: InvoiceDocument) -> str:
    """Name the amount that was compared to find a twin."""
    if document.currency != "CHF":
        return f"currency (totals in {document.currency} cannot be compared)"
    totals = document.totals
    return "gross" if totals.gross is not None else "net" if totals.net is not None else "currency"


def _list_numbers(twins: Sequence[IndexedInvoice]) -> str:
    shown = ", ".join(twin.booked.number for twin in twins[:3])
    return shown + (f" and {len(twins) - 3} more" if len(twins) > 3 else "")
