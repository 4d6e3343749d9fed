"""Send one document once, and find out what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.billing.compare import compare
from airflow_provider_rma.billing.documents import Document
from airflow_provider_rma.billing.journal import Entry, Journal, State
from airflow_provider_rma.billing.outcomes import Outcome, Row
from airflow_provider_rma.billing.plan import Policy, booked_row, record_created, to_hit
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    RequestError,
)

#: Numbers that a look-up by path finds for certain: others may be garbled on their way by proxies or by the service.
_PLAIN_NUMBER = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Sent:
    """A write that the service has received, or may have received.

    :param entry: the journal's row, claimed by this worker.
    :param doubt: why it is not known whether the service carried it out; empty if the service said so.
    """

    entry: Entry
    doubt: str


def send_once(
    journal: Journal,
    policy: Policy,
    send: Callable[[], None],
    *,
    position: int,
    number: str,
    content_hash: str,
    seen: Entry | None,
) -> Sent | Row:
    """Claim in the journal, then send once.

    :param send: makes the one request.
    :param seen: the journal's row as it was when the decision to send was taken.
    :returns: what was sent and has to be read back, or the row of a document that was certainly not carried out.
    :raises ConnectionNotMadeError: if the service could not be reached; nothing was sent.
    :raises AuthenticationError: if the service refused the token; nothing was carried out.
    """
    entry = journal.claim(number, content_hash, seen, settle_after=policy.total_deadline + policy.settle_time)
    if entry is None:
        reason = "another run has taken this number meanwhile; the next attempt decides by reading"
        return Row(position, number, Outcome.UNKNOWN, (reason,))
    try:
        send()
    except RejectedError as error:
        journal.record(entry, State.REJECTED, note=f"refused with HTTP {error.status}")
        reason = f"refused by RMA (HTTP {error.status}); server_message quotes its reason, correct the record"
        return Row(position, number, Outcome.REJECTED, (reason,), server_message=error.server_message)
    except (ConnectionNotMadeError, AuthenticationError, ConfigurationError):
        journal.record(entry, State.RELEASED, note="not sent")
        raise
    except OutcomeUnknownError as error:
        return Sent(entry, f"no reliable answer ({error.message})")
    return Sent(entry, "")


@dataclass
class Poster:
    """Sends documents of one tenant: claim, POST once, read back, compare, record."""

    client: RunMyAccountsClient
    journal: Journal
    policy: Policy

    def post(self, document: Document, seen: Entry | None) -> Row:
        """Send a document that was decided to be sent.

        :param seen: the journal's row as it was when that was decided.
        :raises RequestError: as :func:`send_once`.
        """
        sent = send_once(
            self.journal,
            self.policy,
            lambda: self.client.create_invoice(document.invoice),
            position=document.position,
            number=document.number,
            content_hash=document.content_hash,
            seen=seen,
        )
        return sent if isinstance(sent, Row) else self._read_back(document, sent.entry, sent.doubt)

    def _read_back(self, document: Document, entry: Entry, doubt: str) -> Row:
        """Find out by reading what became of a document that was sent.

        :param doubt: why it is not known whether the service took it; empty if the service said so.
        """
        try:
            found = self._find(document)
        except RequestError as error:
            return self._unknown(document, entry, f"{doubt or 'accepted'}, and reading back failed ({error.message})")
        if not found:
            return self._unknown(document, entry, f"{doubt or 'accepted'}, but not in the books yet")
        if len(found) > 1:
            hits = [to_hit(booked, None) for booked in found]
            record_created(self.journal, entry, hits[0], note="duplicate")
            ids = ", ".join(hit.document_id or "?" for hit in hits)
            reason = f"{len(hits)} documents carry this number (ids {ids}); have all but one removed in RMA"
            return Row(document.position, document.number, Outcome.DUPLICATE, (reason,))
        hit = to_hit(found[0], compare(document, found[0]))
        row = booked_row(
            document, hit, Outcome.CREATED, *([f"{doubt}; found in the books by reading"] if doubt else [])
        )
        note = "booked otherwise than meant" if row.outcome == Outcome.CONFLICT else None
        record_created(self.journal, entry, hit, note=note)
        return row

    def _find(self, document: Document) -> list[dict[str, Any]]:
        if _PLAIN_NUMBER.fullmatch(document.number):
            try:
                return [self.client.get_invoice(document.number)]
            except NotFoundError:
                return []
        day = document.invoice["transdate"]
        booked = self.client.iter_invoices(from_date=day, to_date=day)
        return [invoice for invoice in booked if str(invoice.get("invnumber", "")).casefold() == document.key]

    def _unknown(self, document: Document, entry: Entry, reason: str) -> Row:
        self.journal.record(entry, State.UNKNOWN, note=reason)
        return Row(document.position, document.number, Outcome.UNKNOWN, (reason,))
