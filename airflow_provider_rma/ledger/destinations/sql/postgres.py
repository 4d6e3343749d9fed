"""PostgreSQL as the warehouse, loaded by COPY.

Postings wait with the worker until their window is decided. Then one short transaction deletes the old rows, copies the
new ones straight into the table, and commits: readers are never blocked and see the old window until the commit; loads
of other windows run beside it; nothing is written twice on the server, and no transaction stays open for the minutes in
which the service is read (it would keep every vacuum of the database from cleaning up). What remains is as many dead
rows as the old window had, which autovacuum makes room of; the table of postings asks for it earlier than the server's
default would.

A window that was never loaded is copied while it is decoded, so that the server works beside the worker; its answers
have arrived by then. Other loads of the window wait for as long. If it is refused all the same, the copy is undone, and
leaves as many dead rows.

Rows travel as CSV that Arrow writes, so no row becomes a Python object.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger._pyarrow import psycopg, pyarrow
from airflow_provider_rma.ledger.destinations import views
from airflow_provider_rma.ledger.destinations.sql.base import (
    Dialect,
    RelationalDestination,
    RelationalStage,
    WarehouseTransaction,
    not_arrived,
    typed,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.ledger.windows import Window

_AUTOVACUUM = " WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)"
_DIALECT = Dialect(options={"postings": _AUTOVACUUM})

#: Bytes of an answer that are parsed at once.
_CHUNK = 1 << 22
#: Batches that may wait to be sent.
_WAITING = 4
#: A connection that was idle for longer than these seconds may have been dropped on the way; a new one is made.
_IDLE = 30.0
#: SQLSTATE of what another attempt may get over: connection, serialisation and deadlock, resources, locks, shutdown.
_PASSING = ("08", "40", "53", "55P03", "57")


class PostgresDestination(RelationalDestination):
    """See :class:`.Destination`.

    :param connect: gives a new connection of psycopg 3.
    :param location: where it is, without secrets.
    :param schema: schema of the database; created where it is absent.
    :param lock_timeout: seconds to wait for another load of the same window, or for a lock of somebody else.
    :param history: keep superseded postings.
    """

    kind = "postgresql"

    def __init__(
        self,
        connect: Callable[[], Any],
        location: str,
        *,
        schema: str = "rma",
        lock_timeout: float = 120.0,
        history: bool = False,
    ) -> None:
        super().__init__(history=history)
        self.location = location
        self.schema = schema
        self.lock_timeout = lock_timeout
        self._new = connect
        self._connection: Any = None
        self._used = 0.0
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        with self.transaction() as session:
            absent = session.fetch("SELECT to_regnamespace(?) IS NULL", [session.dialect.quoted(self.schema)])[0][0]
        if absent:
            with self.transaction("tables") as session:
                session.execute(f"CREATE SCHEMA IF NOT EXISTS {session.dialect.quoted(self.schema)}")
        return super().__enter__()

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._connection is not None:
                with suppress(psycopg().Error):
                    self._connection.close()
            self._connection = None

    def stage(self, tenant: str, window: Window, *, fresh: bool = False) -> RelationalStage:
        # With history, a row says since when it is known, which is not known yet.
        kind = FreshStage if fresh and not self.history else RelationalStage
        return kind(self, tenant, window)

    @contextmanager
    def transaction(self, *what: str) -> Iterator[PostgresTransaction]:
        """A transaction, which ends with the block.

        :param what: for writing; who writes the same waits for its end.
        :raises DestinationError: PostgreSQL refused, or another load of the same holds it for too long (retryable).
        """
        with self._turn:
            connection = self._connected()
            done = False
            try:
                session = PostgresTransaction(connection)
                session.begin(self.schema, self.lock_timeout)
                if what:
                    session.lock(self.schema, *what)
                yield session
                connection.commit()
                done = True
            except psycopg().Error as error:
                raise self._refusal(error) from error
            finally:
                self._used = time.monotonic()
                if not done:
                    # Closing rolls back, also in the middle of an answer.
                    self.close()

    def _connected(self) -> Any:
        if self._connection is not None and time.monotonic() - self._used > _IDLE:
            self.close()
        if self._connection is None:
            module = psycopg()
            try:
                self._connection = self._new()
            except module.Error as error:
                raise self._refusal(error) from error
            if not isinstance(self._connection, module.Connection):
                self._connection = None
                raise ConfigurationError(
                    "Connections to PostgreSQL must be of psycopg 3.",
                    advice="Install psycopg, version 3, or give a URL.",
                )
            self._connection.autocommit = False
            # Prepared statements do not live through a pooler.
            self._connection.prepare_threshold = None
        return self._connection

    def _refusal(self, error: Any) -> DestinationError:
        # PostgreSQL's own text may quote values, so the message names only the kind; the cause is chained.
        state = error.sqlstate or ""
        lost = not state and isinstance(error, psycopg().OperationalError)
        if state == "55P03":
            return DestinationError(
                f"{self.location}: another session held what is to be written for {self.lock_timeout:g} seconds.",
                advice="Let one run at a time load a tenant, or try again.",
                retryable=True,
            )
        return DestinationError(
            f"PostgreSQL refused to work on {self.location} ({type(error).__name__}{f', {state}' if state else ''}).",
            advice="Check the address, the rights of the user, and the free space; the task's log has the cause.",
            retryable=lost or state.startswith(_PASSING),
        )


class FreshStage(RelationalStage):
    """A window that most likely was never loaded: it is copied to its place as it comes, in the transaction that
    decides."""

    _destination: PostgresDestination
    _session: PostgresTransaction | None = None
    _write_rows: Callable[[pa.RecordBatch], None]

    def _write(self, batch: pa.RecordBatch) -> None:
        with self._failing():
            if self._session is None:
                self._open = ExitStack()
                self._session = self._open.enter_context(self._destination.transaction(self.tenant, self.window.name))
                # Another run may have loaded the window since it was looked at.
                self._session.delete("postings", **self._key)
                self._copying = self._open.enter_context(ExitStack())
                self._write_rows = self._copying.enter_context(self._session.copying("postings", batch.schema))
            self._write_rows(batch)

    def _exchange_postings(self, session: WarehouseTransaction, load: pa.Table) -> None:
        if self._session is None:
            super()._exchange_postings(session, load)
        elif self._session.copied != self.staged:
            raise not_arrived(self.staged, self._session.copied)

    @contextmanager
    def _transaction(self) -> Iterator[WarehouseTransaction]:
        if self._session is None:
            with super()._transaction() as session:
                yield session
            return
        with self._failing():
            self._copying.close()
            yield self._session
            self._session = None
            self._open.close()

    def _staged(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        raise RuntimeError("A window that was never loaded has nothing to be compared with.")

    def _replace(
        self,
        balances: pa.Table,
        proofs: pa.Table,
        load: pa.Table,
        changes: Iterable[pa.RecordBatch],
        *,
        keep_postings: bool,
    ) -> None:
        if keep_postings:
            self._discard()
        super()._replace(balances, proofs, load, changes, keep_postings=keep_postings)

    def _record(self, proofs: pa.Table, load: pa.Table) -> None:
        self._discard()
        super()._record(proofs, load)

    def _discard(self) -> None:
        if self._session is not None:
            with suppress(_UndoneError), self._failing():
                raise _UndoneError
        super()._discard()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What goes wrong ends the transaction, which says what it was."""
        try:
            yield
        except BaseException as error:
            self._session = None
            self._open.__exit__(type(error), error, error.__traceback__)
            raise


class _UndoneError(Exception):
    """A copy is not wanted any more."""


class PostgresTransaction(WarehouseTransaction):
    """A transaction in PostgreSQL."""

    def __init__(self, connection: Any) -> None:
        super().__init__(_DIALECT)
        self.connection = connection
        #: Rows that the server says it took from the last copy.
        self.copied = 0

    def begin(self, schema: str, lock_timeout: float) -> None:
        """Settings of this transaction alone: a pooler may hand the session to others."""
        settings = {
            "search_path": self.dialect.quoted(schema),
            "lock_timeout": f"{max(1, round(lock_timeout * 1000))}ms",
            "timezone": "UTC",
            "datestyle": "ISO, YMD",
            "client_encoding": "UTF8",
        }
        calls = ", ".join(["set_config(?, ?, true)"] * len(settings))
        self.fetch(f"SELECT {calls}", [part for setting in settings.items() for part in setting])

    def lock(self, schema: str, *what: str) -> None:
        """Wait until nobody else holds the same, then hold it until the end of the transaction."""
        key = hashlib.sha256("\0".join(("airflow-provider-rma", schema, *what)).encode()).digest()[:8]
        self.fetch("SELECT pg_advisory_xact_lock(?)", [int.from_bytes(key, "big", signed=True)])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(sql.replace("?", "%s"), list(parameters) or None)

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor(row_factory=psycopg("psycopg.rows").tuple_row)
        found: list[tuple[Any, ...]] = cursor.execute(sql.replace("?", "%s"), list(parameters) or None).fetchall()
        return found

    def columns(self, table: str) -> list[str]:
        found = self.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped",
            [self.name(table)],
        )
        return [name for (name,) in found]

    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        with self.copying(table, schema) as write:
            for batch in batches:
                write(batch)

    @contextmanager
    def copying(self, table: str, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
        """A way to add rows batch by batch; nothing else may be done in the transaction until the block ends.

        A thread sends them: the next ones are made while the server takes the ones before.
        """
        arrow, csv = pyarrow(), pyarrow("pyarrow.csv")
        # A text is quoted, be it empty; null is nothing at all.
        options = csv.WriteOptions(include_header=False)
        command = f"COPY {self.name(table)} ({self.names(schema.names)}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
        sent: deque[Future[None]] = deque()
        cursor = self.connection.cursor()
        with cursor.copy(command) as copy, ThreadPoolExecutor(1, "rma-copy") as sender:

            def send(batch: pa.RecordBatch) -> None:
                with arrow.BufferOutputStream() as sink:
                    csv.write_csv(batch, sink, options)
                    copy.write(memoryview(sink.getvalue()))

            def write(batch: pa.RecordBatch) -> None:
                if len(sent) >= _WAITING:
                    sent.popleft().result()
                sent.append(sender.submit(send, batch))

            try:
                yield write
                for one in sent:
                    one.result()
            except BaseException:
                sender.shutdown(cancel_futures=True)
                raise
        self.copied = cursor.rowcount

    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        query = f"SELECT {self.names(schema.names)} FROM {self.name(table)} {self.where('tenant', 'month')}"  # noqa: S608
        command = f"COPY ({query}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')".replace("?", "%s")
        with self.connection.cursor().copy(command, [tenant, window.start]) as copy:
            for chunk in _chunks(copy):
                yield from _parsed(chunk, schema)

    def renew_views(self) -> None:
        error = psycopg().Error
        try:
            with self.connection.transaction():
                super().renew_views()
        except error:
            # Columns of a view cannot be changed in its place.
            for name in reversed(views.VIEWS):
                self.execute(f"DROP VIEW IF EXISTS {self.name(name)}")
            super().renew_views()


def _chunks(lines: Iterable[Any]) -> Iterator[bytes]:
    """Lines of an answer put together: the server sends one at a time."""
    waiting: list[Any] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _parsed(chunk: bytes, schema: Any) -> Iterator[Any]:
    csv = pyarrow("pyarrow.csv")
    table = csv.read_csv(
        pyarrow().BufferReader(chunk),
        # One block: a text may be longer than what Arrow would choose.
        csv.ReadOptions(column_names=schema.names, block_size=len(chunk) + 1, use_threads=False),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=dict(zip(schema.names, schema.types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    for batch in table.to_batches():
        yield typed(batch, schema)
