"""Send the documents of a run, several at a time where the service bears it, and stop when something is wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date

from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.progress import Progress
from airflow_provider_rma.billing.sender import TAKEN, InvoiceSender
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.exceptions import RunMyAccountsError

log = logging.getLogger(__name__)

#: This many unknown outcomes in a row stop a run.
UNKNOWN_IN_A_ROW = 2


@dataclass
class SendQueue:
    """Sends what a spool holds for sending.

    The first document of each shape (method, currency, tax accounts, sign) is sent alone and verified before others of
    its shape follow. Requests run in threads of their own, so that a signal or a time-out that interrupts the main
    thread never cuts a request in two.

    :param seen: the journal's rows on which the decisions rest, by business key.
    :param max_in_flight: documents under way at the same time.
    :param stop: set by whoever wants the run to end.
    :ivar stopped: why the run was stopped, empty if it was not.
    """

    spool: WorkingSet
    poster: InvoiceSender
    seen: Mapping[str, JournalRow]
    max_in_flight: int = 1
    stop: threading.Event = field(default_factory=threading.Event)
    stopped: str = ""
    _failure: RunMyAccountsError | None = None
    _unknown_in_a_row: int = 0
    _closed_until: date | None = None
    _under_way: dict[Future[DocumentResult], Document] = field(default_factory=dict)
    _proven: set[tuple[str, ...]] = field(default_factory=set)

    def run(self, count: int) -> None:
        """Send.

        :param count: how many documents there are, for the progress in the log.
        :raises RunMyAccountsError: if the service could not be reached or refused the token; nothing more was sent.
        """
        self._progress = Progress(count, "invoices sent")
        with ThreadPoolExecutor(self.max_in_flight, thread_name_prefix="rma-billing") as pool:
            try:
                for document in self.spool.to_create():
                    self._collect(self.max_in_flight - 1 if document.shape in self._proven else 0)
                    if self._must_stop():
                        break
                    if not self._lies_in_closed_period(document):
                        future = pool.submit(self.poster.post, document, self.seen.get(document.key))
                        self._under_way[future] = document
                        self._collect(self.max_in_flight if document.shape in self._proven else 0)
                else:
                    self._collect(0)
            finally:
                # When a brake, a time-out or a signal ends the run: what is under way finishes and is recorded.
                for future in [future for future in self._under_way if future.cancel()]:
                    del self._under_way[future]
                self._collect(0)
        if self._must_stop():
            log.warning("Nothing further is sent: %s.", self.stopped)
        if self._failure is not None:
            raise self._failure

    def _collect(self, most: int) -> None:
        """Wait until at most so many documents are under way."""
        while len(self._under_way) > most:
            # In short waits, so that signals are heard.
            done, _ = wait(self._under_way, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                self._settle(self._under_way.pop(future), future)
                self._progress.step()

    def _must_stop(self) -> bool:
        if self.stop.is_set() and not self.stopped:
            self.stopped = "the task was asked to end"
        return bool(self.stopped)

    def _settle(self, document: Document, future: Future[DocumentResult]) -> None:
        try:
            row = future.result()
        except RunMyAccountsError as error:
            # Not sent: the document stays as it is, to be held with the others.
            self._failure = self._failure or error
            self.stopped = self.stopped or error.message
            return
        except Exception as error:
            # Nothing here expects it, so nobody knows whether the document was sent.
            reason = (
                f"an unexpected error ({type(error).__name__}) while it was sent; the next attempt decides by reading"
            )
            self.spool.settle(DocumentResult(document.position, document.number, Outcome.UNKNOWN, (reason,)))
            self.stopped = self.stopped or f"an unexpected error ({type(error).__name__})"
            raise
        self.spool.settle(row)
        if row.outcome == Outcome.CLOSED_PERIOD:
            self._closed_until = max(self._closed_until or date.min, document.invoice["transdate"])
        if row.outcome == Outcome.CREATED:
            self._proven.add(document.shape)
        if row.reasons != (TAKEN,):
            self._unknown_in_a_row = self._unknown_in_a_row + 1 if row.outcome == Outcome.UNKNOWN else 0
        self.stopped = self.stopped or self._brake(row)

    def _lies_in_closed_period(self, document: Document) -> bool:
        """Whether a refusal in this run has shown the document's period to be closed; it is not sent then."""
        if self._closed_until is None or document.invoice["transdate"] > self._closed_until:
            return False
        reason = f"transdate: RMA has just refused a document of {self._closed_until} as lying in a closed period"
        self.spool.settle(DocumentResult(document.position, document.number, Outcome.CLOSED_PERIOD, (reason,)))
        return True

    def _brake(self, row: DocumentResult) -> str:
        """Why a run must stop after this row, empty if it may go on."""
        if row.outcome == Outcome.CONFLICT:
            return f"invoice {row.number} was booked otherwise than meant; find out why before more is sent"
        if row.outcome == Outcome.DUPLICATE:
            return f"invoice {row.number} is in the books more than once"
        if self._unknown_in_a_row >= UNKNOWN_IN_A_ROW:
            return f"{self._unknown_in_a_row} documents in a row got no reliable answer"
        return ""
