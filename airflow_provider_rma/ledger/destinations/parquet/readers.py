"""How a Parquet warehouse is read: the files that count, one window, or views in DuckDB."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fsspec import AbstractFileSystem

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.destinations.parquet.files import (
    KINDS,
    has_history,
    read_table,
    unwrap_filesystem,
)
from airflow_provider_rma.ledger.destinations.parquet.manifest import (
    NAME,
    Manifest,
    is_local,
    parse_manifest,
    partition,
    read_manifest,
    translate_os_errors,
)
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window

#: Folders with what their manifests say.
_Manifests = list[tuple[str, Manifest]]


def dataset_files(
    fs: AbstractFileSystem,
    path: str,
    table: str = "postings",
    *,
    tenant: str | None = None,
    windows: Collection[Window] | None = None,
    urls: bool = False,
) -> list[str]:
    """List the Parquet files that hold a table now, according to the manifests. Read them within the grace time, to see
    each window as it was at one moment.

    It takes one listing and one read for each manifest.

    :param path: the root of the warehouse on the file system.
    :param table: a name of ``contract.TABLES``, or ``postings_history``.
    :param tenant: only this one; all by default.
    :param windows: only these; all by default.
    :param urls: addresses with a scheme, for readers that do not take ``fs``, instead of paths on it. Local paths have
        none either way.
    :return: may be empty.
    """
    fs, root = unwrap_filesystem(fs, path)
    found = read_manifests(fs, root, tenant, windows)
    return _list_files(fs, found.charts if table == "accounts" else found.windows, table, urls=urls)


def read_window(fs: AbstractFileSystem, path: str, tenant: str, window: Window, table: str = "postings") -> pa.Table:
    """Read one table of one window as it is loaded now; empty if nothing is.

    :param path: the root of the warehouse on the file system.
    :param table: ``postings``, ``balances``, ``proofs``, ``loads``, ``changes`` or ``postings_history``.
    """
    fs, root = unwrap_filesystem(fs, path)
    folder = f"{root}/{partition(tenant, window.name)}"
    # A window that is replaced again and again could lose its files between the two reads; not within the grace time.
    return read_table(fs, folder, read_manifest(fs, folder), table)


def create_duckdb_views(
    connection: Any,
    fs: AbstractFileSystem,
    path: str,
    *,
    tenant: str | None = None,
    windows: Collection[Window] | None = None,
) -> None:
    """Make the warehouse readable in DuckDB: a view per table over the files that count now, and the views of
    :mod:`.views` over them. Call it again to see later loads.

    :param connection: a DuckDB connection; a file system that DuckDB does not know itself is registered with it.
    :param tenant: only this one; all by default.
    :param windows: only these; all by default.
    """
    fs, root = unwrap_filesystem(fs, path)
    if not is_local(fs):
        _register(connection, fs)
    found = read_manifests(fs, root, tenant, windows)
    declared = dict(contract.TABLES)
    if any(has_history(manifest) for _, manifest in found.windows):
        postings = declared["postings"]
        declared["postings"] = replace(postings, columns=(*postings.columns, contract.VALID_FROM))
        declared[contract.HISTORY.name] = contract.HISTORY
    for name, table in declared.items():
        files = _group_files(fs, found.charts if name == "accounts" else found.windows, name)
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {_select_files(table, files)}")
    views.create_views(connection)


def _register(connection: Any, fs: AbstractFileSystem) -> None:
    """Make a file system known to DuckDB, under each of its protocols that is not known yet."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    if not any(connection.filesystem_is_registered(protocol) for protocol in protocols):
        connection.register_filesystem(fs)


def _select_files(table: contract.Table, groups: Mapping[int, list[str]]) -> str:
    """Write the query for all columns of a table, also those that no file has, as files of an older contract do not.

    :param groups: files by the version of their columns, 0 for those that may differ.
    """
    nulls = [f'CAST(NULL AS {contract.TYPES[column.type].sql}) AS "{column.name}"' for column in table.columns]
    queries = [f"SELECT {', '.join(nulls)} WHERE FALSE"]
    for version, files in groups.items():
        quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        # Tenant and month are columns of the files; the text in the names of the folders must not hide them. To unite
        # columns by name, DuckDB looks into each file whenever a view is named; else it looks into the first.
        options = "hive_partitioning = false" + ("" if version else ", union_by_name = true")
        queries.append(f"SELECT * FROM read_parquet([{quoted}], {options})")  # noqa: S608 - quoted above
    return " UNION ALL BY NAME ".join(queries)


def _group_files(fs: AbstractFileSystem, manifests: _Manifests, table: str) -> dict[int, list[str]]:
    """Return the addresses of the files of a table by the version of their columns, 0 for those that may differ."""
    groups: dict[int, list[str]] = {}
    for folder, manifest in manifests:
        # Whether postings have a column more does not follow from their version.
        is_open = table == "postings" and has_history(manifest)
        for kind in KINDS.get(table, (table,)):
            for name in manifest.names(kind):
                version = 0 if is_open else manifest.versions.get(name, 0)
                groups.setdefault(version, []).append(_address(fs, f"{folder}/{name}"))
    return groups


def _address(fs: AbstractFileSystem, path: str) -> str:
    return path if is_local(fs) else str(fs.unstrip_protocol(path))


def _list_files(fs: AbstractFileSystem, manifests: _Manifests, table: str, *, urls: bool) -> list[str]:
    found = [
        f"{folder}/{name}"
        for folder, manifest in manifests
        for kind in KINDS.get(table, (table,))
        for name in manifest.names(kind)
    ]
    return [_address(fs, file) for file in found] if urls else found


@dataclass(frozen=True)
class Manifests:
    """Manifests that count, with their folders.

    :param charts: of accounts, one per tenant.
    :param windows: of all other tables, one per window.
    """

    charts: _Manifests
    windows: _Manifests


def read_manifests(
    fs: AbstractFileSystem, root: str, tenant: str | None, windows: Collection[Window] | None
) -> Manifests:
    """Read the manifests of a warehouse: one listing, and one read for each.

    :param tenant: only this one; None for all.
    :param windows: only these; None for all.
    """
    months = None if windows is None else {f"month={window.name}" for window in windows}
    charts, parts = [], []
    for folder in _list_folders(fs, root, tenant):
        part = folder.rpartition("/")[2]
        if part == "accounts":
            charts.append(folder)
        elif part.startswith("month=") and (months is None or part in months):
            parts.append(folder)
    return Manifests(_read(fs, charts), _read(fs, parts))


def _list_folders(fs: AbstractFileSystem, root: str, tenant: str | None) -> list[str]:
    """List the folders that have a manifest."""
    place = root if tenant is None else f"{root}/{partition(tenant)}"
    fs.invalidate_cache()
    try:
        with translate_os_errors(place):
            found = fs.find(place)
    except FileNotFoundError:
        return []
    is_manifest = re.compile(rf"{re.escape(root)}/tenant=[^/]+/[^/]+/{re.escape(NAME)}").fullmatch
    return sorted(str(path).rpartition("/")[0] for path in found if is_manifest(str(path)))


def _read(fs: AbstractFileSystem, folders: list[str]) -> _Manifests:
    if not folders:
        return []
    # Side by side, where the file system can do that.
    contents = fs.cat([f"{folder}/{NAME}" for folder in folders], on_error="return")
    found = []
    for folder in folders:
        # What came half written or not at all is read again.
        manifest = parse_manifest(contents.get(f"{folder}/{NAME}")) or read_manifest(fs, folder)
        if manifest:
            found.append((folder, manifest))
    return found
