"""Journal rows, their states and their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

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


#: Notes of rows whose document is in the books, and not as it should be.
MISMATCH = "booked otherwise than meant"
REPEATED = "duplicate"

#: Note of a claim whose document replaces one that is in the books.
UPDATE = "replaces what is in the books"


@dataclass(frozen=True)
class Scope:
    """The documents that a journal is about.

    :param base_url: address of the service, without the tenant.
    :param kind: ``invoice`` or ``customer``.
    """

    base_url: str
    tenant: str
    kind: str


@dataclass(frozen=True)
class JournalRow:
    """A row of the journal.

    :param number: the number of which the key is the normal form.
    :param version: grows with each change; a change names the version it was decided on.
    :param content_hash: SHA-256 of the document as it was meant; of a document known by its recovery tag only, the
        first 16 hexadecimal digits of it.
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

    @classmethod
    def from_columns(cls, columns: Mapping[Any, Any]) -> Self:
        """Make a row from the columns of the table."""
        values = {name: columns[name] for name in cls.__dataclass_fields__}
        values["state"] = JournalState(values["state"])
        for name in ("net", "gross"):
            values[name] = None if values[name] is None else Decimal(values[name])
        return cls(**values)

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

    @classmethod
    def from_columns(cls, columns: Mapping[Any, Any]) -> Self:
        """Make an event from the columns of the table."""
        before = columns["state_before"]
        return cls(
            version=columns["version"],
            at=columns["at"],
            run=columns["run"],
            before=JournalState(before) if before else None,
            after=JournalState(columns["state_after"]),
            attempts=columns["attempts"],
            note=columns["note"],
        )


#: How many numbers an :class:`ImportCounts` names; the rest is only counted.
NAMED = 100


@dataclass
class ImportCounts:
    """Counts of documents that were imported from the books.

    :param added: rows that the journal did not have.
    :param resolved: rows that it had in another state than ``created``.
    :param known: rows that it had already.
    :param repeated: documents whose number another document of the books carries as well.
    :param repeated_numbers: their numbers, the first hundred.
    """

    added: int = 0
    resolved: int = 0
    known: int = 0
    repeated: int = 0
    repeated_numbers: list[str] = field(default_factory=list)

    def add_repeated(self, number: str) -> None:
        """Count a document whose number another one carries."""
        self.repeated += 1
        if len(self.repeated_numbers) < NAMED:
            self.repeated_numbers.append(number)
