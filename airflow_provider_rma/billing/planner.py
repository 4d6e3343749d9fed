"""Decide, by reading only, what is to be done with each document."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.comparison import Comparison
from airflow_provider_rma.billing.journal.model import OPEN, JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.customer_fields import overwriting
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.lookup import look_up, read_list, read_master_data
from airflow_provider_rma.billing.outcomes import CREATE, DocumentResult, Outcome
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.working_set import Hit, WorkingSet
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.formatting import format_time

log = logging.getLogger(__name__)


@dataclass
class Planner:
    """Decides about every document of a spool.

    :param refused_customers: reasons by number of customers who were refused before: their invoices name the cause.
    :ivar seen: the journal's rows on which decisions to send rest, by business key.
    :ivar alarms: what is wrong in the books with documents of earlier runs that this run's input does not carry.
    :ivar retry_at: when the last document in doubt resolves itself (seconds since 1970), None without any doubt.
    """

    spool: WorkingSet
    client: RunMyAccountsClient
    journal: Journal
    policy: Policy
    refused_customers: Mapping[str, str] = field(default_factory=dict)
    seen: dict[str, JournalRow] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    retry_at: float | None = None

    def run(self) -> None:
        """Decide. Reads the books and the master data; of the journal only rows in doubt are changed."""
        self._refuse_repeated()
        # Only what is absent from a reading begun after its settle time is proven absent. The journal is read after the
        # books: a row that another run changes between the two is seen, and one that it changes later is refused by
        # the claim.
        started = self.journal.now()
        doubtful = {entry.key: entry for entry in self.journal.open_rows()}
        if doubtful or next(self.spool.pending(), None) is not None:
            self._read_books(doubtful)
        self._settle_others(doubtful, started)
        creating = False
        for documents in _chunks(self.spool.pending(), 200):
            entries = self.journal.get(document.key for document in documents)
            for document in documents:
                creating |= self._settle(document, entries.get(document.key), started)
        if creating and self.policy.check_master_data:
            self._check_master_data()

    def _read_books(self, doubtful: Mapping[str, JournalRow]) -> None:
        known = self.journal.newest_booked() if self.policy.absence == "look_up" else ()
        if not (known and look_up(self.client, self.spool, doubtful, known)):
            read_list(self.client, self.spool, doubtful)

    def _settle(self, document: Document, entry: JournalRow | None, started: float) -> bool:
        """Decide about one document; True if it is to be sent."""
        row = self._decide(document, entry, started)
        planned = self.spool.planned(document.position)
        if row is None and planned not in (None, CREATE):
            reason = f"not sent: the approved plan says {planned}, and now it would be sent; plan again"
            row = DocumentResult(document.position, document.number, Outcome.HELD, (reason,))
        if row is not None:
            self.spool.settle(row)
            if row.outcome == Outcome.UNKNOWN and entry is not None:
                self._wait_for(entry)
            return False
        self.spool.create(document.position)
        if entry is not None:
            self.seen[document.key] = entry
        return True

    def _wait_for(self, entry: JournalRow) -> None:
        self.retry_at = max(self.retry_at or 0.0, entry.settles_at or 0.0)

    def _refuse_repeated(self) -> None:
        for number, positions in self.spool.repeated():
            where = ", ".join(map(str, positions))
            reason = (
                f"invnumber: {number} stands at positions {where} of this batch; "
                "keep the one that is meant, none of them is sent"
            )
            for position in positions:
                self.spool.settle(DocumentResult(position, number, Outcome.INVALID, (reason,)))

    def _settle_others(self, doubtful: Mapping[str, JournalRow], started: float) -> None:
        """Resolve what earlier runs left open and this run's input does not carry."""
        for key, entry in doubtful.items():
            if self.spool.document(entry.number) is not None:
                continue
            hits = self.spool.hits(key)
            if len(hits) > 1:
                record_created(self.journal, entry, hits[0], note="duplicate")
                self.alarms.append(f"invoice {entry.number} of an earlier run: {_repeated(hits)}")
            elif hits:
                record_created(self.journal, entry, hits[0], note="found by a later run")
                log.info("Invoice %s of an earlier run is in the books.", entry.number)
            elif entry.settles_at is not None and entry.settles_at > started:
                self._wait_for(entry)
            elif self.journal.record(entry, JournalState.RELEASED, note="proven absent by a later run"):
                log.warning(
                    "Invoice %s of an earlier run (%s) was never booked; send it again.", entry.number, entry.run
                )

    def _decide(self, document: Document, entry: JournalRow | None, started: float) -> DocumentResult | None:
        """The row of a document that is not to be sent, None for one that is."""
        hits = self.spool.hits(document.key)
        if hits:
            return self._decide_booked(document, entry, hits)
        if entry is not None and entry.state == JournalState.BLOCKED:
            return _blocked(document, entry)
        if entry is not None and entry.state == JournalState.CREATED and entry.updated_at >= started:
            reason = "booked by another run while this one was reading; the next attempt finds it"
            return DocumentResult(document.position, document.number, Outcome.UNKNOWN, (reason,))
        if entry is not None and entry.state == JournalState.CREATED:
            return DocumentResult(
                document.position,
                document.number,
                Outcome.CONFLICT,
                (
                    f"booked by run {entry.run or '?'} and no longer in the books under this number; "
                    "find out who removed or renamed it before it is billed again",
                ),
            )
        if entry is not None and entry.state in OPEN and (entry.settles_at or 0.0) > started:
            until = format_time(entry.settles_at or 0.0)
            return DocumentResult(
                document.position,
                document.number,
                Outcome.UNKNOWN,
                (f"sent by run {entry.run or '?'} without a reliable answer, not in the books; settles at {until}",),
            )
        closed = self.policy.closed_until
        if closed is not None and document.invoice["transdate"] <= closed:
            return DocumentResult(
                document.position,
                document.number,
                Outcome.CLOSED_PERIOD,
                (
                    f"transdate: {document.invoice['transdate']} lies in the period closed until {closed}; "
                    "date it later, or have the period opened and change closed_until of the connection",
                ),
            )
        return None

    def _decide_booked(self, document: Document, entry: JournalRow | None, hits: list[Hit]) -> DocumentResult:
        if len(hits) > 1:
            if entry is not None and entry.state != JournalState.CREATED:
                # It is in the books, whatever else: a row left in doubt would stay so for ever.
                record_created(self.journal, entry, hits[0], note="duplicate")
            return DocumentResult(document.position, document.number, Outcome.DUPLICATE, (_repeated(hits),))
        hit = hits[0]
        if entry is None:
            self.journal.import_booked(replace(to_booked(hit), number=document.number), document.content_hash)
        elif entry.state != JournalState.CREATED:
            record_created(self.journal, entry, hit, note="found in the books")
        return booked_row(document, hit, Outcome.UNCHANGED)

    def _check_master_data(self) -> None:
        """Refuse documents whose customer, articles or accounts the tenant does not have."""
        master = read_master_data(self.client, self._sent_customers())
        for document in self.spool.to_create():
            problems = tuple(master.missing(document, self.refused_customers))
            customer = document.invoice.get("customer")
            if problems:
                self.spool.settle(DocumentResult(document.position, document.number, Outcome.INVALID, problems))
            elif customer:
                remark = overwriting(customer, master.records.get(customer["customernumber"]))
                self.spool.remark(document.position, remark)

    def _sent_customers(self) -> frozenset[str]:
        """Numbers of customers who would be created or overwritten together with an invoice."""
        if not self.policy.rules.send_customers:
            return frozenset()
        return frozenset(
            document.customernumber for document in self.spool.to_create() if document.invoice.get("customer")
        )


def booked_row(document: Document, hit: Hit, outcome: Outcome, *reasons: str) -> DocumentResult:
    """The row of a document that is in the books: ``outcome`` if it is as meant, else ``conflict``."""
    comparison = hit.comparison or Comparison(unchecked=("everything",))
    texts = (f"texts that differ in RMA: {', '.join(comparison.texts)}",) if comparison.texts else ()
    return DocumentResult(
        document.position,
        document.number,
        Outcome.CONFLICT if comparison.differences else outcome,
        comparison.differences + texts + reasons,
        document_id=hit.document_id,
        net=hit.net,
        gross=hit.gross,
        currency=hit.currency,
        unchecked=comparison.unchecked,
    )


def record_created(
    journal: Journal, entry: JournalRow, hit: Hit, *, note: str | None, content_hash: str | None = None
) -> None:
    """Record in the journal that a document is in the books."""
    journal.record(entry, JournalState.CREATED, note=note, content_hash=content_hash, booked=to_booked(hit))


def to_booked(hit: Hit) -> BookedDocument:
    """What the journal keeps of a document in the books."""
    return BookedDocument(hit.number, hit.document_id, hit.net, hit.gross, hit.currency)


def _blocked(document: Document, entry: JournalRow) -> DocumentResult:
    """The row of a document that waits for a person."""
    reason = (
        f"not sent: {entry.note}; if it is an invoice of its own, say rma journal resolve {document.number} "
        "--as absent, else --as booked, and take it out of the input"
    )
    return DocumentResult(document.position, document.number, Outcome.HELD, (reason,))


def _repeated(hits: list[Hit]) -> str:
    ids = ", ".join(hit.document_id or "?" for hit in hits)
    return f"{len(hits)} documents carry this number (ids {ids}); have all but one removed in RMA"


def _chunks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while chunk := list(islice(iterator, size)):
        yield chunk
