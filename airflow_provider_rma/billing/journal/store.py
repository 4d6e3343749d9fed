"""The journal: what this provider is about to send, has sent, and knows to be in the books.

It is written before every POST and is the only arbiter between workers. A row's key is the service's address, the
tenant, the kind of document and its business key (compared without regard to case). It holds hashes, states, amounts
and times, no personal data of customers. Every change leaves an event in the same transaction.

A row is changed only on the condition that it is still as it was seen (``version``), so of two workers that decided on
the same ground one wins and the other decides again. All times are seconds since 1970 on the clock of the database,
which workers on different machines share.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from itertools import islice
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.canonical import normalize_origin
from airflow_provider_rma.billing.journal.engine import db_now, journal_errors, write_transaction
from airflow_provider_rma.billing.journal.migrations import migrate
from airflow_provider_rma.billing.journal.model import OPEN, Event, ImportCounts, JournalRow, JournalState, Scope
from airflow_provider_rma.billing.journal.tables import EVENT, JOURNAL
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError, JournalError

T = TypeVar("T")

_OPEN_NAMES = [str(state) for state in sorted(OPEN)]
_BATCH = 500


class Journal:
    """The journal of one tenant and one kind of document. May be used by several threads.

    :param engine: SQLAlchemy engine of a SQLite or PostgreSQL database, see :func:`open_engine`; its tables are created
        or brought up to date.
    :param base_url: address of the service, without the tenant.
    :param tenant: the tenant.
    :param kind: ``invoice`` or ``customer``.
    :param run: identity of the run, for a person who reads the journal later.
    :param clock: seconds since 1970; the clock of the database if None.
    :raises JournalError: if the database cannot be used, or is newer than this code.
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
        self.engine = engine
        self.scope = Scope(normalize_origin(base_url), tenant, kind)
        self.scope_columns = asdict(self.scope)
        self.run = _clean(run, 255)
        # No two attempts share an owner, not even two tries of one task: the first may be alive still.
        self.owner = uuid.uuid4().hex
        self._clock = clock
        migrate(engine)

    def in_scope(self, table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
        """Return the conditions that select the rows of this journal."""
        return (table.c[name] == value for name, value in self.scope_columns.items())

    def db_time(self) -> sa.ColumnElement[float]:
        """Return the expression for the journal's time."""
        if self._clock is not None:
            return sa.literal(self._clock(), sa.Float)
        return db_now(self.engine)

    def now(self) -> float:
        """The journal's time, in seconds since 1970."""
        if self._clock is not None:
            return self._clock()
        with journal_errors(), self.engine.connect() as connection:
            return float(connection.execute(sa.select(self.db_time())).scalar_one())

    def get(self, keys: Iterable[str]) -> dict[str, JournalRow]:
        """The rows of these business keys, by key."""
        found: dict[str, JournalRow] = {}
        with journal_errors(), self.engine.connect() as connection:
            for wanted in in_batches(keys):
                found |= self._read(connection, wanted)
        return found

    def open_rows(self) -> Iterator[JournalRow]:
        """Rows whose document may or may not be in the books."""
        query = sa.select(JOURNAL).where(*self.in_scope(JOURNAL), JOURNAL.c.state.in_(_OPEN_NAMES))
        with journal_errors(), self.engine.connect() as connection:
            rows = connection.execute(query).all()
        return (JournalRow.from_columns(row._mapping) for row in rows)

    def newest_booked(self, limit: int = 20) -> list[str]:
        """Numbers of the documents that were last found in the books, the newest first."""
        query = (
            sa.select(JOURNAL.c.number)
            .where(*self.in_scope(JOURNAL), JOURNAL.c.state == str(JournalState.CREATED))
            .order_by(JOURNAL.c.updated_at.desc())
            .limit(limit)
        )
        with journal_errors(), self.engine.connect() as connection:
            return [number for (number,) in connection.execute(query)]

    def booked_keys(self, before: float) -> set[str]:
        """Return the keys of the documents that were known to be in the books at a time.

        :param before: the journal's time, in seconds since 1970, exclusive.
        """
        query = sa.select(JOURNAL.c.key).where(
            *self.in_scope(JOURNAL), JOURNAL.c.state == str(JournalState.CREATED), JOURNAL.c.updated_at < before
        )
        with journal_errors(), self.engine.connect() as connection:
            return {key for (key,) in connection.execute(query)}

    def history(self, number: str) -> list[Event]:
        """Everything that happened to a document's row, in order."""
        query = (
            sa.select(EVENT)
            .where(*self.in_scope(EVENT), EVENT.c.key == normalize_number(number))
            .order_by(EVENT.c.version)
        )
        with journal_errors(), self.engine.connect() as connection:
            return [Event.from_columns(row._mapping) for row in connection.execute(query)]

    def claim(
        self,
        number: str,
        content_hash: str,
        seen: JournalRow | None,
        *,
        settle_after: float,
        note: str | None = None,
    ) -> JournalRow | None:
        """Claim a document for sending, durably, before it is sent.

        :param seen: the row as it was when the decision to send was taken; None if there was none.
        :param settle_after: seconds from now after which nothing of this attempt can appear in the books any more.
        :param note: for the history.
        :returns: the claimed row, or None if another worker has changed the row meanwhile: decide again.
        """
        now = self.db_time()
        values = {
            "number": number,
            "state": str(JournalState.CLAIMED),
            "content_hash": content_hash,
            "owner": self.owner,
            "settles_at": now + settle_after,
            "evidence_seq": None,
        }
        if seen is None:
            return self._insert(number, values | {"attempts": 1}, note)
        # Whatever a caller has decided: what waits for a person is never claimed.
        settled = sa.and_(
            JOURNAL.c.state != str(JournalState.BLOCKED),
            sa.or_(JOURNAL.c.state.not_in(_OPEN_NAMES), JOURNAL.c.settles_at <= now),
        )
        return self._change(seen, values | {"attempts": seen.attempts + 1}, note, settled)

    def has_claimed(self, row: JournalRow) -> bool:
        """Whether a row was claimed through this object, and it is not certain that its document was not sent."""
        return row.owner == self.owner and row.state in OPEN | {JournalState.CREATED, JournalState.REJECTED}

    def record(
        self,
        row: JournalRow,
        state: JournalState,
        *,
        booked: BookedDocument | None = None,
        content_hash: str | None = None,
        note: str | None = None,
    ) -> bool:
        """Record what became of a document.

        :param row: as it was last seen.
        :param booked: the document in the books; None keeps nothing of it.
        :param content_hash: if it is another one than that of the row.
        :param note: why, without personal data.
        :returns: whether the row was still as seen; if not, another worker has decided meanwhile.
        """
        values = {
            "state": str(state),
            "content_hash": content_hash or row.content_hash,
            **_document_columns(booked),
        }
        return self._change(row, values, note) is not None

    def import_booked(self, document: BookedDocument, content_hash: str) -> None:
        """Record a document that was found in the books without having been journalled."""
        values = _booked_columns(document, content_hash) | {"number": _clean(document.number, 128), "attempts": 0}
        self._insert(document.number, values, "found in the books")

    def import_many(self, documents: Iterable[tuple[BookedDocument, str]], *, note: str) -> ImportCounts:
        """Record documents that were found in the books, a batch to a transaction.

        :param documents: each with the SHA-256 of its content, or the first 16 hexadecimal digits of it; read once and
            never held as a whole.
        :param note: where they were found, for the history.
        """
        counts = ImportCounts()
        for batch in in_batches(documents):
            self._import_batch(batch, note, counts)
        return counts

    def block(self, number: str, content_hash: str, seen: JournalRow | None, *, reason: str) -> JournalRow | None:
        """Keep a document from being sent until a person has decided (:meth:`resolve`).

        :param seen: the row as it was when that was decided; None if there was none.
        :param reason: why, without personal data; the outcome of every run that meets the document names it.
        :returns: the blocked row, or None if a run has changed it meanwhile: decide again.
        """
        values = {"number": number, "state": str(JournalState.BLOCKED), "content_hash": content_hash}
        if seen is None:
            return self._insert(number, values | {"attempts": 0}, reason)
        return self._change(seen, values, reason)

    def resolve(
        self, number: str, conclusion: Literal["booked", "absent"], *, who: str, reason: str, force: bool = False
    ) -> JournalRow:
        """Record what a person has found out about a document.

        :param conclusion: ``booked`` (the row becomes ``created``) or ``absent`` (``released``: it may be sent again).
        :param who: who decided.
        :param reason: what the decision rests on.
        :param force: also where the row is not in doubt, or what was sent may still appear in the books.
        :returns: the row as it is now.
        :raises InvalidInputError: if there is nothing to resolve, or ``force`` is needed.
        :raises JournalError: if the row was changed by a run at the same moment.
        """
        state = JournalState.CREATED if conclusion == "booked" else JournalState.RELEASED
        seen = self.get([normalize_number(number)]).get(normalize_number(number))
        self._refuse_resolving(number, seen, state, force)
        assert seen is not None  # noqa: S101 - refused above
        changed = self._change(seen, {"state": str(state)}, f"{conclusion} according to {who}: {reason}")
        if changed is None:
            raise JournalError(
                f"a run has changed {number} at the same moment", advice="Look at it again, then decide."
            )
        return changed

    def _refuse_resolving(self, number: str, seen: JournalRow | None, state: JournalState, force: bool) -> None:
        if seen is None:
            problem = ("the journal has no row of this number", "check the number, the tenant and the kind")
        elif seen.state == state:
            problem = (f"is {state} already", "there is nothing to resolve")
        elif not force and seen.state not in OPEN | {JournalState.BLOCKED}:
            problem = (f"is {seen.state}, not in doubt", "if that is wrong nevertheless, use force")
        elif not force and seen.is_alive(self.now()):
            problem = (
                "is being sent, or was so a moment ago: it may still appear in the books",
                "wait for its settle time, or use force if you know better",
            )
        else:
            return
        raise InvalidInputError([FieldProblem(f"{self.scope.kind} {number}", *problem)])

    def _import_batch(self, batch: list[tuple[BookedDocument, str]], note: str, counts: ImportCounts) -> None:
        # In the same order everywhere, so that two imports at once wait for each other without a deadlock.
        batch.sort(key=lambda pair: pair[0].key)
        with journal_errors(), write_transaction(self.engine) as connection:
            now = float(connection.execute(sa.select(self.db_time())).scalar_one())
            rows = self._read(connection, [document.key for document, _ in batch], lock=True)
            ids = {key: row.document_id for key, row in rows.items()}
            booked = {key for key, row in rows.items() if row.state == JournalState.CREATED}
            for document, content_hash in batch:
                key = document.key
                if key not in booked:
                    seen = rows.get(key)
                    values = _booked_columns(document, content_hash)
                    changed = self._import_row(connection, document.number, values, seen, now, note)
                    booked.add(key)
                    ids[key] = document.document_id if changed else None
                    counts.added += changed and seen is None
                    counts.resolved += changed and seen is not None
                    counts.known += not changed
                elif ids[key] is not None and document.document_id not in (None, ids[key]):
                    counts.add_repeated(document.number)
                else:
                    counts.known += 1

    def _import_row(
        self,
        connection: sa.engine.Connection,
        number: str,
        values: dict[str, Any],
        seen: JournalRow | None,
        now: float,
        note: str,
    ) -> bool:
        """Add or change a row; False if a run has added it since it was read."""
        values = values | {"run": self.run, "updated_at": now, "note": _clean(note, 255)}
        key = normalize_number(number)
        if seen is None:
            added = {"number": _clean(number, 128), "key": key, "version": 1, "attempts": 0, "created_at": now}
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(JOURNAL).values(**self.scope_columns, **values, **added))
            except IntegrityError:
                return False
        else:
            change = sa.update(JOURNAL).where(*self.in_scope(JOURNAL), JOURNAL.c.key == key)
            connection.execute(change.values(**values, version=seen.version + 1))
        self._append_event(connection, key, seen, note)
        return True

    def _insert(self, number: str, values: Mapping[str, Any], note: str | None) -> JournalRow | None:
        """Add a row; None if there is one already."""
        now = self.db_time()
        key = normalize_number(number)
        row = {"key": key, "version": 1, "run": self.run, "created_at": now, "updated_at": now}
        row["note"] = _clean(note, 255) if note else None
        try:
            with journal_errors(), write_transaction(self.engine) as connection:
                connection.execute(sa.insert(JOURNAL).values(**self.scope_columns, **{**values, **row}))
                self._append_event(connection, key, None, note)
                return self._read(connection, [key])[key]
        except IntegrityError:
            return None

    def _change(
        self,
        seen: JournalRow,
        values: Mapping[str, Any],
        note: str | None,
        condition: sa.ColumnElement[bool] | None = None,
    ) -> JournalRow | None:
        """Change a row that is still as it was seen, and add the event; None if it is not."""
        change = {
            "version": seen.version + 1,
            "run": self.run,
            "updated_at": self.db_time(),
            "note": _clean(note, 255) if note else None,
        }
        statement = (
            sa.update(JOURNAL)
            .where(*self.in_scope(JOURNAL), JOURNAL.c.key == seen.key, JOURNAL.c.version == seen.version)
            .where(sa.true() if condition is None else condition)
            .values(**{**values, **change})
        )
        with journal_errors(), write_transaction(self.engine) as connection:
            if connection.execute(statement).rowcount != 1:
                return None
            self._append_event(connection, seen.key, seen, note)
            return self._read(connection, [seen.key])[seen.key]

    def _append_event(
        self, connection: sa.engine.Connection, key: str, seen: JournalRow | None, note: str | None
    ) -> None:
        """Add the event of a change that was just made, with the row's own time."""
        row = JOURNAL.c
        copied = [row.base_url, row.tenant, row.kind, row.key, row.version, row.updated_at, row.run]
        added = [
            sa.literal(str(seen.state) if seen else None, sa.String),
            row.state,
            row.attempts,
            sa.literal(_clean(note, 1_000) if note else None, sa.String),
        ]
        query = sa.select(*copied, *added).where(*self.in_scope(JOURNAL), row.key == key)
        connection.execute(sa.insert(EVENT).from_select([column.name for column in EVENT.c], query))

    def _read(self, connection: sa.engine.Connection, keys: list[str], *, lock: bool = False) -> dict[str, JournalRow]:
        query = sa.select(JOURNAL).where(*self.in_scope(JOURNAL), JOURNAL.c.key.in_(keys))
        if lock:
            query = query.order_by(JOURNAL.c.key).with_for_update()
        return {row.key: JournalRow.from_columns(row._mapping) for row in connection.execute(query)}


def _booked_columns(document: BookedDocument, content_hash: str) -> dict[str, Any]:
    """Return the columns of a document that is in the books."""
    return {
        "state": str(JournalState.CREATED),
        "content_hash": content_hash,
        **_document_columns(document),
    }


def _document_columns(document: BookedDocument | None) -> dict[str, Any]:
    return {
        "document_id": _clean(document.document_id, 255) if document and document.document_id else None,
        "net": _to_text(document.net if document else None),
        "gross": _to_text(document.gross if document else None),
        "currency": _clean(document.currency, 16) if document and document.currency else None,
    }


def _clean(text: str, width: int) -> str:
    """Return what of a text a database takes: no NUL, no half character, no more than the column holds."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:width]


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Take items in lists that fit into one statement."""
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _to_text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
