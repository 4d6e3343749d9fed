"""A DuckDB file as the warehouse.

DuckDB lets one process at a time write a file, and while it does nobody else can open it. Reading a window from the
service takes minutes, so the file is not held meanwhile: postings wait in an unnamed temporary file beside it (it
vanishes with the process), and the file is opened only to replace the window, in one transaction. Tenants that are
loaded in parallel thus take turns, and people can read in between.

There are no primary keys and no indexes: DuckDB checks them row by row, which costs more than the whole load, and
refuses to delete and insert the same key in one transaction, which is what replacing a window is. Its own minima and
maxima per block of rows find a tenant's month quickly enough.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.arrow_schemas import cast_batch
from airflow_provider_rma.ledger.contract import PROVIDER_TABLES
from airflow_provider_rma.ledger.destinations.sql.base import RelationalDestination
from airflow_provider_rma.ledger.destinations.sql.ddl import create_or_upgrade
from airflow_provider_rma.ledger.destinations.sql.session import DatabaseObject, Row, is_mark
from airflow_provider_rma.ledger.destinations.sql.text import Dialect, TextTransaction
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)

_BATCH_ROWS = 32_768
_DIALECT = Dialect(indexes=False)
#: Name under which DuckDB sees rows that are being added.
_ARRIVING = "airflow_provider_rma_arriving"
#: What DuckDB may use. Five million rows were replaced in 100 MB; with less it writes to disk sooner, hardly slower.
_THREADS, _MEMORY = 2, "100MB"
#: Waiting for the file: seconds before the second and at most between two tries.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
#: What DuckDB says while another process holds the file.
_HELD_ELSEWHERE = "Could not set lock"
#: What it says while this process has the file open with other settings (``read_only``, for example), or attached to
#: another database. A connection with the same settings shares the file.
_HELD_HERE = ("different configuration", "already attached", "Unique file handle conflict")

#: Connections of one process share the database, so the file's own lock does not keep its threads apart.
_process_locks: dict[str, threading.Lock] = {}
_process_locks_guard = threading.Lock()


class DuckDbDestination(RelationalDestination):
    """See :class:`.Destination`.

    :param path: the file; it and its folders are created where they are absent.
    :param schema: schema in the file; created where it is absent.
    :param lock_timeout: seconds to wait for the file while another process holds it.
    :param history: keep superseded postings.
    """

    kind = "duckdb"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        schema: str = "rma",
        lock_timeout: float = 120.0,
        history: bool = False,
    ) -> None:
        super().__init__(history=history)
        self.schema = schema
        self.path = Path(path)
        self.location = str(path)
        self.lock_timeout = lock_timeout
        #: The connection of the thread that holds the file.
        self._mine = threading.local()
        # Beside the warehouse: there is room for the data, and /tmp may be memory.
        self.buffer_folder = self.path.parent

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder of {self.location} cannot be created: {error.strerror}.",
                advice="Correct the destination, or the rights of the folder.",
            ) from error
        with self.transaction("tables") as transaction:
            self._check_main(transaction)
            transaction.create_schema()
            create_or_upgrade(transaction, self.location, history=self.history)
        return self

    def _check_main(self, transaction: DuckDbTransaction) -> None:
        """Refuse a file whose warehouse an earlier version made in the schema ``main``.

        :raises ConfigurationError: it did, and there is none in the schema that is asked for.
        """
        if self.schema == "main" or transaction.find_objects(["contract"]):
            return
        if DuckDbTransaction(transaction.connection, "main").columns("contract") == PROVIDER_TABLES["contract"].names:
            raise ConfigurationError(
                f"{self.location} has a warehouse in the schema main, where earlier versions kept it, and none in "
                f"{self.schema}. Nothing was changed.",
                advice="Add ?schema=main to the address to go on with it, or load into a new file.",
            )

    def close(self) -> None:
        """Do nothing: the file is not kept open between two calls."""

    @contextmanager
    def keep_open(self) -> Iterator[None]:
        """Keep the file open until the block ends: opening and closing it takes longer than most of what is done."""
        deadline = time.monotonic() + self.lock_timeout
        with self._process_lock(deadline):
            self._mine.connection = self._connect(deadline)
            try:
                yield
            finally:
                self._mine.connection.close()
                del self._mine.connection

    @contextmanager
    def transaction(self, *purpose: str) -> Iterator[DuckDbTransaction]:
        """Return a transaction, which ends with the block; the file is kept open only that long, whatever the purpose.

        :raises DestinationError: the file is held by another process for too long (retryable), or DuckDB refused.
        """
        if not hasattr(self._mine, "connection"):
            with self.keep_open(), self.transaction(*purpose) as transaction:
                yield transaction
            return
        connection, is_done = self._mine.connection, False
        try:
            connection.execute("BEGIN")
            yield DuckDbTransaction(connection, self.schema)
            connection.execute("COMMIT")
            is_done = True
        except duckdb.Error as error:
            raise self._error_for(error) from error
        finally:
            if not is_done:
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")

    @contextmanager
    def _process_lock(self, deadline: float) -> Iterator[None]:
        key = os.path.realpath(self.path)
        with _process_locks_guard:
            lock = _process_locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._busy_error("another thread of this process")
        try:
            yield
        finally:
            lock.release()

    def _connect(self, deadline: float) -> duckdb.DuckDBPyConnection:
        wait = _FIRST_WAIT
        is_announced = False
        while True:
            try:
                connection = duckdb.connect(str(self.path))
                _limit(connection)
                return connection
            except duckdb.Error as error:
                holder = _name_holder(error)
                if not holder:
                    raise self._error_for(error) from error
                if time.monotonic() + wait > deadline:
                    raise self._busy_error(holder) from error
            if not is_announced:
                log.info("Waiting for %s, which %s holds.", self.location, holder)
                is_announced = True
            # The jitter keeps several waiting processes from meeting again and again.
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            wait = min(2 * wait, _LONGEST_WAIT)

    def _busy_error(self, holder: str) -> DestinationError:
        return DestinationError(
            f"{self.location} was held by {holder} for {self.lock_timeout:g} seconds.",
            advice="DuckDB allows one writer and no reader beside it: close what has the file open, or try again.",
            retryable=True,
        )

    def _error_for(self, error: Exception) -> DestinationError:
        # DuckDB's own text may quote values, so the message names only the kind; the cause is chained.
        return DestinationError(
            f"DuckDB refused to work on {self.location} ({type(error).__name__}).",
            advice="Check that it is a database of this DuckDB's version, that it may be written, and the free space.",
            retryable=isinstance(error, duckdb.TransactionException),
        )


class DuckDbTransaction(TextTransaction):
    """A transaction in DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        super().__init__(_DIALECT)
        self.connection = connection
        self.schema = schema
        #: DuckDB derives it from the name of the file. A schema may have the same name as a catalog, so each statement
        #: names both.
        self.catalog = str(self.fetch("SELECT current_database()")[0][0])

    def quote_table(self, table: str) -> str:
        return f"{self._quote_schema()}.{self.dialect.quote(table)}"

    def write_query(self, view: str) -> str:
        # DuckDB looks up the names in the view's own schema. With a catalog in them, the view could not be read where
        # the file is attached under another name.
        return views.VIEWS[view]

    def create_schema(self) -> None:
        """Create the schema if it is absent."""
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {self._quote_schema()}")

    def _quote_schema(self) -> str:
        return f"{self.dialect.quote(self.catalog)}.{self.dialect.quote(self.schema)}"

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(sql, list(parameters))

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.connection.execute(sql, list(parameters)).fetchall()

    def find_objects(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        # DuckDB takes names that differ in case alone for the same.
        wanted = list(names)
        found = self.fetch(
            "SELECT 'table', lower(table_name), comment FROM duckdb_tables() "
            "WHERE database_name = $1 AND lower(schema_name) = lower($2) AND list_contains($3, lower(table_name)) "
            "UNION ALL SELECT 'view', lower(view_name), comment FROM duckdb_views() "
            "WHERE database_name = $1 AND lower(schema_name) = lower($2) AND list_contains($3, lower(view_name))",
            [self.catalog, self.schema, wanted],
        )
        return {name: DatabaseObject(kind, name, is_mark(comment)) for kind, name, comment in found}

    def columns(self, table: str) -> list[str]:
        found = self.fetch(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND lower(schema_name) = lower(?) "
            "AND lower(table_name) = ? ORDER BY column_index",
            [self.catalog, self.schema, table],
        )
        return [name for (name,) in found]

    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self.connection.register(_ARRIVING, pa.RecordBatchReader.from_batches(schema, _combine(batches)))
        try:
            self.execute(f"INSERT INTO {self.quote_table(table)} BY NAME SELECT * FROM temp.main.{_ARRIVING}")  # noqa: S608
        finally:
            # Where the rows broke off, DuckDB refuses this too, and would hide why.
            with suppress(duckdb.Error):
                self.connection.unregister(_ARRIVING)

    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        relation = self.connection.sql(self.select_window(table, schema.names), params=[tenant, window.start])
        # DuckDB 1 calls it fetch_arrow_reader.
        read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
        for batch in read(_BATCH_ROWS):
            yield cast_batch(batch, schema)


def _name_holder(error: duckdb.Error) -> str:
    """Return who keeps DuckDB from opening the file; empty if that is not the reason."""
    if _HELD_ELSEWHERE in str(error):
        return "another process"
    if any(words in str(error) for words in _HELD_HERE):
        return "another connection of this process, which opened it read-only, with other settings or by ATTACH,"
    return ""


def _combine(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put the rows into fewer batches: DuckDB takes them a quarter faster."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _BATCH_ROWS:
            yield pa.concat_batches(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_batches(waiting)


def _limit(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep DuckDB small and polite: a worker runs many tasks. More threads would need more memory each."""
    # Rows have no order. As long as DuckDB must keep one, a single thread inserts.
    connection.execute("SET preserve_insertion_order = false")
    # Refused where another connection of this process already uses more; then the limit is that one's business.
    with suppress(duckdb.OutOfMemoryException):
        connection.execute(f"SET threads = {_THREADS}")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
