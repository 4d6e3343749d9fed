"""Send the documents of a run, several at a time where the service bears it, and stop when something is wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date
from typing import Generic

from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.kinds.base import D
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.progress import Progress
from airflow_provider_rma.billing.results import TAKEN, closed_like_result, held_result, unknown_result
from airflow_provider_rma.billing.sender import DocumentSender, SendReport
from airflow_provider_rma.billing.working_set import WorkingSet, in_chunks
from airflow_provider_rma.exceptions import RunMyAccountsError

log = logging.getLogger(__name__)

#: This many unknown outcomes in a row stop a run.
UNKNOWN_IN_A_ROW = 2


@dataclass
class SendQueue(Generic[D]):
    """Sends what a working set holds for sending.

    The first document of each shape (method, currency, tax accounts, sign) is sent alone and verified before others of
    its shape follow. A thread of its own hands documents to the lanes and records their results. So a signal or a
    time-out, which interrupt the main thread only, cut no request in two and lose no result: the main thread waits.

    :param seen: the journal's rows on which the decisions rest, by key.
    :param stop: set to end the run: no further document is sent then.
    :param on_result: called with each result as soon as it is known; an exception ends the run.
    :ivar stopped: why the run was stopped, empty if it was not.
    """

    sender: DocumentSender[D]
    working_set: WorkingSet[D]
    seen: Mapping[str, JournalRow]
    stop: threading.Event = field(default_factory=threading.Event)
    on_result: Callable[[DocumentResult], None] | None = None
    stopped: str = ""
    _failure: BaseException | None = None
    _unknown_in_a_row: int = 0
    _closed_until: date | None = None
    _under_way: dict[Future[SendReport], D] = field(default_factory=dict)
    _proven: set[tuple[str, ...]] = field(default_factory=set)
    _not_sent: set[int] = field(default_factory=set)
    _go: threading.Event = field(default_factory=threading.Event)
    _done: threading.Event = field(default_factory=threading.Event)

    def run(self, count: int) -> None:
        """Send, and hold what could not be sent; nothing is sent if the run is stopped already.

        :param count: how many documents there are, for the progress in the log.
        :raises RunMyAccountsError: if the service could not be reached or refused the token; nothing more was sent.
        """
        self._progress = Progress(count, f"{self.sender.kind.plural} sent")
        # Behind a gate: an interruption while the thread starts leaves it waiting there, with nothing sent.
        threading.Thread(target=self._dispatch, name="rma-billing-queue", daemon=True).start()
        try:
            self._go.set()
            # In short waits, so that signals are handled.
            while not self._done.wait(1.0):
                pass
        finally:
            self.finish()
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Send nothing further, and wait until what is under way is recorded. Does nothing once that is done.

        Interruptions do not cut the waiting short, however many come; the last one is raised again at the end. Whoever
        went on would call "not sent" what is being booked, and close the working set under the thread that uses it.
        """
        interruption: BaseException | None = None
        while self._go.is_set() and not self._done.is_set():
            try:
                self.stop.set()
                self._done.wait(1.0)
            except BaseException as error:  # noqa: BLE001 - raised again below
                interruption = error
        if interruption is not None:
            raise interruption

    def _dispatch(self) -> None:
        self._go.wait()
        try:
            for step in (self._send_all, self._hold_others):
                try:
                    step()
                except BaseException as error:  # noqa: BLE001 - raised again in the main thread
                    log.error("An unexpected error (%s) while documents were sent.", type(error).__name__)
                    self._end(error)
        finally:
            self._done.set()

    def _send_all(self) -> None:
        if self.stopped:
            return
        lanes = self.sender.kind.lanes
        with ThreadPoolExecutor(lanes, thread_name_prefix="rma-billing") as pool:
            try:
                for document in self.working_set.to_send():
                    self._collect(lanes - 1 if document.shape in self._proven else 0)
                    if self._must_stop():
                        break
                    if not self._lies_in_closed_period(document):
                        self._under_way[pool.submit(self.sender.send, document, self.seen.get(document.key))] = document
                        self._collect(lanes if document.shape in self._proven else 0)
            finally:
                # However the loop ended: what is under way finishes and is recorded.
                self._collect(0)
        if self._must_stop():
            log.warning("Nothing further is sent: %s.", self.stopped)

    def _collect(self, most: int) -> None:
        """Wait until at most ``most`` documents are under way."""
        while len(self._under_way) > most:
            done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in done:
                self._record(self._under_way.pop(future), future.result())
                self._progress.step()

    def _hold_others(self) -> None:
        """Record what was not sent as held, after asking the journal whether this run has claimed any of it."""
        reason = self.stopped or "the run ended early"
        for documents in in_chunks(self.working_set.to_send(), 200):
            claimed = self.sender.claimed(documents)
            for document in documents:
                result = held_result(document, reason)
                if document.key in claimed and document.position not in self._not_sent:
                    result = unknown_result(
                        document, "claimed for sending by this run; the next attempt decides by reading"
                    )
                self.working_set.record_result(result)

    def _must_stop(self) -> bool:
        if self.stop.is_set() and not self.stopped:
            self.stopped = "the task was asked to end"
        return bool(self.stopped)

    def _end(self, failure: BaseException) -> None:
        """End the run because of an error; the first one counts."""
        self._failure = self._failure or failure
        message = (
            failure.message
            if isinstance(failure, RunMyAccountsError)
            else f"an unexpected error ({type(failure).__name__})"
        )
        self.stopped = self.stopped or message

    def _record(self, document: D, report: SendReport) -> None:
        if report.failure is not None:
            self._end(report.failure)
        result = report.result
        if result is None:
            # Certainly not sent: it is held with the others.
            self._not_sent.add(document.position)
            return
        self._keep(result)
        if result.outcome == Outcome.CLOSED_PERIOD and document.booking_date is not None:
            self._closed_until = max(self._closed_until or date.min, document.booking_date)
        if result.outcome == Outcome.CREATED:
            self._proven.add(document.shape)
        if result.reasons != (TAKEN,):
            self._unknown_in_a_row = self._unknown_in_a_row + 1 if result.outcome == Outcome.UNKNOWN else 0
        self.stopped = self.stopped or self._brake(result)

    def _lies_in_closed_period(self, document: D) -> bool:
        """Whether a refusal in this run has shown the document's period to be closed; it is not sent then."""
        day = document.booking_date
        if self._closed_until is None or day is None or day > self._closed_until:
            return False
        self._keep(closed_like_result(document, self._closed_until))
        return True

    def _keep(self, result: DocumentResult) -> None:
        self.working_set.record_result(result)
        if self.on_result is not None:
            try:
                self.on_result(result)
            except Exception as error:  # noqa: BLE001 - raised again in the main thread
                self._end(error)

    def _brake(self, result: DocumentResult) -> str:
        """Return why a run must stop after this result, empty if it may go on."""
        kind = self.sender.kind
        if not kind.has_brakes:
            return ""
        if result.outcome == Outcome.CONFLICT:
            return f"{kind.name} {result.number} was booked otherwise than meant; find out why before more is sent"
        if result.outcome == Outcome.DUPLICATE:
            return f"{kind.name} {result.number} is in the books more than once"
        if self._unknown_in_a_row >= UNKNOWN_IN_A_ROW:
            return f"{self._unknown_in_a_row} documents in a row got no reliable answer"
        return ""
