"""Results of documents that are not booked as meant: each sentence a person reads about them is made here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.kinds.base import Document
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.exceptions import RejectedError
from airflow_provider_rma.formatting import format_time

#: Words by which a refusal is known as one for a closed period. The service's own text is not documented (inferred).
_CLOSED = re.compile(r"abgeschlossen|geschlossen|gesperrt|closed", re.IGNORECASE)

#: Reason of a document that another run has taken meanwhile: no doubt about the service.
TAKEN = "another run has taken this number meanwhile; the next attempt decides by reading"


def held_result(document: Document, reason: str) -> DocumentResult:
    """A document that is fit to be sent and was not sent."""
    return _result(document, Outcome.HELD, f"not sent: {reason}")


def unknown_result(document: Document, reason: str) -> DocumentResult:
    """A document that may or may not be in the books."""
    return _result(document, Outcome.UNKNOWN, reason)


def taken_result(document: Document) -> DocumentResult:
    """A document that another run has taken meanwhile."""
    return unknown_result(document, TAKEN)


def duplicate_result(document: Document, booked: Sequence[BookedDocument]) -> DocumentResult:
    """A document that is in the books more than once."""
    return _result(document, Outcome.DUPLICATE, describe_duplicate(booked))


def describe_duplicate(booked: Sequence[BookedDocument]) -> str:
    """Say which documents carry one number."""
    ids = ", ".join(found.document_id or "?" for found in booked)
    return f"{len(booked)} documents carry this number (ids {ids}); have all but one removed in RMA"


def repeated_result(number_field: str, position: int, number: str, where: Sequence[int]) -> DocumentResult:
    """A record whose number other records of the batch carry as well."""
    reason = (
        f"{number_field}: {number} stands at positions {', '.join(map(str, where))} of this batch; "
        "keep the one that is meant, none of them is sent"
    )
    return DocumentResult(position, number, Outcome.INVALID, (reason,))


def blocked_result(document: Document, row: JournalRow) -> DocumentResult:
    """A document that waits for a person."""
    return held_result(
        document,
        f"{row.note}; if it is an invoice of its own, say rma journal resolve {document.number} "
        "--as absent, else --as booked, and take it out of the input",
    )


def vanished_result(document: Document, row: JournalRow) -> DocumentResult:
    """A document that was booked and is no longer in the books."""
    reason = (
        f"booked by run {row.run or '?'} and no longer in the books under this number; "
        "find out who removed or renamed it before it is billed again"
    )
    return _result(document, Outcome.CONFLICT, reason)


def unsettled_result(document: Document, row: JournalRow, place: str) -> DocumentResult:
    """A document that was sent without a reliable response and may still appear in the books."""
    until = format_time(row.settles_at or 0.0)
    return unknown_result(
        document, f"sent by run {row.run or '?'} without a reliable answer, not in {place}; settles at {until}"
    )


def closed_period_result(document: Document, closed_until: date) -> DocumentResult:
    """A document dated in a period that is known to be closed."""
    reason = (
        f"transdate: {document.booking_date} lies in the period closed until {closed_until}; "
        "date it later, or have the period opened and change closed_until of the connection"
    )
    return _result(document, Outcome.CLOSED_PERIOD, reason)


def closed_like_result(document: Document, closed_until: date) -> DocumentResult:
    """A document dated in a period that a refusal in this run has shown to be closed."""
    reason = f"transdate: RMA has just refused a document of {closed_until} as lying in a closed period"
    return _result(document, Outcome.CLOSED_PERIOD, reason)


def refusal_result(document: Document, error: RejectedError) -> DocumentResult:
    """A document that the service refused and does not hold."""
    outcome = Outcome.REJECTED
    reason = f"refused by RMA (HTTP {error.status}); server_message quotes its reason, correct the record"
    if not error.server_message:
        reason = f"refused with HTTP {error.status} without a reason, and not in the books"
    if _CLOSED.search(error.server_message or ""):
        outcome = Outcome.CLOSED_PERIOD
        reason = "transdate: RMA refuses it as lying in a closed period; date it later, or have the period opened"
    return DocumentResult(document.position, document.number, outcome, (reason,), server_message=error.server_message)


def _result(document: Document, outcome: Outcome, reason: str) -> DocumentResult:
    return DocumentResult(document.position, document.number, outcome, (reason,))
