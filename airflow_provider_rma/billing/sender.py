"""Send one document once, and find out what became of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.billing.comparison import compare
from airflow_provider_rma.billing.journal.model import JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.lookup import to_hit
from airflow_provider_rma.billing.numbers import is_plain_number, normalize_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.planner import booked_row, to_booked
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    JournalError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    RequestError,
)

log = logging.getLogger(__name__)

#: Words by which a refusal is known as one for a closed period. The service's own text is not documented (inferred).
_CLOSED = re.compile(r"abgeschlossen|geschlossen|gesperrt|closed", re.IGNORECASE)


@dataclass(frozen=True)
class SendAttempt:
    """A write that the service has received, or may have received.

    :param entry: the journal's row, claimed by this worker.
    :param doubt: why it is not known whether the service carried it out; empty if the service said so.
    :param refusal: the service's refusal, if it refused.
    """

    entry: JournalRow
    doubt: str = ""
    refusal: RejectedError | None = None


def send_once(
    journal: Journal,
    policy: Policy,
    send: Callable[[], None],
    *,
    number: str,
    content_hash: str,
    seen: JournalRow | None,
) -> SendAttempt | None:
    """Claim in the journal, then send once.

    :param send: makes the one request.
    :param seen: the journal's row as it was when the decision to send was taken.
    :returns: what was sent; None if another run has changed the journal's row meanwhile, and nothing was sent.
    :raises JournalError: if the claim could not be written; nothing was sent.
    :raises ConnectionNotMadeError: if the service could not be reached; nothing was sent.
    :raises AuthenticationError: if the service refused the token; nothing was carried out.
    """
    entry = journal.claim(number, content_hash, seen, settle_after=policy.total_deadline + policy.settle_time)
    if entry is None:
        return None
    try:
        send()
    except RejectedError as error:
        return SendAttempt(entry, refusal=error)
    except (ConnectionNotMadeError, AuthenticationError, ConfigurationError):
        note_down(journal, entry, JournalState.RELEASED, note="not sent")
        raise
    except OutcomeUnknownError as error:
        return SendAttempt(entry, doubt=f"no reliable answer ({error.message})")
    return SendAttempt(entry)


def note_down(journal: Journal, entry: JournalRow, state: JournalState, **values: Any) -> None:
    """Record what became of a document that was sent.

    What is known does not become less true by a journal that cannot be written: the row then stays claimed, and a later
    run resolves it by reading.
    """
    try:
        journal.record(entry, state, **values)
    except JournalError as error:
        log.error("%s of %s could not be recorded: %s", state, entry.number, error)


#: Why a document is in doubt that another run has taken meanwhile: no doubt about the service.
TAKEN = "another run has taken this number meanwhile; the next attempt decides by reading"


def taken(position: int, number: str) -> DocumentResult:
    """The row of a document that another run has taken meanwhile."""
    return DocumentResult(position, number, Outcome.UNKNOWN, (TAKEN,))


def refused(journal: Journal, sent: SendAttempt, position: int) -> DocumentResult:
    """The row of a document that the service refused and does not hold."""
    error = sent.refusal
    status, message = (error.status, error.server_message) if error else (None, None)
    closed = bool(_CLOSED.search(message or ""))
    note_down(
        journal,
        sent.entry,
        JournalState.REJECTED,
        note=f"refused with HTTP {status}{': closed period' if closed else ''}",
    )
    if closed:
        reason = "transdate: RMA refuses it as lying in a closed period; date it later, or have the period opened"
    else:
        reason = f"refused by RMA (HTTP {status}); server_message quotes its reason, correct the record"
    outcome = Outcome.CLOSED_PERIOD if closed else Outcome.REJECTED
    return DocumentResult(position, sent.entry.number, outcome, (reason,), server_message=message)


@dataclass
class InvoiceSender:
    """Sends documents of one tenant: claim, POST once, read back, compare, record."""

    client: RunMyAccountsClient
    journal: Journal
    policy: Policy

    def post(self, document: Document, seen: JournalRow | None) -> DocumentResult:
        """Send a document that was decided to be sent.

        :param seen: the journal's row as it was when that was decided.
        :raises RunMyAccountsError: if nothing was sent, as :func:`send_once`.
        """
        sent = send_once(
            self.journal,
            self.policy,
            lambda: self.client.create_invoice(document.marked if self.policy.mark else document.invoice),
            number=document.number,
            content_hash=document.content_hash,
            seen=seen,
        )
        return self._look(document) if sent is None else self._read_back(document, sent)

    def _look(self, document: Document) -> DocumentResult:
        """What became of a document that another run has taken meanwhile."""
        entry = self.journal.get([document.key]).get(document.key)
        found: list[dict[str, Any]] = []
        if entry is not None and entry.state == JournalState.CREATED:
            with suppress(RequestError):
                found = self._find(document)
        if len(found) != 1:
            return taken(document.position, document.number)
        return booked_row(document, to_hit(found[0], compare(document, found[0])), Outcome.UNCHANGED)

    def _read_back(self, document: Document, sent: SendAttempt) -> DocumentResult:
        """Find out by reading what became of a document that was sent."""
        try:
            found = self._find(document)
        except RequestError as error:
            if sent.refusal is not None and sent.entry.attempts == 1:
                return refused(self.journal, sent, document.position)
            # A refused second attempt may mean that the first one has been carried out.
            said = "refused" if sent.refusal is not None else sent.doubt or "accepted"
            reason = f"{said}, and reading back failed ({error.message})"
            return self._unknown(document, sent.entry, reason)
        if found:
            return self._found(document, sent, found)
        if sent.refusal is not None:
            return refused(self.journal, sent, document.position)
        return self._unknown(document, sent.entry, f"{sent.doubt or 'accepted'}, but not in the books yet")

    def _found(self, document: Document, sent: SendAttempt, found: list[dict[str, Any]]) -> DocumentResult:
        hit = to_hit(found[0], compare(document, found[0]))
        if len(found) > 1:
            note_down(self.journal, sent.entry, JournalState.CREATED, note="duplicate", booked=to_booked(hit))
            ids = ", ".join(to_hit(booked, None).document_id or "?" for booked in found)
            reason = f"{len(found)} documents carry this number (ids {ids}); have all but one removed in RMA"
            return DocumentResult(document.position, document.number, Outcome.DUPLICATE, (reason,))
        if sent.refusal is not None:
            # It came into the books by an earlier attempt or by somebody else.
            row = booked_row(document, hit, Outcome.UNCHANGED, "refused, because it is in the books already")
        else:
            row = booked_row(
                document,
                hit,
                Outcome.CREATED,
                *([f"{sent.doubt}; found in the books by reading"] if sent.doubt else []),
            )
        note = "booked otherwise than meant" if row.outcome == Outcome.CONFLICT else None
        note_down(self.journal, sent.entry, JournalState.CREATED, note=note, booked=to_booked(hit))
        return row

    def _find(self, document: Document) -> list[dict[str, Any]]:
        if is_plain_number(document.number):
            try:
                return [self.client.get_invoice(document.number)]
            except NotFoundError:
                return []
        day = document.invoice["transdate"]
        booked = self.client.iter_invoices(from_date=day, to_date=day)
        return [invoice for invoice in booked if normalize_number(str(invoice.get("invnumber", ""))) == document.key]

    def _unknown(self, document: Document, entry: JournalRow, reason: str) -> DocumentResult:
        note_down(self.journal, entry, JournalState.UNKNOWN, note=reason)
        return DocumentResult(document.position, document.number, Outcome.UNKNOWN, (reason,))
