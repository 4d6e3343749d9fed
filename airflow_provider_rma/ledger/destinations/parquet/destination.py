"""Parquet files as the warehouse, on any file system that fsspec knows.

::

    <root>/tenant=<t>/convention.json                              sign convention of the tenant
    <root>/tenant=<t>/accounts/manifest.json                       names the file of accounts
    <root>/tenant=<t>/accounts/accounts-….parquet
    <root>/tenant=<t>/month=<YYYY-MM>/manifest.json                names the files that count for the window
    <root>/tenant=<t>/month=<YYYY-MM>/postings-….parquet           absent for a month without postings
    <root>/tenant=<t>/month=<YYYY-MM>/balances-….parquet
    <root>/tenant=<t>/month=<YYYY-MM>/proofs-….parquet             of what is loaded
    <root>/tenant=<t>/month=<YYYY-MM>/refused-….parquet            proofs of the latest refused attempt, if any
    <root>/tenant=<t>/month=<YYYY-MM>/loads-….parquet              all loads of the window so far
    <root>/tenant=<t>/month=<YYYY-MM>/changes-….parquet            one for each load that changed vouchers
    <root>/tenant=<t>/month=<YYYY-MM>/postings_history-….parquet   one for each load that superseded postings

Files are written once under a name that is never used again, then the manifest is replaced; see :mod:`.manifest`. Files
that it no longer names stay for a grace time, because somebody may just be reading them, and are removed by the first
load of the window after that. Readers use :func:`dataset_files`, :func:`read_window` or :func:`create_duckdb_views`,
never a wildcard over the folder.

Two runs that load one window at the same time each publish whole windows; the last one counts, and the row of ``loads``
of the other can be lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pyarrow
from airflow_provider_rma.ledger.batch_buffer import BatchBuffer
from airflow_provider_rma.ledger.contract import HISTORY
from airflow_provider_rma.ledger.destinations.history import IncomingHashes, Supersession, kept_schema
from airflow_provider_rma.ledger.destinations.parquet.files import (
    FileWriter,
    plain,
    read_batches,
    read_table,
    remove,
    write_table,
)
from airflow_provider_rma.ledger.destinations.parquet.manifest import (
    Manifest,
    orphans,
    partition,
    read_json,
    read_manifest,
    supersede,
    translated,
    write_json,
    write_manifest,
)
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
    from fsspec import AbstractFileSystem

    from airflow_provider_rma.ledger.windows import Window

#: How long a file that no longer counts is kept for those who are reading it.
GRACE = timedelta(hours=24)
#: Kinds of files that a load leaves in the manifest unless it writes anew; of the others it writes new ones.
_STAYING = ("postings", HISTORY.name, "changes")


class ParquetDestination:
    """See :class:`.Destination`.

    :param fs: an fsspec file system.
    :param path: the root on it, without a scheme.
    :param grace: how long files that no longer count are kept; also how long a load may take at most.
    :param history: keep superseded postings.
    """

    kind = "parquet"
    spool_folder: str | os.PathLike[str] | None = None

    def __init__(self, fs: AbstractFileSystem, path: str, *, grace: timedelta = GRACE, history: bool = False) -> None:
        self.fs, self.root = plain(fs, path)
        self.location = str(self.fs.unstrip_protocol(self.root))
        self.grace = grace
        self.history = history
        self.unknown = UnknownFields()

    def __enter__(self) -> Self:
        pyarrow("pyarrow.parquet")
        with translated(self.root):
            self.fs.makedirs(self.root, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held between two calls, so there is nothing to close."""

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def rows(self, tenant: str, window: Window) -> int:
        manifest = read_manifest(self.fs, self.folder(tenant, window))
        return manifest.rows("postings") if manifest else 0

    def is_loaded(self, tenant: str, window: Window) -> bool:
        manifest = read_manifest(self.fs, self.folder(tenant, window))
        return bool(manifest and manifest.files.get("proofs"))

    def fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        fingerprinter = Fingerprinter()
        for batch in self.loaded_batches(tenant, window, BUSINESS_COLUMNS):
            fingerprinter.add(batch)
        return fingerprinter.result()

    def loaded_batches(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        folder = self.folder(tenant, window)
        manifest = read_manifest(self.fs, folder)
        names = manifest.names("postings") if manifest else ()
        return read_batches(self.fs, folder, names, contract.some("postings", columns))

    def table(self, name: str, tenant: str, window: Window) -> pa.Table:
        folder = self.folder(tenant, window)
        return read_table(self.fs, folder, read_manifest(self.fs, folder), name)

    def convention(self, tenant: str) -> dict[str, Any] | None:
        return read_json(self.fs, f"{self.folder(tenant)}/convention.json")

    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        self._make(self.folder(tenant))
        write_json(self.fs, f"{self.folder(tenant)}/convention.json", convention)

    def save_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        accounts = conform(accounts, "accounts")
        check_constant(accounts, "tenant", tenant)
        check_constant(accounts, "load_id", load_id)
        folder = f"{self.folder(tenant)}/accounts"
        self._make(folder)
        entry = write_table(self.fs, folder, "accounts", load_id, accounts)
        self.publish(folder, read_manifest(self.fs, folder), Manifest({"tenant": tenant}, {"accounts": [entry]}))

    def stage(self, tenant: str, window: Window, *, fresh: bool = False) -> ParquetStage:
        return ParquetStage(self, tenant, window)

    def folder(self, tenant: str, window: Window | None = None) -> str:
        """Folder of a tenant or window."""
        return f"{self.root}/{partition(tenant, window.name if window else None)}"

    def publish(self, folder: str, old: Manifest | None, new: Manifest) -> None:
        """Make a manifest count, then remove what has not counted for long enough."""
        expired = supersede(old, new, self.grace)
        write_manifest(self.fs, folder, new)
        remove(self.fs, folder, expired + orphans(self.fs, folder, new, self.grace))

    def _make(self, folder: str) -> None:
        with translated(folder):
            self.fs.makedirs(folder, exist_ok=True)


class ParquetStage(CheckedStage):
    """A window that is being written to a file no manifest names yet; with history it waits in a temporary file first,
    since what is superseded, and since when the others are known, shows only when all of it has come."""

    def __init__(self, destination: ParquetDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window, destination.unknown)
        self._destination = destination
        self._fs, self._folder = destination.fs, destination.folder(tenant, window)
        self._files: list[FileWriter] = []
        self._postings = self._file("postings")
        self._spool = (
            BatchBuffer(contract.schema("postings"), destination.spool_folder) if destination.history else None
        )
        self._arrivals = IncomingHashes()

    def _file(self, kind: str, load_id: str = "") -> FileWriter:
        """A data file that is removed again unless a manifest comes to name it."""
        self._files.append(FileWriter(self._fs, self._folder, kind, load_id))
        return self._files[-1]

    def _write(self, batch: pa.RecordBatch) -> None:
        if self._spool is None:
            self._postings.write(batch)
        else:
            self._spool.write(batch)
            self._arrivals.add(batch)

    def _staged(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self._spool is not None:
            return (batch.select(list(columns)) for batch in self._spool.batches())
        names = [entry["name"] for entry in self._postings.finish()]
        return read_batches(self._fs, self._folder, names, contract.some("postings", columns))

    def _replace(
        self,
        balances: pa.Table,
        proofs: pa.Table,
        load: pa.Table,
        changes: Iterable[pa.RecordBatch],
        *,
        keep_postings: bool,
    ) -> None:
        old = self._old()
        stays = {kind: entries for kind, entries in old.files.items() if kind in _STAYING} if old else {}
        new = Manifest(self._about(old, load, refused=False), stays)
        load_id = load.column("load_id")[0].as_py()
        if keep_postings:
            self._check_kept(old, load)
        else:
            if self._spool is not None:
                self._supersede(self._spool, old, new, load)
            new.files["postings"] = self._postings.finish()
            self._add(new, "changes", load_id, changes)
        new.files["balances"] = [write_table(self._fs, self._folder, "balances", load_id, balances)]
        new.files["proofs"] = [write_table(self._fs, self._folder, "proofs", load_id, proofs)]
        new.files["loads"] = [self._loads(old, load)]
        if not keep_postings:
            for file in self._files:
                file.keep()
        self._destination.publish(self._folder, old, new)

    def _supersede(self, spool: BatchBuffer, old: Manifest | None, new: Manifest, load: Any) -> None:
        """Write the postings with the time since when they are known, and those that vanish into the history."""
        row = load.select(["load_id", "finished_at"]).to_pylist()[0]
        loads = read_table(self._fs, self._folder, old, "loads").select(["load_id", "finished_at"]).to_pylist()
        names = old.names("postings") if old else []
        replacement = Supersession(
            lambda: read_batches(self._fs, self._folder, names, kept_schema()),
            {one["load_id"]: one["finished_at"] for one in loads},
            self._arrivals.hashes(),
            row["finished_at"],
        )
        # An entry without files says that the window keeps a history in which there is nothing yet.
        new.files.setdefault(HISTORY.name, [])
        self._add(new, HISTORY.name, row["load_id"], replacement.superseded(row["load_id"]))
        for batch in replacement.dated(spool.batches()):
            self._postings.write(batch)
        if self._postings.rows != self.staged:
            raise DestinationError(f"{self.staged} postings were staged and {self._postings.rows} arrived.")

    def _add(self, new: Manifest, kind: str, load_id: str, batches: Iterable[pa.RecordBatch]) -> None:
        """Rows to those of before, in a file of their own, if there are any."""
        file = self._file(kind, load_id)
        for batch in batches:
            file.write(batch)
        if file.rows:
            new.files[kind] = [*new.files.get(kind, ()), *file.finish()]

    def _record(self, proofs: pa.Table, load: pa.Table) -> None:
        old = self._old()
        new = Manifest(self._about(old, load, refused=True), dict(old.files) if old else {})
        load_id = load.column("load_id")[0].as_py()
        new.files["refused"] = [write_table(self._fs, self._folder, "refused", load_id, proofs)]
        new.files["loads"] = [self._loads(old, load)]
        self._destination.publish(self._folder, old, new)

    def _old(self) -> Manifest | None:
        with translated(self._folder):
            self._fs.makedirs(self._folder, exist_ok=True)
        return read_manifest(self._fs, self._folder)

    def _about(self, old: Manifest | None, load: Any, *, refused: bool) -> dict[str, Any]:
        row = load.select(["load_id", "verdict", "rows"]).to_pylist()[0]
        row["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"tenant": self.tenant, "month": self.window.name, "loaded": None, "refused": None}
        if refused:
            return {**about, "loaded": old.about.get("loaded") if old else None, "refused": row}
        return {**about, "loaded": row}

    def _check_kept(self, old: Manifest | None, load: Any) -> None:
        rows = load.column("rows")[0].as_py()
        if old is None or not old.files.get("proofs") or old.rows("postings") != rows:
            raise changed_meanwhile(rows, old.rows("postings") if old else 0)

    def _loads(self, old: Manifest | None, load: Any) -> dict[str, Any]:
        """The history of the window with one more row, as a new file."""
        parts = [read_table(self._fs, self._folder, old, "loads")] if old else []
        history = pyarrow().concat_tables([*parts, load], promote_options="default")
        return write_table(self._fs, self._folder, "loads", load.column("load_id")[0].as_py(), history)

    def _discard(self) -> None:
        for file in self._files:
            file.discard()
        if self._spool is not None:
            self._spool.close()
