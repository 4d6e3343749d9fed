"""What every database has as a warehouse: tables that are created when it is opened, and windows that are replaced in
one transaction.

A database adds a module with three things: a :class:`.Dialect`, a :class:`.WarehouseTransaction`, and a subclass of
:class:`RelationalDestination` that opens one.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.arrow_schemas import dated_postings, schema, select_columns
from airflow_provider_rma.ledger.batch_buffer import BatchBuffer
from airflow_provider_rma.ledger.destinations.base import Destination, Stage, WindowTables, changed_meanwhile_error
from airflow_provider_rma.ledger.destinations.history import IncomingHashes, Supersession
from airflow_provider_rma.ledger.destinations.sql.ddl import create_or_upgrade
from airflow_provider_rma.ledger.destinations.sql.session import WarehouseTransaction
from airflow_provider_rma.ledger.windows import Window


class RelationalDestination(Destination):
    """See :class:`.Destination`. A database implements :meth:`transaction` and :meth:`close`."""

    @abstractmethod
    def transaction(self, *purpose: str) -> AbstractContextManager[WarehouseTransaction]:
        """Return a transaction, which is committed when its block ends without an error.

        :param purpose: for writing: other writers with the same purpose wait. Without it, nothing is written.
        :raises DestinationError: the database refused, or is held by others for too long.
        """

    def __enter__(self) -> Self:
        with self.transaction("tables") as transaction:
            create_or_upgrade(transaction, self.location, history=self.history)
        return self

    def count_postings(self, tenant: str, window: Window) -> int:
        with self.transaction() as transaction:
            return transaction.count_postings(tenant, window)

    def is_loaded(self, tenant: str, window: Window) -> bool:
        with self.transaction() as transaction:
            return transaction.is_loaded(tenant, window)

    def read_loaded(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with self.transaction() as transaction:
            yield from transaction.read("postings", select_columns("postings", columns), tenant, window)

    def read_table(self, name: str, tenant: str, window: Window) -> pa.Table:
        with self.transaction() as transaction:
            return pa.Table.from_batches(transaction.read(name, schema(name), tenant, window), schema(name))

    def read_convention(self, tenant: str) -> dict[str, Any] | None:
        with self.transaction() as transaction:
            found = transaction.select("conventions", ["convention"], tenant=tenant)
        return json.loads(found[0][0]) if found else None

    def save_convention(self, tenant: str, convention: Mapping[str, Any]) -> None:
        with self.transaction(tenant, "convention") as transaction:
            transaction.delete("conventions", tenant=tenant)
            transaction.insert_row("conventions", tenant=tenant, convention=json.dumps(convention, sort_keys=True))

    def stage(self, tenant: str, window: Window) -> Stage:
        return RelationalStage(self, tenant, window)

    def _replace_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        with self.transaction(tenant, "accounts") as transaction:
            transaction.delete("accounts", tenant=tenant)
            transaction.insert("accounts", accounts.schema, accounts.to_batches())


class RelationalStage(Stage):
    """A window that waits in a temporary file, so that the transaction is short."""

    def __init__(self, destination: RelationalDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window, destination.unknown)
        self._destination = destination
        self._buffer = BatchBuffer(schema("postings"), destination.buffer_folder)
        self._incoming = IncomingHashes()
        self._key = {"tenant": tenant, "month": window.start}

    def _write(self, batch: pa.RecordBatch) -> None:
        self._buffer.write(batch)
        if self._destination.history:
            self._incoming.add(batch)

    def _read_back(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self._buffer.batches():
            yield batch.select(list(columns))

    def _commit(self, tables: WindowTables) -> None:
        with self._transaction() as transaction:
            self._exchange_postings(transaction, tables)
            self._store(transaction, tables)

    def _confirm(self, tables: WindowTables) -> None:
        with self._transaction() as transaction:
            loaded = transaction.count_postings(self.tenant, self.window)
            if loaded != tables.rows or not transaction.is_loaded(self.tenant, self.window):
                raise changed_meanwhile_error(tables.rows, loaded)
            self._store(transaction, tables)

    def _reject(self, tables: WindowTables) -> None:
        with self._transaction() as transaction:
            transaction.delete("proofs", **self._key, loaded=False)
            _insert(transaction, "proofs", tables.proofs.to_batches())
            _insert(transaction, "loads", tables.load.to_batches())

    def _discard(self) -> None:
        self._buffer.close()

    def _transaction(self) -> AbstractContextManager[WarehouseTransaction]:
        return self._destination.transaction(self.tenant, self.window.name)

    def _store(self, transaction: WarehouseTransaction, tables: WindowTables) -> None:
        """Put the tables of the window in the place of those before."""
        transaction.delete("balances", **self._key)
        transaction.delete("proofs", **self._key)
        if tables.balances is not None:
            _insert(transaction, "balances", tables.balances.to_batches())
        _insert(transaction, "proofs", tables.proofs.to_batches())
        if tables.changes:
            _insert(transaction, "changes", tables.changes)
        _insert(transaction, "loads", tables.load.to_batches())

    def _exchange_postings(self, transaction: WarehouseTransaction, tables: WindowTables) -> None:
        columns, batches = self._buffer.schema, self._buffer.batches()
        if self._destination.history:
            columns, batches = dated_postings(), self._supersede(transaction, tables).dated_batches(batches)
        transaction.delete("postings", **self._key)
        reach("postings.deleted")
        if self.staged_rows:
            _insert(transaction, "postings", batches, columns)
        loaded = transaction.count_postings(self.tenant, self.window)
        if loaded != self.staged_rows:
            raise DestinationError(
                f"{self.staged_rows} postings were staged and {loaded} arrived; nothing was changed."
            )

    def _supersede(self, transaction: WarehouseTransaction, tables: WindowTables) -> Supersession:
        """Move the postings that vanish into the history."""
        supersession = Supersession(
            lambda: transaction.read("postings", dated_postings(), self.tenant, self.window),
            self._read_loads(transaction),
            self._incoming.result(),
            tables.finished_at,
        )
        history = schema("postings_history")
        # A database cannot always be read and written at the same time within one transaction.
        superseded = BatchBuffer(history, self._destination.buffer_folder)
        try:
            for batch in supersession.superseded_batches(tables.load_id):
                superseded.write(batch)
            if superseded.rows:
                _insert(transaction, "postings_history", superseded.batches())
        finally:
            superseded.close()
        return supersession

    def _read_loads(self, transaction: WarehouseTransaction) -> dict[str, Any]:
        """Read when each load of the window was finished."""
        columns = select_columns("loads", ("load_id", "finished_at"))
        batches = transaction.read("loads", columns, self.tenant, self.window)
        return {row["load_id"]: row["finished_at"] for batch in batches for row in batch.to_pylist()}


def _insert(
    transaction: WarehouseTransaction, table: str, batches: Iterable[pa.RecordBatch], columns: pa.Schema | None = None
) -> None:
    """Add rows to a table.

    :param columns: schema of the rows; None for that of the contract.
    """
    transaction.insert(table, columns or schema(table), batches)
    reach("table.written", table=table, transaction=transaction)
