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

import json
import logging
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger.destinations import tables, views
from airflow_provider_rma.ledger.destinations.staging import (
    CheckedStage,
    changed_meanwhile,
    check_constant,
    conform,
)
from airflow_provider_rma.ledger.extras import duckdb, pyarrow
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, Fingerprint, Fingerprinter

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)

_BATCH_ROWS = 65_536
#: What DuckDB may use. Five million rows were replaced in 150 MB; beyond it writes to disk sooner, hardly slower.
_THREADS, _MEMORY = 2, "150MB"
#: Waiting for the file: seconds before the second and at most between two tries.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
#: What DuckDB says while another process holds the file, or another connection of this process with other settings.
_BUSY = ("Could not set lock", "different configuration")

#: Connections of one process share the database, so the file's own lock does not keep its threads apart.
_process_locks: dict[str, threading.Lock] = {}
_process_locks_guard = threading.Lock()


class DuckDbDestination:
    """See :class:`.Destination`.

    :param path: the file; it and its folders are created where they are absent.
    :param lock_timeout: seconds to wait for the file while another process holds it.
    """

    kind = "duckdb"

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout: float = 120.0) -> None:
        self.path = Path(path)
        self.location = str(path)
        self.lock_timeout = lock_timeout

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder of {self.location} cannot be created: {error.strerror}.",
                advice="Correct the destination, or the rights of the folder.",
            ) from error
        with self.transaction() as connection:
            _prepare(connection, self.location)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held between two calls, so there is nothing to close."""

    def rows(self, tenant: str, window: Window) -> int:
        with self.transaction() as connection:
            return _count(connection, tenant, window)

    def is_loaded(self, tenant: str, window: Window) -> bool:
        with self.transaction() as connection:
            return _is_loaded(connection, tenant, window)

    def fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        fingerprinter = Fingerprinter()
        columns = ", ".join(f'"{name}"' for name in BUSINESS_COLUMNS)
        with self.transaction() as connection:
            query = f"SELECT {columns} FROM postings WHERE tenant = ? AND month = ?"  # noqa: S608 - names of ours
            relation = connection.sql(query, params=[tenant, window.start])
            # DuckDB 1 calls it fetch_arrow_reader.
            reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
            for batch in reader(_BATCH_ROWS):
                fingerprinter.add(batch)
        return fingerprinter.result()

    def convention(self, tenant: str) -> dict[str, Any] | None:
        with self.transaction() as connection:
            found = connection.execute("SELECT convention FROM conventions WHERE tenant = ?", [tenant]).fetchone()
        return json.loads(found[0]) if found else None

    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        with self.transaction() as connection:
            connection.execute("DELETE FROM conventions WHERE tenant = ?", [tenant])
            connection.execute(
                "INSERT INTO conventions (tenant, convention, saved_at) VALUES (?, ?, now())",
                [tenant, json.dumps(convention, sort_keys=True)],
            )

    def save_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        accounts = conform(accounts, "accounts")
        check_constant(accounts, "tenant", tenant)
        check_constant(accounts, "load_id", load_id)
        with self.transaction() as connection:
            connection.execute("DELETE FROM accounts WHERE tenant = ?", [tenant])
            _insert(connection, "accounts", accounts)

    def stage(self, tenant: str, window: Window) -> DuckDbStage:
        return DuckDbStage(self, tenant, window)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A connection in a transaction, which ends with the block; the file is held only that long.

        :raises DestinationError: the file is held by another process for too long (retryable), or DuckDB refused.
        """
        deadline = time.monotonic() + self.lock_timeout
        errors = duckdb().Error
        with self._process_lock(deadline):
            connection = self._connect(deadline)
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except errors as error:
                raise self._refusal(error) from error
            finally:
                # Without COMMIT, closing rolls back.
                connection.close()

    @contextmanager
    def _process_lock(self, deadline: float) -> Iterator[None]:
        key = os.path.realpath(self.path)
        with _process_locks_guard:
            lock = _process_locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._busy()
        try:
            yield
        finally:
            lock.release()

    def _connect(self, deadline: float) -> Any:
        module = duckdb()
        wait = _FIRST_WAIT
        announced = False
        while True:
            try:
                connection = module.connect(str(self.path))
                _limit(connection)
                return connection
            except module.Error as error:
                if not any(sign in str(error) for sign in _BUSY):
                    raise self._refusal(error) from error
                if time.monotonic() + wait > deadline:
                    raise self._busy() from error
            if not announced:
                log.info("Waiting for %s, which another process holds.", self.location)
                announced = True
            # The jitter keeps several waiting processes from meeting again and again.
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            wait = min(2 * wait, _LONGEST_WAIT)

    def _busy(self) -> DestinationError:
        return DestinationError(
            f"{self.location} was held by another process for {self.lock_timeout:g} seconds.",
            advice="DuckDB allows one writer and no reader beside it: close what has the file open, or try again.",
            retryable=True,
        )

    def _refusal(self, error: Exception) -> DestinationError:
        # DuckDB's own text may quote values, so the message names only the kind; the cause is chained.
        return DestinationError(
            f"DuckDB refused to work on {self.location} ({type(error).__name__}).",
            advice="Check that it is a database of this DuckDB's version, that it may be written, and the free space.",
            retryable=isinstance(error, duckdb().TransactionException),
        )


class DuckDbStage(CheckedStage):
    """A window that waits in a temporary file of Arrow batches."""

    def __init__(self, destination: DuckDbDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window)
        self._destination = destination
        self._spool: Any = None
        self._writer: Any = None

    def _write(self, batch: pa.RecordBatch) -> None:
        ipc = pyarrow("pyarrow.ipc")
        try:
            if self._writer is None:
                # Beside the warehouse: there is room for the data, and /tmp may be memory.
                self._spool = tempfile.TemporaryFile(dir=self._destination.path.parent)  # noqa: SIM115 - see _discard
                options = ipc.IpcWriteOptions(compression="lz4")
                self._writer = ipc.new_stream(self._spool, tables.schema("postings"), options=options)
            self._writer.write_batch(batch)
        except OSError as error:
            raise DestinationError(
                f"The postings could not be kept beside {self._destination.location}: {error.strerror or 'no space'}.",
                advice="Check the free space and the rights of the folder.",
            ) from error

    def _replace(self, balances: pa.Table, proofs: pa.Table, load: pa.Table, *, keep_postings: bool) -> None:
        with self._destination.transaction() as connection:
            if keep_postings:
                self._check_kept(connection, load)
            else:
                self._exchange_postings(connection)
            _delete(connection, "balances", self.tenant, self.window)
            _delete(connection, "proofs", self.tenant, self.window)
            _insert(connection, "balances", balances)
            _insert(connection, "proofs", proofs)
            _insert(connection, "loads", load)

    def _exchange_postings(self, connection: Any) -> None:
        _delete(connection, "postings", self.tenant, self.window)
        if self._writer is not None:
            self._writer.close()
            self._spool.seek(0)
            with pyarrow("pyarrow.ipc").open_stream(self._spool) as reader:
                _insert(connection, "postings", reader)
        loaded = _count(connection, self.tenant, self.window)
        if loaded != self.staged:
            raise DestinationError(f"{self.staged} postings were staged and {loaded} arrived; nothing was changed.")

    def _check_kept(self, connection: Any, load: Any) -> None:
        rows = load.column("rows")[0].as_py()
        loaded = _count(connection, self.tenant, self.window)
        if loaded != rows or not _is_loaded(connection, self.tenant, self.window):
            raise changed_meanwhile(rows, loaded)

    def _record(self, proofs: pa.Table, load: pa.Table) -> None:
        with self._destination.transaction() as connection:
            _delete(connection, "proofs", self.tenant, self.window, "AND NOT loaded")
            _insert(connection, "proofs", proofs)
            _insert(connection, "loads", load)

    def _discard(self) -> None:
        if self._spool is not None:
            self._spool.close()


def _limit(connection: Any) -> None:
    """Keep DuckDB small and polite: a worker runs many tasks. More threads would need more memory each."""
    # Refused where another connection of this process already uses more; then the limit is that one's business.
    with suppress(duckdb().OutOfMemoryException):
        connection.execute(f"SET threads = {_THREADS}")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")


def _prepare(connection: Any, location: str) -> None:
    """Create what is absent, add columns of a later contract, renew the views if they are others."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS contract (version INTEGER NOT NULL, views VARCHAR NOT NULL, "
        "written_at TIMESTAMP WITH TIME ZONE NOT NULL)"
    )
    found = connection.execute("SELECT version, views FROM contract").fetchone()
    stored, stored_views = found or (0, "")
    if stored > tables.CONTRACT_VERSION:
        raise ConfigurationError(
            f"{location} was written by a newer version of this provider (column contract {stored}, this version "
            f"knows {tables.CONTRACT_VERSION}).",
            advice="Upgrade airflow-provider-rma.",
        )
    if (stored, stored_views) == (tables.CONTRACT_VERSION, views.version()):
        return
    for table in tables.TABLES.values():
        _create_or_widen(connection, table)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS conventions (tenant VARCHAR NOT NULL, convention VARCHAR NOT NULL, "
        "saved_at TIMESTAMP WITH TIME ZONE NOT NULL)"
    )
    views.create_views(connection)
    connection.execute("DELETE FROM contract")
    connection.execute("INSERT INTO contract VALUES (?, ?, now())", [tables.CONTRACT_VERSION, views.version()])


def _create_or_widen(connection: Any, table: tables.Table) -> None:
    definitions = {
        column.name: f'"{column.name}" {tables.TYPES[column.type].sql}' + ("" if column.nullable else " NOT NULL")
        for column in table.columns
    }
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join(definitions.values())})")
    present = connection.execute(f"SELECT * FROM {table.name} LIMIT 0").description  # noqa: S608 - a name of ours
    for name in definitions.keys() - {column[0] for column in present}:
        # Rows of before have no value for it, so it cannot be required here even if the contract says so.
        connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {definitions[name].removesuffix(' NOT NULL')}")


def _delete(connection: Any, table: str, tenant: str, window: Window, condition: str = "") -> None:
    query = f"DELETE FROM {table} WHERE tenant = ? AND month = ? {condition}"  # noqa: S608 - names of ours
    connection.execute(query, [tenant, window.start])


def _insert(connection: Any, table: str, data: Any) -> None:
    """Insert Arrow data, by the names of its columns."""
    connection.register("arriving", data)
    try:
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM arriving")  # noqa: S608 - a name of ours
    finally:
        connection.unregister("arriving")


def _count(connection: Any, tenant: str, window: Window) -> int:
    found = connection.execute(
        "SELECT count(*) FROM postings WHERE tenant = ? AND month = ?", [tenant, window.start]
    ).fetchone()
    return int(found[0])


def _is_loaded(connection: Any, tenant: str, window: Window) -> bool:
    found = connection.execute(
        "SELECT 1 FROM proofs WHERE tenant = ? AND month = ? AND accno IS NULL AND loaded", [tenant, window.start]
    ).fetchone()
    return found is not None
