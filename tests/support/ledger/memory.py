"""A destination in memory, with the rules of the protocol, so that tests of the extract depend on no warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from airflow_provider_rma.ledger.fingerprint import Fingerprint, Fingerprinter
from airflow_provider_rma.ledger.windows import Window

Key = tuple[str, str]


class MemoryDestination:
    """Keeps what was committed, by tenant and month; tables are lists of rows."""

    kind = "memory"
    location = "here"
    spool_folder = None

    def __init__(self) -> None:
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def rows(self, tenant: str, window: Window) -> int:
        table = self.postings.get((tenant, window.name))
        return table.num_rows if table is not None else 0

    def is_loaded(self, tenant: str, window: Window) -> bool:
        return (tenant, window.name) in self.postings

    def fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        fingerprints = Fingerprinter()
        for batch in self.postings[tenant, window.name].to_batches():
            fingerprints.add(batch)
        return fingerprints.result()

    def loaded_batches(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self.postings[tenant, window.name].select(list(columns)).to_batches()

    def table(self, name: str, tenant: str, window: Window) -> pa.Table:
        from airflow_provider_rma.ledger import contract

        kept: Any = {
            "balances": self.balances.get((tenant, window.name), []),
            "proofs": self.proofs.get((tenant, window.name), []) + self.refused.get((tenant, window.name), []),
            "loads": [row for row in self.loads if (row["tenant"], row["month"]) == (tenant, window.start)],
            "changes": [row for row in self.changes if (row["tenant"], row["month"]) == (tenant, window.start)],
        }
        return pa.Table.from_pylist(kept[name], contract.schema(name))

    def convention(self, tenant: str) -> dict[str, Any] | None:
        return self.conventions.get(tenant)

    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        self.conventions[tenant] = convention

    def save_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        self.accounts[tenant] = accounts.to_pylist()

    def stage(self, tenant: str, window: Window, *, fresh: bool = False) -> MemoryStage:
        return MemoryStage(self, (tenant, window.name))

    def all_postings(self) -> list[dict[str, Any]]:
        """Postings of all windows."""
        return [row for table in self.postings.values() for row in table.to_pylist()]

    def whole(self, month: str, tenant: str = "demo") -> dict[str, Any]:
        """The row of the proof for a month as a whole, of what is loaded."""
        return self.proofs[tenant, month][0]


class MemoryStage:
    def __init__(self, destination: MemoryDestination, key: Key) -> None:
        self._destination, self._key = destination, key
        self._batches: list[pa.RecordBatch] = []
        self._decided = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._batches.clear()

    def write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)

    def staged_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return (batch.select(list(columns)) for batch in self._batches)

    def commit(
        self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table, changes: Iterable[pa.RecordBatch] = ()
    ) -> None:
        from airflow_provider_rma.ledger import contract

        self._destination.postings[self._key] = pa.Table.from_batches(self._batches, contract.schema("postings"))
        self._destination.changes += [row for batch in changes for row in batch.to_pylist()]
        self._accept("commit", balances, proofs, load)

    def confirm(self, *, balances: pa.Table, proofs: pa.Table, load: pa.Table) -> None:
        assert self._key in self._destination.postings
        self._accept("confirm", balances, proofs, load)

    def reject(self, *, proofs: pa.Table, load: pa.Table) -> None:
        self._record("reject", proofs, load, loaded=False)
        self._destination.refused[self._key] = proofs.to_pylist()

    def _accept(self, step: str, balances: pa.Table, proofs: pa.Table, load: pa.Table) -> None:
        self._record(step, proofs, load, loaded=True)
        self._destination.balances[self._key] = balances.to_pylist()
        self._destination.proofs[self._key] = proofs.to_pylist()
        self._destination.refused.pop(self._key, None)

    def _record(self, step: str, proofs: pa.Table, load: pa.Table, *, loaded: bool) -> None:
        assert not self._decided
        self._decided = True
        rows = proofs.to_pylist()
        assert [row["accno"] for row in rows].count(None) == 1
        assert all(row["loaded"] is loaded for row in rows + load.to_pylist())
        self._destination.steps.append(f"{step} {self._key[1]}")
        self._destination.loads += load.to_pylist()
