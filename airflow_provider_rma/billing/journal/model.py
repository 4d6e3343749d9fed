"""What a journal holds: rows, their states, and the events that led to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from airflow_provider_rma.described_enum import DescribedEnum


class JournalState(DescribedEnum):
    """State of a journal row."""

    CLAIMED = "claimed", "a run is about to send it, or died while doing so"
    UNKNOWN = "unknown", "sent, and no reliable response came"
    CREATED = "created", "in the books"
    REJECTED = "rejected", "refused by the service, not in the books"
    RELEASED = "released", "proven not to be in the books; it may be sent"
    BLOCKED = "blocked", "not in the books under its number, and not sent until a person has decided"


#: States in which the document may or may not be in the books.
OPEN = frozenset({JournalState.CLAIMED, JournalState.UNKNOWN})


@dataclass(frozen=True)
class Scope:
    """What a journal is about.

    :param base_url: address of the service, without the tenant.
    :param kind: ``invoice`` or ``customer``.
    """

    base_url: str
    tenant: str
    kind: str


@dataclass(frozen=True)
class JournalRow:
    """A row of the journal.

    :param number: the business key as it was written.
    :param version: grows with each change; a change names the version it was decided on.
    :param content_hash: SHA-256 of the document as it was meant; of a document known by its mark only, the first 16
        hexadecimal digits of it.
    :param attempts: how many times it was claimed for sending.
    :param settles_at: seconds since 1970; before this an absent document may still appear in the books.
    :param net: total without tax as booked, in ``currency``.
    :param gross: total with tax as booked, in ``currency``.
    """

    key: str
    number: str
    state: JournalState
    version: int
    content_hash: str
    attempts: int
    owner: str | None
    settles_at: float | None
    document_id: str | None
    net: Decimal | None
    gross: Decimal | None
    currency: str | None
    run: str | None
    created_at: float
    updated_at: float
    note: str | None

    def is_alive(self, now: float) -> bool:
        """Whether what was sent under this claim may still appear in the books without anybody sending again.

        :param now: the journal's time, in seconds since 1970.
        """
        return self.state in OPEN and self.settles_at is not None and self.settles_at > now


@dataclass(frozen=True)
class Event:
    """One change of a row; events are only ever added.

    :param version: of the row after the change.
    :param at: seconds since 1970 on the journal's clock.
    :param run: the run (or the command) that changed it.
    :param before: state before the change, None for the first.
    :param note: why, without personal data of customers.
    """

    version: int
    at: float
    run: str | None
    before: JournalState | None
    after: JournalState
    attempts: int
    note: str | None


@dataclass(frozen=True)
class Found:
    """A document in the books, as much of it as a journal keeps.

    :param content_hash: SHA-256 of the document, or its first 16 hexadecimal digits.
    :param net: total without tax as booked, in ``currency``.
    :param gross: total with tax as booked, in ``currency``.
    """

    number: str
    content_hash: str
    document_id: str | None = None
    net: Decimal | None = None
    gross: Decimal | None = None
    currency: str | None = None


#: How many numbers an :class:`ImportCounts` names; the rest is only counted.
NAMED = 100


@dataclass
class ImportCounts:
    """What became of documents that were found in the books.

    :param added: rows that the journal did not have.
    :param settled: rows that it had in another state than ``created``.
    :param known: rows that it had already.
    :param repeated: documents whose number another document of the books carries as well.
    :param repeated_numbers: their numbers, the first hundred.
    """

    added: int = 0
    settled: int = 0
    known: int = 0
    repeated: int = 0
    repeated_numbers: list[str] = field(default_factory=list)

    def repeat(self, number: str) -> None:
        """Count a document whose number was there already."""
        self.repeated += 1
        if len(self.repeated_numbers) < NAMED:
            self.repeated_numbers.append(number)
