"""Parquet files as the warehouse, on any file system that fsspec knows.

::

    <root>/airflow-provider-rma.json                               says that the folder is a warehouse of this package
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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from fsspec import AbstractFileSystem

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.arrow_schemas import dated_postings, schema, select_columns
from airflow_provider_rma.ledger.batch_buffer import BatchBuffer
from airflow_provider_rma.ledger.contract import HISTORY
from airflow_provider_rma.ledger.destinations.base import Destination, Stage, WindowTables, changed_meanwhile_error
from airflow_provider_rma.ledger.destinations.history import IncomingHashes, Supersession
from airflow_provider_rma.ledger.destinations.parquet.files import (
    FileWriter,
    read_batches,
    read_table,
    remove,
    unwrap_filesystem,
    write_table,
)
from airflow_provider_rma.ledger.destinations.parquet.manifest import (
    Manifest,
    find_orphans,
    partition,
    read_json,
    read_manifest,
    supersede,
    translate_os_errors,
    write_json,
    write_manifest,
)
from airflow_provider_rma.ledger.destinations.parquet.mark import claim_folder
from airflow_provider_rma.ledger.windows import Window

#: How long a file that no longer counts is kept for those who are reading it.
GRACE = timedelta(hours=24)
#: Kinds of files that a load leaves in the manifest unless it writes anew; of the others it writes new ones.
_STAYING = ("postings", HISTORY.name, "changes")


class ParquetDestination(Destination):
    """See :class:`.Destination`.

    :param fs: an fsspec file system.
    :param path: the root on it, without a scheme.
    :param grace: how long files that no longer count are kept; also how long a load may take at most.
    :param history: keep superseded postings.
    """

    kind = "parquet"

    def __init__(self, fs: AbstractFileSystem, path: str, *, grace: timedelta = GRACE, history: bool = False) -> None:
        super().__init__(history=history)
        self.fs, self.root = unwrap_filesystem(fs, path)
        self.location = str(self.fs.unstrip_protocol(self.root))
        self.grace = grace

    def __enter__(self) -> Self:
        claim_folder(self.fs, self.root, self.location)
        return self

    def close(self) -> None:
        """Do nothing: nothing is kept open between two calls."""

    def count_postings(self, tenant: str, window: Window) -> int:
        manifest = read_manifest(self.fs, self.folder(tenant, window))
        return manifest.rows("postings") if manifest else 0

    def is_loaded(self, tenant: str, window: Window) -> bool:
        manifest = read_manifest(self.fs, self.folder(tenant, window))
        return bool(manifest and manifest.files.get("proofs"))

    def read_loaded(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        folder = self.folder(tenant, window)
        manifest = read_manifest(self.fs, folder)
        names = manifest.names("postings") if manifest else ()
        return read_batches(self.fs, folder, names, select_columns("postings", columns))

    def read_table(self, name: str, tenant: str, window: Window) -> pa.Table:
        folder = self.folder(tenant, window)
        return read_table(self.fs, folder, read_manifest(self.fs, folder), name)

    def read_convention(self, tenant: str) -> dict[str, Any] | None:
        return read_json(self.fs, f"{self.folder(tenant)}/convention.json")

    def save_convention(self, tenant: str, convention: Mapping[str, Any]) -> None:
        self._make(self.folder(tenant))
        write_json(self.fs, f"{self.folder(tenant)}/convention.json", dict(convention))

    def _replace_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        folder = f"{self.folder(tenant)}/accounts"
        self._make(folder)
        entry = write_table(self.fs, folder, "accounts", load_id, accounts)
        self.publish(folder, read_manifest(self.fs, folder), Manifest({"tenant": tenant}, {"accounts": [entry]}))

    def stage(self, tenant: str, window: Window) -> ParquetStage:
        return ParquetStage(self, tenant, window)

    def folder(self, tenant: str, window: Window | None = None) -> str:
        """Return the folder of a tenant or window."""
        return f"{self.root}/{partition(tenant, window.name if window else None)}"

    def publish(self, folder: str, old: Manifest | None, new: Manifest) -> None:
        """Make a manifest count, then remove what has not counted for long enough."""
        expired = supersede(old, new, self.grace)
        reach("window.written")
        write_manifest(self.fs, folder, new)
        remove(self.fs, folder, expired + find_orphans(self.fs, folder, new, self.grace))

    def _make(self, folder: str) -> None:
        with translate_os_errors(folder):
            self.fs.makedirs(folder, exist_ok=True)


class ParquetStage(Stage):
    """A window that is being written to a file no manifest names yet; with history it waits in a temporary file first,
    since what is superseded, and since when the others are known, shows only when all of it has come."""

    def __init__(self, destination: ParquetDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window, destination.unknown)
        self._destination = destination
        self._fs, self._folder = destination.fs, destination.folder(tenant, window)
        self._files: list[FileWriter] = []
        self._postings = self._new_file("postings")
        self._buffer = BatchBuffer(schema("postings"), destination.buffer_folder) if destination.history else None
        self._incoming = IncomingHashes()

    def _new_file(self, kind: str, load_id: str = "") -> FileWriter:
        """Return a data file that is removed again unless a manifest comes to name it."""
        self._files.append(FileWriter(self._fs, self._folder, kind, load_id))
        return self._files[-1]

    def _write(self, batch: pa.RecordBatch) -> None:
        if self._buffer is None:
            self._postings.write(batch)
        else:
            self._buffer.write(batch)
            self._incoming.add(batch)

    def _read_back(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self._buffer is not None:
            return (batch.select(list(columns)) for batch in self._buffer.batches())
        names = [entry["name"] for entry in self._postings.finish()]
        return read_batches(self._fs, self._folder, names, select_columns("postings", columns))

    def _commit(self, tables: WindowTables) -> None:
        old = self._read_manifest()
        new = self._new_manifest(old, tables)
        if self._buffer is not None:
            self._supersede(self._buffer, old, new, tables)
        new.files["postings"] = self._postings.finish()
        self._add(new, "changes", tables.load_id, tables.changes)
        self._store(old, new, tables)
        for file in self._files:
            file.keep()
        self._destination.publish(self._folder, old, new)

    def _confirm(self, tables: WindowTables) -> None:
        old = self._read_manifest()
        new = self._new_manifest(old, tables)
        if old is None or not old.files.get("proofs") or old.rows("postings") != tables.rows:
            raise changed_meanwhile_error(tables.rows, old.rows("postings") if old else 0)
        self._store(old, new, tables)
        self._destination.publish(self._folder, old, new)

    def _reject(self, tables: WindowTables) -> None:
        old = self._read_manifest()
        about = self._describe(loaded=old.about.get("loaded") if old else None, refused=_summarise(tables))
        new = Manifest(about, dict(old.files) if old else {})
        new.files["refused"] = [self._write_table("refused", tables, tables.proofs)]
        new.files["loads"] = [self._add_load(old, tables)]
        self._destination.publish(self._folder, old, new)

    def _discard(self) -> None:
        for file in self._files:
            file.discard()
        if self._buffer is not None:
            self._buffer.close()

    def _new_manifest(self, old: Manifest | None, tables: WindowTables) -> Manifest:
        staying = {kind: entries for kind, entries in old.files.items() if kind in _STAYING} if old else {}
        return Manifest(self._describe(loaded=_summarise(tables), refused=None), staying)

    def _store(self, old: Manifest | None, new: Manifest, tables: WindowTables) -> None:
        """Write the tables of the window."""
        if tables.balances is not None:
            new.files["balances"] = [self._write_table("balances", tables, tables.balances)]
        new.files["proofs"] = [self._write_table("proofs", tables, tables.proofs)]
        new.files["loads"] = [self._add_load(old, tables)]

    def _supersede(self, buffer: BatchBuffer, old: Manifest | None, new: Manifest, tables: WindowTables) -> None:
        """Write the postings with the time since when they are known, and those that vanish into the history."""
        loads = read_table(self._fs, self._folder, old, "loads").select(["load_id", "finished_at"]).to_pylist()
        names = old.names("postings") if old else []
        supersession = Supersession(
            lambda: read_batches(self._fs, self._folder, names, dated_postings()),
            {load["load_id"]: load["finished_at"] for load in loads},
            self._incoming.result(),
            tables.finished_at,
        )
        # An entry without files says that the window keeps a history in which there is nothing yet.
        new.files.setdefault(HISTORY.name, [])
        self._add(new, HISTORY.name, tables.load_id, supersession.superseded_batches(tables.load_id))
        reach("history.written")
        for batch in supersession.dated_batches(buffer.batches()):
            self._postings.write(batch)
        if self._postings.rows != self.staged_rows:
            raise DestinationError(f"{self.staged_rows} postings were staged and {self._postings.rows} arrived.")

    def _add(self, new: Manifest, kind: str, load_id: str, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows to those of earlier loads, in a file of their own, if there are any."""
        file = self._new_file(kind, load_id)
        for batch in batches:
            file.write(batch)
        if file.rows:
            new.files[kind] = [*new.files.get(kind, ()), *file.finish()]

    def _add_load(self, old: Manifest | None, tables: WindowTables) -> dict[str, Any]:
        """Write all loads of the window, with one more row, as a new file."""
        parts = [read_table(self._fs, self._folder, old, "loads")] if old else []
        loads = pa.concat_tables([*parts, tables.load], promote_options="default")
        return self._write_table("loads", tables, loads)

    def _write_table(self, kind: str, tables: WindowTables, rows: pa.Table) -> dict[str, Any]:
        return write_table(self._fs, self._folder, kind, tables.load_id, rows)

    def _read_manifest(self) -> Manifest | None:
        with translate_os_errors(self._folder):
            self._fs.makedirs(self._folder, exist_ok=True)
        return read_manifest(self._fs, self._folder)

    def _describe(self, *, loaded: dict[str, Any] | None, refused: dict[str, Any] | None) -> dict[str, Any]:
        """Return what the manifest says of its window."""
        return {"tenant": self.tenant, "month": self.window.name, "loaded": loaded, "refused": refused}


def _summarise(tables: WindowTables) -> dict[str, Any]:
    """Return what the manifest says of a load."""
    return {
        "load_id": tables.load_id,
        "verdict": tables.verdict,
        "rows": tables.rows,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
