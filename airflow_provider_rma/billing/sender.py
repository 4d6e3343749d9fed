"""Send one document once, and find out what became of it."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic

from airflow_provider_rma.billing.journal.model import JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.base import D, DocumentKind, Entity
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.results import duplicate_result, refusal_result, taken_result, unknown_result
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    JournalError,
    OutcomeUnknownError,
    RejectedError,
    RequestError,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SendAttempt:
    """A write that the service has received, or may have received.

    :param row: the journal's row, claimed by this worker.
    :param doubt: why it is not known whether the service carried it out; empty if the service said so.
    :param refusal: the service's refusal, if it refused.
    """

    row: JournalRow
    doubt: str = ""
    refusal: RejectedError | None = None

    @property
    def said(self) -> str:
        """The service's response in words."""
        return "refused" if self.refusal is not None else self.doubt or "accepted"


@dataclass(frozen=True)
class DocumentSender(Generic[D]):
    """Sends documents: claim, POST once, read back, compare, record. May be used by several threads."""

    kind: DocumentKind[D]
    journal: Journal

    def send(self, document: D, seen: JournalRow | None) -> DocumentResult:
        """Send a document that was decided to be sent.

        :param seen: the journal's row as it was when that was decided.
        :raises JournalError: if the claim could not be written; nothing was sent.
        :raises ConnectionNotMadeError: if the service could not be reached; nothing was sent.
        :raises AuthenticationError: if the service refused the token; nothing was carried out.
        """
        attempt = self._send_once(document, seen)
        return self._look(document) if attempt is None else self._read_back(document, attempt)

    def _send_once(self, document: D, seen: JournalRow | None) -> SendAttempt | None:
        """Claim in the journal, then send once; None if another run has changed the journal's row meanwhile."""
        policy = self.kind.policy
        settle_after = policy.total_deadline + policy.settle_time
        row = self.journal.claim(document.number, document.content_hash, seen, settle_after=settle_after)
        if row is None:
            return None
        try:
            self.kind.send(document)
        except RejectedError as error:
            return SendAttempt(row, refusal=error)
        except AuthenticationError as error:
            state = JournalState.RELEASED if error.is_final else JournalState.UNKNOWN
            self._record_or_log(row, state, note="the token was refused")
            raise
        except (ConnectionNotMadeError, ConfigurationError):
            self._record_or_log(row, JournalState.RELEASED, note="not sent")
            raise
        except OutcomeUnknownError as error:
            return SendAttempt(row, doubt=f"no reliable answer ({error.message})")
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
        if attempt.refusal is not None and self.kind.overwrites:
            return self._refused(document, attempt.row, attempt.refusal)
        try:
            found = self.kind.find_booked(document)
        except RequestError as error:
            if attempt.refusal is not None and attempt.row.attempts == 1:
                return self._refused(document, attempt.row, attempt.refusal)
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
            self._record_or_log(attempt.row, JournalState.CREATED, note="duplicate", booked=booked)
            return duplicate_result(document, [self.kind.to_booked(entity) for entity in found])
        if attempt.doubt and comparison.differences and self.kind.overwrites:
            return self._unknown(document, attempt.row, f"{attempt.doubt}, and RMA does not show the values meant")
        outcome, reasons = document.sent_outcome, tuple[str, ...]()
        if attempt.refusal is not None:
            # It came into the books by an earlier attempt or by somebody else.
            outcome, reasons = Outcome.UNCHANGED, ("refused, because it is in the books already",)
        elif attempt.doubt:
            reasons = (f"{attempt.doubt}; found in {self.kind.place} by reading",)
        result = self.kind.booked_result(document, comparison, outcome, *reasons)
        note = "booked otherwise than meant" if result.outcome == Outcome.CONFLICT else None
        self._record_or_log(attempt.row, JournalState.CREATED, note=note, booked=booked)
        return result

    def _refused(self, document: D, row: JournalRow, refusal: RejectedError) -> DocumentResult:
        result = refusal_result(document, refusal)
        closed = ": closed period" if result.outcome == Outcome.CLOSED_PERIOD else ""
        self._record_or_log(row, JournalState.REJECTED, note=f"refused with HTTP {refusal.status}{closed}")
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
