"""The journal: what this provider is about to send, has sent, and knows to be in the books.

It is written before every POST and is the only arbiter between workers. A row's key is the service's address, the
tenant, the kind of document and its business key (compared without regard to case). It holds hashes, states, amounts
and times, no personal data.

A row is changed only on the condition that it is still as it was seen (``version``), so of two workers that decided on
the same ground one wins and the other decides again. All times are seconds since 1970 on the clock of the database,
which workers on different machines share.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from airflow_provider_rma.exceptions import JournalError


class State(StrEnum):
    """State of a journal row."""

    CLAIMED = "claimed"
    """A worker is about to send it, or died while doing so."""
    UNKNOWN = "unknown"
    """It was sent, and no reliable answer came."""
    CREATED = "created"
    """It is in the books."""
    REJECTED = "rejected"
    """The service refused it: it is not in the books."""
    RELEASED = "released"
    """It is proven not to be in the books and nobody is sending it."""


#: States in which the document may or may not be in the books.
OPEN = frozenset({State.CLAIMED, State.UNKNOWN})

_metadata = sa.MetaData()
_journal = sa.Table(
    "rma_journal",
    _metadata,
    sa.Column("base_url", sa.String(200), primary_key=True),
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("number", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.String(64), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("settles_at", sa.Float),
    sa.Column("document_id", sa.String(32)),
    sa.Column("net", sa.String(32)),
    sa.Column("gross", sa.String(32)),
    sa.Column("currency", sa.String(3)),
    sa.Column("run", sa.String(255)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("note", sa.String(255)),
)


@dataclass(frozen=True)
class Entry:
    """A row of the journal.

    :param number: the business key as it was written.
    :param version: grows with each change; a change names the version it was decided on.
    :param content_hash: SHA-256 of the document as it was meant.
    :param attempts: how many times it was claimed for sending.
    :param settles_at: seconds since 1970; before this an absent document may still appear in the books.
    :param net: total without tax as booked, in ``currency``.
    :param gross: total with tax as booked, in ``currency``.
    """

    key: str
    number: str
    state: State
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


def business_key(number: str) -> str:
    """The form in which numbers are compared: without regard to case."""
    return number.casefold()


class Journal:
    """The journal of one tenant and one kind of document.

    :param engine: SQLAlchemy engine of a SQLite or PostgreSQL database, see :func:`open_engine`.
    :param base_url: address of the service with the API version, without the tenant.
    :param tenant: the tenant.
    :param kind: ``invoice`` or ``customer``.
    :param run: identity of the run, for a person who reads the journal later.
    :param clock: seconds since 1970; the clock of the database if None.
    :raises JournalError: if the database cannot be used.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        base_url: str,
        tenant: str,
        kind: str,
        run: str,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._scope = {"base_url": base_url, "tenant": tenant, "kind": kind}
        self.run = run[:255]
        # No two attempts share an owner, not even two tries of one task: the first may be alive still.
        self._owner = uuid.uuid4().hex
        self._clock = clock
        with _guard():
            _metadata.create_all(engine)

    def now(self) -> float:
        """The journal's time, in seconds since 1970."""
        if self._clock is not None:
            return self._clock()
        with _guard(), self._engine.connect() as connection:
            return float(connection.execute(sa.select(self._now())).scalar_one())

    def get(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The rows of these business keys, by key."""
        wanted = list(keys)
        found: dict[str, Entry] = {}
        with _guard(), self._engine.connect() as connection:
            for start in range(0, len(wanted), 500):
                query = self._rows().where(_journal.c.key.in_(wanted[start : start + 500]))
                found |= {row.key: _entry(row._mapping) for row in connection.execute(query)}
        return found

    def open_entries(self) -> Iterator[Entry]:
        """Rows whose document may or may not be in the books."""
        query = self._rows().where(_journal.c.state.in_([str(state) for state in OPEN]))
        with _guard(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return (_entry(row._mapping) for row in rows)

    def claim(self, number: str, content_hash: str, seen: Entry | None, *, settle_after: float) -> Entry | None:
        """Claim a document for sending, durably, before it is sent.

        :param seen: the row as it was when the decision to send was taken; None if there was none.
        :param settle_after: seconds from now after which nothing of this attempt can appear in the books any more.
        :returns: the claimed row, or None if another worker has changed the row meanwhile: decide again.
        """
        now = self._now()
        values = {
            "number": number,
            "state": str(State.CLAIMED),
            "content_hash": content_hash,
            "owner": self._owner,
            "settles_at": now + settle_after,
            "run": self.run,
            "updated_at": now,
            "note": None,
        }
        key = business_key(number)
        if seen is None:
            row = self._scope | values | {"key": key, "version": 1, "attempts": 1, "created_at": now}
            try:
                with _guard(), self._engine.begin() as connection:
                    connection.execute(sa.insert(_journal).values(**row))
            except IntegrityError:
                return None
        else:
            change = values | {"version": seen.version + 1, "attempts": seen.attempts + 1}
            settled = sa.or_(
                _journal.c.state.not_in([str(state) for state in OPEN]),
                _journal.c.settles_at <= now,
            )
            if not self._update(key, seen.version, change, settled):
                return None
        return self.get([key])[key]

    def record(
        self,
        entry: Entry,
        state: State,
        *,
        document_id: str | None = None,
        net: Decimal | None = None,
        gross: Decimal | None = None,
        currency: str | None = None,
        content_hash: str | None = None,
        note: str | None = None,
    ) -> bool:
        """Record what became of a document.

        :param entry: the row as it was last seen.
        :param note: why, without personal data.
        :returns: whether the row was still as seen; if not, another worker has decided meanwhile.
        """
        change = {
            "state": str(state),
            "version": entry.version + 1,
            "document_id": document_id,
            "net": _money(net),
            "gross": _money(gross),
            "currency": currency,
            "content_hash": content_hash or entry.content_hash,
            "run": self.run,
            "updated_at": self._now(),
            "note": note[:255] if note else None,
        }
        return self._update(entry.key, entry.version, change, sa.true())

    def adopt(self, number: str, content_hash: str, **facts: Any) -> None:
        """Record a document that was found in the books without having been journalled."""
        now = self._now()
        row = self._scope | {
            "key": business_key(number),
            "number": number,
            "state": str(State.CREATED),
            "version": 1,
            "content_hash": content_hash,
            "attempts": 0,
            "document_id": facts.get("document_id"),
            "net": _money(facts.get("net")),
            "gross": _money(facts.get("gross")),
            "currency": facts.get("currency"),
            "run": self.run,
            "created_at": now,
            "updated_at": now,
            "note": "found in the books",
        }
        try:
            with _guard(), self._engine.begin() as connection:
                connection.execute(sa.insert(_journal).values(**row))
        except IntegrityError:
            return  # another run has just recorded it

    def _rows(self) -> sa.Select[Any]:
        return sa.select(_journal).where(*(_journal.c[name] == value for name, value in self._scope.items()))

    def _update(self, key: str, version: int, change: Mapping[str, Any], condition: sa.ColumnElement[bool]) -> bool:
        statement = (
            sa.update(_journal)
            .where(*(_journal.c[name] == value for name, value in self._scope.items()))
            .where(_journal.c.key == key, _journal.c.version == version, condition)
            .values(**change)
        )
        with _guard(), self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def _now(self) -> sa.ColumnElement[float]:
        if self._clock is not None:
            return sa.literal(self._clock(), sa.Float)
        if self._engine.dialect.name == "sqlite":
            return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)
        return sa.literal_column("extract(epoch from clock_timestamp())::double precision", sa.Float)


@contextmanager
def _guard() -> Iterator[None]:
    """Turn database errors into one of ours, except the one that says that a row exists already."""
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        raise JournalError(
            f"the journal cannot be read or written ({type(error).__name__})",
            advice="Nothing is posted without it. Check the journal's database and run again.",
            retryable=True,
        ) from error


def open_engine(url: str) -> sa.Engine:
    """Open a journal's database.

    :param url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
    :raises JournalError: for any other database.
    """
    backend = sa.engine.make_url(url).get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise JournalError(f"the journal cannot live in {backend}", advice="Use SQLite (one machine) or PostgreSQL.")
    engine = sa.create_engine(url, future=True)
    if backend == "sqlite":
        if engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # A claim must survive a power cut: it is all that stands between a crash and a second POST.
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _entry(row: Mapping[Any, Any]) -> Entry:
    values = {name: row[name] for name in Entry.__dataclass_fields__}
    values["state"] = State(values["state"])
    for name in ("net", "gross"):
        values[name] = None if values[name] is None else Decimal(values[name])
    return Entry(**values)


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
