"""A destination in memory, so that tests of the extract depend on no warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import pyarrow as pa

from airflow_provider_rma.ledger.arrow_schemas import schema
from airflow_provider_rma.ledger.destinations.base import Destination, Stage, WindowTables, changed_meanwhile_error
from airflow_provider_rma.ledger.windows import Window

Key = tuple[str, str]


class MemoryDestination(Destination):
    """Keeps what was committed, by tenant and month; tables are lists of rows."""

    kind = "memory"
    location = "here"

    def __init__(self) -> None:
        super().__init__()
        self.postings: dict[Key, pa.Table] = {}
        self.balances: dict[Key, list[dict[str, Any]]] = {}
        self.proofs: dict[Key, list[dict[str, Any]]] = {}
        self.refused: dict[Key, list[dict[str, Any]]] = {}
        self.loads: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.accounts: dict[str, list[dict[str, Any]]] = {}
        self.conventions: dict[str, dict[str, Any]] = {}
        self.steps: list[str] = []

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        pass

    def count_postings(self, tenant: str, window: Window) -> int:
        table = self.postings.get((tenant, window.name))
        return table.num_rows if table is not None else 0

    def is_loaded(self, tenant: str, window: Window) -> bool:
        return (tenant, window.name) in self.postings

    def read_loaded(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if (tenant, window.name) in self.postings:
            yield from self.postings[tenant, window.name].select(list(columns)).to_batches()

    def read_table(self, name: str, tenant: str, window: Window) -> pa.Table:
        kept: Any = {
            "balances": self.balances.get((tenant, window.name), []),
            "proofs": self.proofs.get((tenant, window.name), []) + self.refused.get((tenant, window.name), []),
            "loads": [row for row in self.loads if (row["tenant"], row["month"]) == (tenant, window.start)],
            "changes": [row for row in self.changes if (row["tenant"], row["month"]) == (tenant, window.start)],
        }
        return pa.Table.from_pylist(kept[name], schema(name))

    def read_convention(self, tenant: str) -> dict[str, Any] | None:
        return self.conventions.get(tenant)

    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        self.conventions[tenant] = convention

    def _replace_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        self.accounts[tenant] = accounts.to_pylist()

    def stage(self, tenant: str, window: Window) -> MemoryStage:
        return MemoryStage(self, tenant, window)

    def all_postings(self) -> list[dict[str, Any]]:
        """Postings of all windows."""
        return [row for table in self.postings.values() for row in table.to_pylist()]

    def whole(self, month: str, tenant: str = "demo") -> dict[str, Any]:
        """The row of the proof for a month as a whole, of what is loaded."""
        return self.proofs[tenant, month][0]


class MemoryStage(Stage):
    def __init__(self, destination: MemoryDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window, destination.unknown)
        self._destination, self._key = destination, (tenant, window.name)
        self._batches: list[pa.RecordBatch] = []

    def _write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)

    def _read_back(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return (batch.select(list(columns)) for batch in self._batches)

    def _commit(self, tables: WindowTables) -> None:
        self._destination.postings[self._key] = pa.Table.from_batches(self._batches, schema("postings"))
        self._destination.changes += [row for batch in tables.changes for row in batch.to_pylist()]
        self._accept("commit", tables)

    def _confirm(self, tables: WindowTables) -> None:
        loaded = self._destination.count_postings(self.tenant, self.window)
        if self._key not in self._destination.postings or loaded != tables.rows:
            raise changed_meanwhile_error(tables.rows, loaded)
        self._accept("confirm", tables)

    def _reject(self, tables: WindowTables) -> None:
        self._record("reject", tables)
        self._destination.refused[self._key] = tables.proofs.to_pylist()

    def _discard(self) -> None:
        self._batches.clear()

    def _accept(self, step: str, tables: WindowTables) -> None:
        assert tables.balances is not None
        self._record(step, tables)
        self._destination.balances[self._key] = tables.balances.to_pylist()
        self._destination.proofs[self._key] = tables.proofs.to_pylist()
        self._destination.refused.pop(self._key, None)

    def _record(self, step: str, tables: WindowTables) -> None:
        self._destination.steps.append(f"{step} {self._key[1]}")
        self._destination.loads += tables.load.to_pylist()
