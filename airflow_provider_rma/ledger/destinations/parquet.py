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

Files are written once under a name that is never used again, then the manifest is replaced; see :mod:`.manifest`. Files
that it no longer names stay for a grace time, because somebody may just be reading them, and are removed by the first
load of the window after that. Readers use :func:`dataset_files`, :func:`read_window` or :func:`create_duckdb_views`,
never a wildcard over the folder.

Two runs that load one window at the same time each publish whole windows; the last one counts, and the row of ``loads``
of the other can be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger.changes import COLUMNS, Vouchers
from airflow_provider_rma.ledger.destinations import tables, views
from airflow_provider_rma.ledger.destinations.manifest import (
    Manifest,
    is_local,
    listed,
    new_name,
    orphans,
    partition,
    read_json,
    read_manifest,
    supersede,
    translated,
    write_json,
    write_manifest,
)
from airflow_provider_rma.ledger.destinations.staging import (
    CheckedStage,
    UnknownFields,
    changed_meanwhile,
    check_constant,
    conform,
)
from airflow_provider_rma.ledger.extras import pyarrow
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, Fingerprint, Fingerprinter

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem

    from airflow_provider_rma.ledger.windows import Window

__all__ = ["ParquetDestination", "create_duckdb_views", "dataset_files", "read_window"]

#: How long a file that no longer counts is kept for those who are reading it.
GRACE = timedelta(hours=24)

_BATCH_ROWS = 65_536
#: Small batches are put together to this many rows, so that a file has few row groups.
_GROUP_ROWS = 122_880
#: Kinds of files that hold the rows of a table; the other tables have the kind of their own name.
_KINDS = {"proofs": ("proofs", "refused")}


class ParquetDestination:
    """See :class:`.Destination`.

    :param fs: an fsspec file system.
    :param path: the root on it, without a scheme.
    :param grace: how long files that no longer count are kept; also how long a load may take at most.
    """

    kind = "parquet"

    def __init__(self, fs: AbstractFileSystem, path: str, *, grace: timedelta = GRACE) -> None:
        self.fs, self.root = _plain(fs, path)
        self.location = str(self.fs.unstrip_protocol(self.root))
        self.grace = grace
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
        folder = self.folder(tenant, window)
        manifest = read_manifest(self.fs, folder)
        fingerprinter = Fingerprinter()
        for name in manifest.names("postings") if manifest else ():
            with _opened(self.fs, folder, name) as content:
                for batch in content.iter_batches(_BATCH_ROWS, columns=list(BUSINESS_COLUMNS)):
                    fingerprinter.add(batch)
        return fingerprinter.result()

    def vouchers(self, tenant: str, window: Window) -> Vouchers:
        folder = self.folder(tenant, window)
        manifest = read_manifest(self.fs, folder)
        vouchers = Vouchers()
        for name in manifest.names("postings") if manifest else ():
            with _opened(self.fs, folder, name) as content:
                for batch in content.iter_batches(_BATCH_ROWS, columns=list(COLUMNS)):
                    vouchers.add(batch)
        return vouchers

    def table(self, name: str, tenant: str, window: Window) -> pa.Table:
        folder = self.folder(tenant, window)
        return _read(self.fs, folder, read_manifest(self.fs, folder), name)

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
        entry = self.write_file(folder, "accounts", load_id, accounts)
        self.publish(folder, read_manifest(self.fs, folder), Manifest({"tenant": tenant}, {"accounts": [entry]}))

    def stage(self, tenant: str, window: Window, *, fresh: bool = False) -> ParquetStage:
        return ParquetStage(self, tenant, window)

    def folder(self, tenant: str, window: Window | None = None) -> str:
        """Folder of a tenant or window."""
        return f"{self.root}/{partition(tenant, window.name if window else None)}"

    def write_file(self, folder: str, kind: str, load_id: str, data: pa.Table) -> dict[str, Any]:
        """Write one data file of one table; gives its entry in a manifest."""
        name = new_name(kind, load_id)
        with translated(folder), self.fs.open(f"{folder}/{name}", "wb") as file:
            pyarrow("pyarrow.parquet").write_table(data, file, compression="zstd")
        return {"name": name, "rows": data.num_rows}

    def publish(self, folder: str, old: Manifest | None, new: Manifest) -> None:
        """Make a manifest count, then remove what has not counted for long enough."""
        expired = supersede(old, new, self.grace)
        write_manifest(self.fs, folder, new)
        self.remove(folder, expired + orphans(self.fs, folder, new, self.grace))

    def remove(self, folder: str, names: list[str]) -> None:
        """Remove files; one that is gone already is no matter, and one that cannot be removed can wait."""
        for name in names:
            try:
                self.fs.rm_file(f"{folder}/{name}")
            except OSError:
                continue

    def _make(self, folder: str) -> None:
        with translated(folder):
            self.fs.makedirs(folder, exist_ok=True)


class ParquetStage(CheckedStage):
    """A window that is being written to a file no manifest names yet."""

    def __init__(self, destination: ParquetDestination, tenant: str, window: Window) -> None:
        super().__init__(tenant, window, destination.unknown)
        self._destination = destination
        self._folder = destination.folder(tenant, window)
        self._name = ""
        self._file: Any = None
        self._writer: Any = None
        self._waiting: list[Any] = []

    def _write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        if sum(one.num_rows for one in self._waiting) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        pa, parquet = pyarrow(), pyarrow("pyarrow.parquet")
        group = pa.Table.from_batches(self._waiting)
        self._waiting = []
        with translated(self._folder):
            if self._writer is None:
                self._destination.fs.makedirs(self._folder, exist_ok=True)
                self._name = new_name("postings", group.column("load_id")[0].as_py())
                self._file = self._destination.fs.open(f"{self._folder}/{self._name}", "wb")
                self._writer = parquet.ParquetWriter(self._file, group.schema, compression="zstd")
            self._writer.write_table(group, row_group_size=_GROUP_ROWS)

    def _replace(self, balances: pa.Table, proofs: pa.Table, load: pa.Table, *, keep_postings: bool) -> None:
        old = self._old()
        new = Manifest(self._about(old, load, refused=False), {})
        if keep_postings:
            self._check_kept(old, load)
            new.files["postings"] = old.files.get("postings", []) if old else []
        else:
            new.files["postings"] = self._finish()
        load_id = load.column("load_id")[0].as_py()
        write = self._destination.write_file
        new.files["balances"] = [write(self._folder, "balances", load_id, balances)]
        new.files["proofs"] = [write(self._folder, "proofs", load_id, proofs)]
        new.files["loads"] = [self._loads(old, load)]
        if not keep_postings:
            # From here on a manifest may name the file, even if publishing it seems to fail: never remove it.
            self._name = ""
        self._destination.publish(self._folder, old, new)

    def _record(self, proofs: pa.Table, load: pa.Table) -> None:
        old = self._old()
        new = Manifest(self._about(old, load, refused=True), dict(old.files) if old else {})
        load_id = load.column("load_id")[0].as_py()
        new.files["refused"] = [self._destination.write_file(self._folder, "refused", load_id, proofs)]
        new.files["loads"] = [self._loads(old, load)]
        self._destination.publish(self._folder, old, new)

    def _old(self) -> Manifest | None:
        with translated(self._folder):
            self._destination.fs.makedirs(self._folder, exist_ok=True)
        return read_manifest(self._destination.fs, self._folder)

    def _about(self, old: Manifest | None, load: Any, *, refused: bool) -> dict[str, Any]:
        row = load.select(["load_id", "verdict", "rows"]).to_pylist()[0]
        row["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"tenant": self.tenant, "month": self.window.name, "loaded": None, "refused": None}
        if refused:
            return {**about, "loaded": old.about.get("loaded") if old else None, "refused": row}
        return {**about, "loaded": row}

    def _finish(self) -> list[dict[str, Any]]:
        """Complete the file of postings; gives its entry, none if there are no postings."""
        if self._waiting:
            self._flush()
        if self._writer is None:
            return []
        with translated(self._folder):
            self._writer.close()
            self._file.close()
        self._writer = self._file = None
        return [{"name": self._name, "rows": self.staged}]

    def _check_kept(self, old: Manifest | None, load: Any) -> None:
        rows = load.column("rows")[0].as_py()
        if old is None or not old.files.get("proofs") or old.rows("postings") != rows:
            raise changed_meanwhile(rows, old.rows("postings") if old else 0)

    def _loads(self, old: Manifest | None, load: Any) -> dict[str, Any]:
        """The history of the window with one more row, as a new file."""
        parts = [_read(self._destination.fs, self._folder, old, "loads")] if old else []
        history = pyarrow().concat_tables([*parts, load], promote_options="default")
        return self._destination.write_file(self._folder, "loads", load.column("load_id")[0].as_py(), history)

    def _discard(self) -> None:
        self._waiting = []
        if self._file is not None:
            try:
                self._writer.close()
                self._file.close()
            except OSError:
                pass  # the file is removed anyway, and an earlier error may be on its way
        if self._name:
            self._destination.remove(self._folder, [self._name])


def dataset_files(
    fs: AbstractFileSystem, path: str, table: str = "postings", *, tenant: str | None = None, urls: bool = False
) -> list[str]:
    """The Parquet files that hold a table now, according to the manifests. For a table as of one moment per window,
    read them within the grace time.

    :param path: the root of the warehouse on the file system.
    :param table: a name of ``tables.TABLES``.
    :param tenant: only this one; all by default.
    :param urls: addresses with a scheme, for readers that do not take ``fs``, instead of paths on it. Local paths have
        none either way.
    :return: may be empty.
    """
    fs, root = _plain(fs, path)
    found = []
    for folder in _folders(fs, root, table, tenant):
        manifest = read_manifest(fs, folder)
        for kind in _KINDS.get(table, (table,)):
            found += [f"{folder}/{name}" for name in (manifest.names(kind) if manifest else ())]
    return [str(fs.unstrip_protocol(file)) for file in found] if urls and not is_local(fs) else found


def read_window(fs: AbstractFileSystem, path: str, tenant: str, window: Window, table: str = "postings") -> pa.Table:
    """One table of one window as it is loaded now; empty if nothing is.

    :param path: the root of the warehouse on the file system.
    :param table: ``postings``, ``balances``, ``proofs`` or ``loads``.
    """
    fs, root = _plain(fs, path)
    folder = f"{root}/{partition(tenant, window.name)}"
    # A window that is replaced again and again could lose its files between the two reads; not within the grace time.
    return _read(fs, folder, read_manifest(fs, folder), table)


def create_duckdb_views(connection: Any, fs: AbstractFileSystem, path: str) -> None:
    """Make the warehouse readable in DuckDB: a view per table over the files that count now, and the views of
    :mod:`.views` over them. Call it again to see later loads.

    :param connection: a DuckDB connection; a file system that DuckDB does not know itself is registered with it.
    """
    if not is_local(_plain(fs, path)[0]) and not connection.filesystem_is_registered(fs.protocol):
        connection.register_filesystem(fs)
    for name, table in tables.TABLES.items():
        files = dataset_files(fs, path, name, urls=True)
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {_source(table, files)}")
    views.create_views(connection)


def _source(table: tables.Table, files: list[str]) -> str:
    if not files:
        nulls = [f'CAST(NULL AS {tables.TYPES[column.type].sql}) AS "{column.name}"' for column in table.columns]
        return f"SELECT {', '.join(nulls)} WHERE FALSE"
    quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    # Tenant and month are columns of the files; the text in the names of the folders must not hide them.
    options = "hive_partitioning = false, union_by_name = true"
    return f"SELECT * FROM read_parquet([{quoted}], {options})"  # noqa: S608 - quoted above


def _folders(fs: AbstractFileSystem, root: str, table: str, tenant: str | None) -> list[str]:
    tenants = [partition(tenant)] if tenant is not None else listed(fs, root)
    tenants = [name for name in tenants if name.startswith("tenant=")]
    if table == "accounts":
        return [f"{root}/{name}/accounts" for name in tenants]
    return [
        f"{root}/{name}/{month}"
        for name in tenants
        for month in listed(fs, f"{root}/{name}")
        if month.startswith("month=")
    ]


def _read(fs: AbstractFileSystem, folder: str, manifest: Manifest | None, table: str) -> Any:
    pa = pyarrow()
    parts = [tables.empty(table)]
    for kind in _KINDS.get(table, (table,)):
        for name in manifest.names(kind) if manifest else ():
            with _opened(fs, folder, name) as content:
                parts.append(content.read())
    # A file of an older contract has fewer columns.
    return pa.concat_tables(parts, promote_options="default")


@contextmanager
def _opened(fs: AbstractFileSystem, folder: str, name: str) -> Iterator[Any]:
    """A data file that a manifest names, through an open file so that nothing is read into the names of the folders."""
    try:
        with translated(folder), fs.open(f"{folder}/{name}", "rb") as file:
            yield pyarrow("pyarrow.parquet").ParquetFile(file)
    except FileNotFoundError as error:
        raise DestinationError(
            f"{folder}/{name} is named by the manifest but missing.", advice="Load the window again."
        ) from error
    except pyarrow().ArrowInvalid as error:
        raise DestinationError(f"{folder}/{name} is damaged.", advice="Load the window again.") from error


def _plain(fs: AbstractFileSystem, path: str) -> tuple[AbstractFileSystem, str]:
    """The file system and path behind a "directory as file system", which would hide that it is local."""
    from fsspec.implementations.dirfs import DirFileSystem

    while isinstance(fs, DirFileSystem):
        fs, path = fs.fs, fs._join(path)
    return fs, str(fs._strip_protocol(path)).rstrip("/")
