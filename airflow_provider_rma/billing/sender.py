"""Send one document once, and find out what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic

from airflow_provider_rma.billing.journal.model import MISMATCH, REPEATED, UPDATE, JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.base import D, DocumentKind, Entity
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.results import duplicate_result, refusal_result, taken_result, unknown_result
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    InvalidInputError,
    JournalError,
    RejectedError,
    RequestError,
)
from airflow_provider_rma.fault_points import reach

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SendAttempt:
    """A write that the service has received, or may have received.

    :param row: the journal's row, claimed by this worker.
    :param doubt: why it is not known whether the service carried it out; empty if the service said so.
    :param refusal: the service's refusal, if it refused.
    :param failure: the error that ends the run, None if the run may go on.
    """

    row: JournalRow
    doubt: str = ""
    refusal: RejectedError | None = None
    failure: Exception | None = None

    @property
    def final_refusal(self) -> RejectedError | None:
        """The refusal, if the service itself said so: nothing of this attempt can appear any more."""
        return self.refusal if self.refusal is not None and self.refusal.is_final else None

    @property
    def said(self) -> str:
        """The service's response in words."""
        return f"refused with HTTP {self.refusal.status}" if self.refusal is not None else self.doubt or "accepted"


@dataclass(frozen=True)
class SendReport:
    """The end of one document that was handed to a lane.

    :param result: its result; None if it is certain that it was not sent.
    :param failure: the error that ends the run, None if the run may go on.
    """

    result: DocumentResult | None
    failure: Exception | None = None


@dataclass(frozen=True)
class DocumentSender(Generic[D]):
    """Sends documents: claim, POST once, read back, compare, record. May be used by several threads."""

    kind: DocumentKind[D]
    journal: Journal

    def send(self, document: D, seen: JournalRow | None) -> SendReport:
        """Send a document that was decided to be sent. Never raises: what was sent has a result, whatever happens.

        :param seen: the journal's row as it was when that was decided.
        """
        policy = self.kind.policy
        settle_after = policy.total_deadline + policy.settle_time
        try:
            row = self._claim(document, seen, settle_after)
        except JournalError as error:
            return SendReport(None, error)
        except Exception as error:
            log.exception("An unexpected error before %s was sent.", document.number)
            return SendReport(None, error)
        if row is None:
            return self._report(document, None, self._look, document)
        reach("sender.claimed", document=document)
        try:
            attempt = self._send_once(document, row)
        except (ConnectionNotMadeError, ConfigurationError, InvalidInputError) as error:
            # Raised before anything was sent.
            self._record_or_log(row, JournalState.RELEASED, note="not sent")
            return SendReport(None, error)
        reach("sender.sent", document=document)
        return self._report(document, attempt.failure, self._read_back, document, attempt)

    def _claim(self, document: D, seen: JournalRow | None, settle_after: float) -> JournalRow | None:
        number, content_hash = document.number, document.content_hash
        if document.sent_outcome == Outcome.CREATED:
            return self.journal.claim(number, content_hash, seen, settle_after=settle_after)
        return self.journal.claim(number, content_hash, seen, settle_after=settle_after, note=UPDATE)

    def claimed(self, documents: Iterable[D]) -> set[str]:
        """Return the keys of documents that this run has claimed, and of all of them if the journal cannot tell."""
        keys = [document.key for document in documents]
        try:
            rows = self.journal.get(keys)
        except JournalError as error:
            log.error("The journal could not be asked what this run has claimed: %s", error)
            return set(keys)
        return {key for key, row in rows.items() if self.journal.has_claimed(row)}

    def _report(
        self, document: D, failure: Exception | None, decide: Callable[..., DocumentResult], *given: Any
    ) -> SendReport:
        """Report what reading finds out. An error of ours after sending is a doubt, and ends the run."""
        try:
            return SendReport(decide(*given), failure)
        except Exception as error:
            log.exception("An unexpected error after %s was sent.", document.number)
            reason = (
                f"an unexpected error ({type(error).__name__}) after it was sent; the next attempt decides by reading"
            )
            return SendReport(unknown_result(document, reason), failure or error)

    def _send_once(self, document: D, row: JournalRow) -> SendAttempt:
        """Make the one request.

        :raises ConnectionNotMadeError: if the service could not be reached; nothing was sent.
        :raises ConfigurationError: if writes are not allowed; nothing was sent.
        :raises InvalidInputError: if the document cannot be written; nothing was sent.
        """
        try:
            self.kind.send(document)
        except (ConnectionNotMadeError, ConfigurationError, InvalidInputError):
            raise
        except RejectedError as error:
            return SendAttempt(row, refusal=error)
        except AuthenticationError as error:
            # A firewall can say so after the service has booked: what was sent is read back, and the run ends.
            return SendAttempt(row, doubt=f"{error.message} (HTTP {error.status})", failure=error)
        except RequestError as error:
            return SendAttempt(row, doubt=f"no reliable answer ({error.message})")
        except Exception as error:
            log.exception("An unexpected error while %s was sent.", document.number)
            return SendAttempt(
                row, doubt=f"an unexpected error ({type(error).__name__}) while it was sent", failure=error
            )
        return SendAttempt(row)

    def _look(self, document: D) -> DocumentResult:
        """Find out what became of a document that another run has taken meanwhile."""
        row = self.journal.get([document.key]).get(document.key)
        found: list[Entity] = []
        if row is not None and row.state == JournalState.CREATED and not self.kind.overwrites:
            with suppress(RequestError):
                found = self.kind.find_booked(document)
        if len(found) != 1:
            return taken_result(document)
        return self.kind.booked_result(document, self.kind.verify(document, found[0]), Outcome.UNCHANGED)

    def _read_back(self, document: D, attempt: SendAttempt) -> DocumentResult:
        """Find out by reading what became of a document that was sent."""
        final = attempt.final_refusal
        if final is not None and self.kind.overwrites:
            return self._refused(document, attempt.row, final)
        try:
            found = self.kind.find_booked(document)
        except RequestError as error:
            if final is not None and attempt.row.attempts == 1:
                return self._refused(document, attempt.row, final)
            # A refused second attempt may mean that the first one has been carried out.
            return self._unknown(document, attempt.row, f"{attempt.said}, and reading back failed ({error.message})")
        if found:
            return self._found(document, attempt, found)
        if attempt.refusal is not None:
            return self._refused(document, attempt.row, attempt.refusal)
        return self._unknown(document, attempt.row, f"{attempt.said}, but not in {self.kind.place} yet")

    def _found(self, document: D, attempt: SendAttempt, found: list[Entity]) -> DocumentResult:
        comparison = self.kind.verify(document, found[0])
        booked = comparison.booked
        if len(found) > 1:
            self._record_or_log(attempt.row, JournalState.CREATED, note=REPEATED, booked=booked)
            return duplicate_result(document, [self.kind.to_booked(entity) for entity in found])
        doubt = attempt.said if attempt.refusal is not None else attempt.doubt
        if doubt and comparison.differences and self.kind.overwrites:
            return self._unknown(document, attempt.row, f"{doubt}, and RMA does not show the values meant")
        outcome, reasons = document.sent_outcome, tuple[str, ...]()
        if attempt.final_refusal is not None and attempt.row.attempts > 1:
            outcome, reasons = Outcome.UNCHANGED, ("refused, because an earlier attempt has booked it",)
        elif doubt:
            reasons = (f"{doubt}; found in {self.kind.place} by reading",)
        result = self.kind.booked_result(document, comparison, outcome, *reasons)
        note = MISMATCH if result.outcome == Outcome.CONFLICT else None
        self._record_or_log(attempt.row, JournalState.CREATED, note=note, booked=booked)
        return result

    def _refused(self, document: D, row: JournalRow, refusal: RejectedError) -> DocumentResult:
        result = refusal_result(document, refusal)
        closed = ": closed period" if result.outcome == Outcome.CLOSED_PERIOD else ""
        # A refusal without the service's own words may come from something in between: nothing is sent under this
        # number before its settle time is over.
        state = JournalState.REJECTED if refusal.is_final else JournalState.UNKNOWN
        self._record_or_log(row, state, note=f"refused with HTTP {refusal.status}{closed}")
        return result

    def _unknown(self, document: D, row: JournalRow, reason: str) -> DocumentResult:
        self._record_or_log(row, JournalState.UNKNOWN, note=reason)
        return unknown_result(document, reason)

    def _record_or_log(self, row: JournalRow, state: JournalState, **values: Any) -> None:
        """Record what became of a document that was sent.

        What is known does not become less true by a journal that cannot be written: the row then stays claimed, and a
        later run resolves it by reading.
        """
        try:
            self.journal.record(row, state, **values)
        except JournalError as error:
            log.error("%s of %s could not be recorded: %s", state, row.number, error)
        reach("sender.recorded", number=row.number)
