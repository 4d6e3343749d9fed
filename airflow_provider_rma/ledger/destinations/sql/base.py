"""What every destination with tables does alike: creating and widening them, and replacing a window in a transaction.

A database adds three things: a :class:`WarehouseTransaction`, a way to open one, and a :class:`Dialect`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pyarrow
from airflow_provider_rma.ledger.batch_buffer import BatchBuffer
from airflow_provider_rma.ledger.destinations import views
from airflow_provider_rma.ledger.destinations.history import IncomingHashes, Supersession, kept_schema
from airflow_provider_rma.ledger.destinations.sql.ddl import OWN, prepare
from airflow_provider_rma.ledger.destinations.stage import (
    CheckedStage,
    UnknownFields,
    changed_meanwhile,
    check_constant,
    conform,
)
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, Fingerprint, Fingerprinter

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.ledger.windows import Window


@dataclass(frozen=True)
class Dialect:
    """How a database writes what it creates.

    :param types: SQL type by type of the contract, where it is not the one of ``contract.TYPES``.
    :param lookup: SQL type of a tenant, where a text of any length cannot be indexed.
    :param quotes: before and after a name.
    :param indexes: whether an index over tenant and month pays.
    :param add: how a column is added.
    :param options: added to CREATE TABLE, by table.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    lookup: str = ""
    quotes: tuple[str, str] = ('"', '"')
    indexes: bool = True
    add: str = "ADD COLUMN"
    options: Mapping[str, str] = field(default_factory=dict)

    def quoted(self, name: str) -> str:
        """A name as it stands in SQL."""
        return f"{self.quotes[0]}{name}{self.quotes[1]}"

    def definition(self, column: contract.Column) -> str:
        """A column as it stands in CREATE TABLE."""
        kind = self.types.get(column.type, contract.TYPES[column.type].sql)
        if column.name == "tenant" and self.lookup:
            kind = self.lookup
        return f"{self.quoted(column.name)} {kind}" + ("" if column.nullable else " NOT NULL")


class WarehouseTransaction(ABC):
    """A transaction. Statements have ``?`` for each parameter."""

    def __init__(self, dialect: Dialect, prefix: str = "") -> None:
        self.dialect = dialect
        self.prefix = prefix

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Carry out a statement."""

    @abstractmethod
    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The few rows of a query."""

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """The columns that a table has; empty if there is no such table."""

    @abstractmethod
    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows, by the names of their columns."""

    @abstractmethod
    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        """Columns of the rows of a window."""

    def renew_views(self) -> None:
        """Create or replace the views."""
        for statement in views.statements():
            self.execute(statement)

    def name(self, table: str) -> str:
        """A table as it stands in SQL."""
        return self.dialect.quoted(self.prefix + table)

    def names(self, columns: Iterable[str]) -> str:
        """Columns as they stand in SQL."""
        return ", ".join(map(self.dialect.quoted, columns))

    def insert_table(self, table: str, data: pa.Table) -> None:
        """Add the rows of an Arrow table."""
        self.insert(table, data.schema, data.to_batches())

    def add(self, table: str, **values: Any) -> None:
        """Add one row to a table of the provider's own, and the time to its last column."""
        *columns, stamp = OWN[table].names
        marks = ", ".join("?" for _ in columns)
        self.execute(
            f"INSERT INTO {self.name(table)} ({self.names([*columns, stamp])}) VALUES ({marks}, CURRENT_TIMESTAMP)",  # noqa: S608
            [values[column] for column in columns],
        )

    def where(self, *columns: str) -> str:
        """The condition that columns have values to be given."""
        return "WHERE " + " AND ".join(f"{self.dialect.quoted(column)} = ?" for column in columns)

    def delete(self, table: str, **values: Any) -> None:
        """Remove the rows that have these values."""
        self.execute(f"DELETE FROM {self.name(table)} {self.where(*values)}", list(values.values()))  # noqa: S608

    def select(self, table: str, columns: Sequence[str], **values: Any) -> list[tuple[Any, ...]]:
        """Columns of the few rows that have these values."""
        query = f"SELECT {self.names(columns)} FROM {self.name(table)}"  # noqa: S608 - names of ours
        return self.fetch(f"{query} {self.where(*values)}" if values else query, list(values.values()))

    def count(self, tenant: str, window: Window) -> int:
        """Postings of a window."""
        query = f"SELECT count(*) FROM {self.name('postings')} {self.where('tenant', 'month')}"  # noqa: S608
        return int(self.fetch(query, [tenant, window.start])[0][0])

    def is_loaded(self, tenant: str, window: Window) -> bool:
        """Whether a window was ever loaded."""
        found = self.select("proofs", ["accno", "loaded"], tenant=tenant, month=window.start)
        return any(loaded for accno, loaded in found if accno is None)


class RelationalDestination(ABC):
    """See :class:`.Destination`.

    :param history: keep superseded postings in ``postings_history``.
    """

    kind: str
    location: str
    #: Where staged postings wait; None for the system's folder for temporary files.
    spool_folder: Any = None

    def __init__(self, *, history: bool = False) -> None:
        self.history = history
        self.unknown = UnknownFields()

    @abstractmethod
    def transaction(self, *what: str) -> AbstractContextManager[Any]:
        """A session, which is committed when the block ends without an error.

        :param what: for writing: who else writes the same waits. Without it, nothing is written.
        :raises DestinationError: the database refused, or is held by others for too long.
        """

    def __enter__(self) -> Self:
        """Create what is absent."""
        with self.transaction("tables") as session:
            prepare(session, self.location, history=self.history)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held between two calls."""

    def rows(self, tenant: str, window: Window) -> int:
        with self.transaction() as session:
            return int(session.count(tenant, window))

    def is_loaded(self, tenant: str, window: Window) -> bool:
        with self.transaction() as session:
            return bool(session.is_loaded(tenant, window))

    def fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        fingerprinter = Fingerprinter()
        for batch in self.loaded_batches(tenant, window, BUSINESS_COLUMNS):
            fingerprinter.add(batch)
        return fingerprinter.result()

    def loaded_batches(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with self.transaction() as session:
            yield from session.read("postings", contract.some("postings", columns), tenant, window)

    def table(self, name: str, tenant: str, window: Window) -> pa.Table:
        schema = contract.schema(name)
        with self.transaction() as session:
            return pyarrow().Table.from_batches(session.read(name, schema, tenant, window), schema)

    def convention(self, tenant: str) -> dict[str, Any] | None:
        with self.transaction() as session:
            found = session.select("conventions", ["convention"], tenant=tenant)
        return json.loads(found[0][0]) if found else None

    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        with self.transaction(tenant, "convention") as session:
            session.delete("conventions", tenant=tenant)
            session.add("conventions", tenant=tenant, convention=json.dumps(convention, sort_keys=True))

    def save_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        accounts = conform(accounts, "accounts")
        check_constant(accounts, "tenant", tenant)
        check_constant(accounts, "load_id", load_id)
        with self.transaction(tenant, "accounts") as session:
            session.delete("accounts", tenant=tenant)
            session.insert_table("accounts", accounts)

    def stage(self, tenant: str, window: Window, *, fresh: bool = False) -> RelationalStage:
        return RelationalStage(self, tenant, window)


class RelationalStage(CheckedStage):
    """A window that waits in a temporary file, so that the transaction is short."""

    def __init__(self, destination: RelationalDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window, destination.unknown)
        self._destination = destination
        self._spool = BatchBuffer(contract.schema("postings"), destination.spool_folder)
        self._arrivals = IncomingHashes()
        self._key = {"tenant": tenant, "month": window.start}

    def _write(self, batch: pa.RecordBatch) -> None:
        self._spool.write(batch)
        if self._destination.history:
            self._arrivals.add(batch)

    def _staged(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self._spool.batches():
            yield batch.select(list(columns))

    def _replace(
        self,
        balances: pa.Table,
        proofs: pa.Table,
        load: pa.Table,
        changes: Iterable[pa.RecordBatch],
        *,
        keep_postings: bool,
    ) -> None:
        with self._transaction() as session:
            if keep_postings:
                self._check_kept(session, load)
            else:
                self._exchange_postings(session, load)
            session.delete("balances", **self._key)
            session.delete("proofs", **self._key)
            session.insert_table("balances", balances)
            session.insert_table("proofs", proofs)
            if changes:
                session.insert("changes", contract.schema("changes"), changes)
            session.insert_table("loads", load)

    def _exchange_postings(self, session: WarehouseTransaction, load: Any) -> None:
        schema, batches = self._spool.schema, self._spool.batches()
        if self._destination.history:
            schema, batches = kept_schema(), self._supersede(session, load).dated(batches)
        session.delete("postings", **self._key)
        if self.staged:
            session.insert("postings", schema, batches)
        loaded = session.count(self.tenant, self.window)
        if loaded != self.staged:
            raise not_arrived(self.staged, loaded)

    def _supersede(self, session: WarehouseTransaction, load: Any) -> Supersession:
        """Move the postings that vanish into the history."""
        row = load.select(["load_id", "finished_at"]).to_pylist()[0]
        replacement = Supersession(
            lambda: session.read("postings", kept_schema(), self.tenant, self.window),
            self._loads(session),
            self._arrivals.hashes(),
            row["finished_at"],
        )
        history = contract.schema("postings_history")
        # A database cannot always be read and written at the same time within one transaction.
        superseded = BatchBuffer(history, self._destination.spool_folder)
        try:
            for batch in replacement.superseded(row["load_id"]):
                superseded.write(batch)
            if superseded.rows:
                session.insert("postings_history", history, superseded.batches())
        finally:
            superseded.close()
        return replacement

    def _loads(self, session: WarehouseTransaction) -> dict[str, datetime]:
        schema = contract.some("loads", ("load_id", "finished_at"))
        rows = [row for batch in session.read("loads", schema, self.tenant, self.window) for row in batch.to_pylist()]
        return {row["load_id"]: row["finished_at"] for row in rows}

    def _check_kept(self, session: WarehouseTransaction, load: Any) -> None:
        rows = load.column("rows")[0].as_py()
        loaded = session.count(self.tenant, self.window)
        if loaded != rows or not session.is_loaded(self.tenant, self.window):
            raise changed_meanwhile(rows, loaded)

    def _record(self, proofs: pa.Table, load: pa.Table) -> None:
        with self._transaction() as session:
            session.delete("proofs", **self._key, loaded=False)
            session.insert_table("proofs", proofs)
            session.insert_table("loads", load)

    def _discard(self) -> None:
        self._spool.close()

    def _transaction(self) -> AbstractContextManager[WarehouseTransaction]:
        return self._destination.transaction(self.tenant, self.window.name)


def not_arrived(staged: int, loaded: int) -> DestinationError:
    """The database holds another number of postings than it was given."""
    return DestinationError(f"{staged} postings were staged and {loaded} arrived; nothing was changed.")


def typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in the types of a schema. A column that is required now may be null in rows of an older contract."""
    columns = [column.cast(one.type) for column, one in zip(batch.columns, schema, strict=True)]
    return pyarrow().RecordBatch.from_arrays(columns, schema=schema)
