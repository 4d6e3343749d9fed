"""PostgreSQL as the warehouse, loaded by COPY.

Postings wait with the worker until their window is decided. Then one short transaction deletes the old rows, copies the
new ones straight into the table, and commits: readers are never blocked and see the old window until the commit; loads
of other windows run beside it; nothing is written twice on the server, and no transaction stays open for the minutes in
which the service is read (it would keep every vacuum of the database from cleaning up). What remains is as many dead
rows as the old window had, which autovacuum makes room of; the table of postings asks for it earlier than the server's
default would.

Rows travel as CSV that Arrow writes, so no row becomes a Python object.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg.rows import tuple_row
from pyarrow import csv

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.arrow_schemas import cast_batch
from airflow_provider_rma.ledger.destinations.sql.base import RelationalDestination
from airflow_provider_rma.ledger.destinations.sql.session import DatabaseObject, Row, is_mark
from airflow_provider_rma.ledger.destinations.sql.text import Dialect, TextTransaction
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window

_AUTOVACUUM = " WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)"
_DIALECT = Dialect(options={"postings": _AUTOVACUUM})

#: Kinds of relations, by their letter in PostgreSQL's catalogue.
_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "f": "foreign table",
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "i": "index",
    "I": "partitioned index",
    "c": "type",
}
#: Bytes of an answer that are parsed at once.
_CHUNK = 1 << 22
#: Batches that may wait to be sent.
_WAITING = 4
#: Beginnings of the SQLSTATE of errors that another attempt may get over: connection, serialisation and deadlock,
#: resources, locks, shutdown.
_TRANSIENT = ("08", "40", "53", "55P03", "57")


class PostgresDestination(RelationalDestination):
    """See :class:`.Destination`.

    :param connect: returns a new connection of psycopg 3.
    :param location: where it is, without secrets.
    :param schema: schema of the database; created where it is absent.
    :param lock_timeout: seconds to wait for another load of the same window, or for a lock of somebody else.
    :param history: keep superseded postings.
    :param idle_seconds: a connection that was idle for longer may have been dropped on the way; a new one is made.
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
        idle_seconds: float = 30.0,
    ) -> None:
        super().__init__(history=history)
        self.location = location
        self.schema = schema
        self.lock_timeout = lock_timeout
        self._connect = connect
        self._idle_seconds = idle_seconds
        self._connection: psycopg.Connection[Any] | None = None
        self._used = 0.0
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        with self.transaction() as transaction:
            schema = transaction.dialect.quote(self.schema)
            is_absent = transaction.fetch("SELECT to_regnamespace(?) IS NULL", [schema])[0][0]
        if is_absent:
            with self.transaction("tables") as transaction:
                transaction.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        return super().__enter__()

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._connection is not None:
                with suppress(psycopg.Error):
                    self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self, *purpose: str) -> Iterator[PostgresTransaction]:
        """Return a transaction, which ends with the block.

        :param purpose: for writing; other writers with the same purpose wait for its end.
        :raises DestinationError: PostgreSQL refused, or another load of the same holds it for too long (retryable).
        """
        with self._turn:
            connection = self._reconnect()
            is_done = False
            try:
                transaction = PostgresTransaction(connection, self.schema)
                transaction.begin(self.lock_timeout)
                if purpose:
                    transaction.lock(*purpose)
                yield transaction
                connection.commit()
                is_done = True
            except psycopg.Error as error:
                raise self._error_for(error) from error
            finally:
                self._used = time.monotonic()
                if not is_done:
                    # Closing rolls back, also in the middle of an answer.
                    self.close()

    def _reconnect(self) -> psycopg.Connection[Any]:
        """Return the connection that is kept, or a new one."""
        if self._connection is not None and time.monotonic() - self._used > self._idle_seconds:
            self.close()
        if self._connection is None:
            try:
                connection = self._connect()
            except psycopg.Error as error:
                raise self._error_for(error) from error
            if not isinstance(connection, psycopg.Connection):
                raise ConfigurationError(
                    "Connections to PostgreSQL must be of psycopg 3.",
                    advice="Install psycopg, version 3, or give a URL.",
                )
            connection.autocommit = False
            # Prepared statements do not live through a pooler.
            connection.prepare_threshold = None
            self._connection = connection
        return self._connection

    def _error_for(self, error: psycopg.Error) -> DestinationError:
        # PostgreSQL's own text may quote values, so the message names only the kind; the cause is chained.
        state = error.sqlstate or ""
        is_lost = not state and isinstance(error, psycopg.OperationalError)
        if state == "55P03":
            return DestinationError(
                f"{self.location}: another session held what is to be written for {self.lock_timeout:g} seconds.",
                advice="Let one run at a time load a tenant, or try again.",
                retryable=True,
            )
        return DestinationError(
            f"PostgreSQL refused to work on {self.location} ({type(error).__name__}{f', {state}' if state else ''}).",
            advice="Check the address, the rights of the user, and the free space; the task's log has the cause.",
            retryable=is_lost or state.startswith(_TRANSIENT),
        )


class PostgresTransaction(TextTransaction):
    """A transaction in PostgreSQL."""

    def __init__(self, connection: psycopg.Connection[Any], schema: str) -> None:
        super().__init__(_DIALECT)
        self.connection = connection
        self.schema = schema

    def quote_table(self, table: str) -> str:
        return f"{self.dialect.quote(self.schema)}.{self.dialect.quote(table)}"

    def begin(self, lock_timeout: float) -> None:
        """Apply settings to this transaction alone: a pooler may hand the session to others."""
        settings = {
            # Temporary tables come last: else those of the session would hide ours.
            "search_path": f"{self.dialect.quote(self.schema)}, pg_temp",
            "lock_timeout": f"{max(1, round(lock_timeout * 1000))}ms",
            "timezone": "UTC",
            "datestyle": "ISO, YMD",
            "client_encoding": "UTF8",
        }
        calls = ", ".join(["set_config(?, ?, true)"] * len(settings))
        self.fetch(f"SELECT {calls}", [part for setting in settings.items() for part in setting])

    def lock(self, *purpose: str) -> None:
        """Wait for other writers with the same purpose, then make them wait until the end of the transaction."""
        key = hashlib.sha256("\0".join(("airflow-provider-rma", self.schema, *purpose)).encode()).digest()[:8]
        self.fetch("SELECT pg_advisory_xact_lock(?)", [int.from_bytes(key, "big", signed=True)])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(_write_marks(sql), list(parameters) or None)

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        cursor = self.connection.cursor(row_factory=tuple_row)
        return cursor.execute(_write_marks(sql), list(parameters) or None).fetchall()

    def find_objects(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        # A table takes its name from all relations and, with the type of its rows, from all types of the schema.
        wanted = list(names)
        found = self.fetch(
            "SELECT relkind::text, relname, obj_description(oid, 'pg_class') FROM pg_class "
            "WHERE relnamespace = to_regnamespace(?) AND relname = ANY(?) "
            "UNION ALL SELECT 'type', typname, NULL FROM pg_type "
            "WHERE typnamespace = to_regnamespace(?) AND typname = ANY(?) AND typrelid = 0",
            [self.dialect.quote(self.schema), wanted] * 2,
        )
        return {
            name: DatabaseObject(_KINDS.get(kind, str(kind)), name, is_mark(comment)) for kind, name, comment in found
        }

    def columns(self, table: str) -> list[str]:
        found = self.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum",
            [self.quote_table(table)],
        )
        return [name for (name,) in found]

    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows by COPY. A thread sends them: the next ones are made while the server takes the ones before."""
        # A text is quoted, even if empty; null is nothing at all.
        options = csv.WriteOptions(include_header=False)
        place = f"{self.quote_table(table)} ({self.quote_columns(schema.names)})"
        command = f"COPY {place} FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
        sent: deque[Future[None]] = deque()
        with self.connection.cursor().copy(command.encode()) as copy, ThreadPoolExecutor(1, "rma-copy") as sender:

            def send(batch: pa.RecordBatch) -> None:
                with pa.BufferOutputStream() as sink:
                    csv.write_csv(batch, sink, options)
                    copy.write(memoryview(sink.getvalue()))

            try:
                for batch in batches:
                    if len(sent) >= _WAITING:
                        sent.popleft().result()
                    sent.append(sender.submit(send, batch))
                for future in sent:
                    future.result()
            except BaseException:
                sender.shutdown(cancel_futures=True)
                raise

    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        command = f"COPY ({self.select_window(table, schema.names)}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')"
        with self.connection.cursor().copy(_write_marks(command), [tenant, window.start]) as copy:
            for chunk in _combine(copy):
                yield from _parse(chunk, schema)

    def renew_views(self) -> None:
        """Replace the views in their place; those whose columns do not allow it are created anew with their grants.

        :raises ConfigurationError: objects of others depend on a view that has to be created anew.
        """
        stuck: list[str] = []
        for name in views.VIEWS:
            if views.reads_any(name, stuck) or not self._is_replaced(name):
                stuck.append(name)
        if not stuck:
            return
        grants = [grant for name in stuck for grant in self._read_grants(name)]
        self._drop_views(stuck)
        for name in stuck:
            self.create_view(name)
            self._revoke_defaults(name)
        for grant in grants:
            self.execute(grant)

    def _is_replaced(self, view: str) -> bool:
        """Replace a view in its place; return whether PostgreSQL allows it: columns may only be added at its end."""
        try:
            with self.connection.transaction():
                self.create_view(view)
        except psycopg.errors.InvalidTableDefinition:
            return False
        return True

    def _drop_views(self, names: Sequence[str]) -> None:
        """Drop views together.

        :raises ConfigurationError: objects of others depend on them.
        """
        listed = ", ".join(map(self.quote_table, names))
        try:
            self.execute(f"DROP VIEW IF EXISTS {listed}")
        except psycopg.errors.DependentObjectsStillExist as error:
            dependents = (error.diag.message_detail or "").replace("\n", "; ")
            raise ConfigurationError(
                f"Views of the schema {self.schema} get other columns with this version, and objects of yours depend "
                f"on them: {dependents}. Nothing was changed.",
                advice="Drop these objects, load again, and create them anew.",
            ) from error

    def _read_grants(self, view: str) -> list[str]:
        """Return the statements that grant again what is granted on a view and its columns, except to its owner."""
        found = self.fetch(
            "SELECT 'GRANT ' || privilege_type || columns || ' ON ' || ? || ' TO ' "
            "|| CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END "
            "|| CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END "
            "FROM (SELECT oid, relowner, '' AS columns, (aclexplode(relacl)).* FROM pg_class "
            "UNION ALL SELECT attrelid, relowner, ' (' || quote_ident(attname) || ')', (aclexplode(attacl)).* "
            "FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE attnum > 0 AND NOT attisdropped) AS granted "
            "WHERE oid = to_regclass(?) AND grantee <> relowner",
            [self.quote_table(view), self.quote_table(view)],
        )
        return [statement for (statement,) in found]

    def _revoke_defaults(self, view: str) -> None:
        """Take back what the defaults of the schema grant on a new view."""
        found = self.fetch(
            "SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END "
            "FROM (SELECT relowner, (aclexplode(relacl)).* FROM pg_class WHERE oid = to_regclass(?)) AS granted "
            "WHERE grantee <> relowner",
            [self.quote_table(view)],
        )
        for (grantee,) in found:
            self.execute(f"REVOKE ALL ON {self.quote_table(view)} FROM {grantee}")


def _write_marks(sql: str) -> bytes:
    """Write a statement with psycopg's marks."""
    return sql.replace("?", "%s").encode()


def _combine(lines: Iterable[Any]) -> Iterator[bytes]:
    """Put the lines of a response together: the server sends one at a time."""
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


def _parse(chunk: bytes, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    table = csv.read_csv(
        pa.BufferReader(chunk),
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
        yield cast_batch(batch, schema)
