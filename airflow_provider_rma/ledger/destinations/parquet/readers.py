"""How a Parquet warehouse is read: the files that count, one window, or views in DuckDB."""

from __future__ import annotations

from dataclasses import replace
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
    Manifest,
    is_local,
    list_names,
    partition,
    read_manifest,
)
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window

#: Folders with what their manifests say.
_Manifests = list[tuple[str, Manifest]]


def dataset_files(
    fs: AbstractFileSystem, path: str, table: str = "postings", *, tenant: str | None = None, urls: bool = False
) -> list[str]:
    """List the Parquet files that hold a table now, according to the manifests. Read them within the grace time, to see
    each window as it was at one moment.

    :param path: the root of the warehouse on the file system.
    :param table: a name of ``contract.TABLES``, or ``postings_history``.
    :param tenant: only this one; all by default.
    :param urls: addresses with a scheme, for readers that do not take ``fs``, instead of paths on it. Local paths have
        none either way.
    :return: may be empty.
    """
    fs, root = unwrap_filesystem(fs, path)
    return _list_files(fs, _read_manifests(fs, root, table, tenant), table, urls=urls)


def read_window(fs: AbstractFileSystem, path: str, tenant: str, window: Window, table: str = "postings") -> pa.Table:
    """Read one table of one window as it is loaded now; empty if nothing is.

    :param path: the root of the warehouse on the file system.
    :param table: ``postings``, ``balances``, ``proofs``, ``loads``, ``changes`` or ``postings_history``.
    """
    fs, root = unwrap_filesystem(fs, path)
    folder = f"{root}/{partition(tenant, window.name)}"
    # A window that is replaced again and again could lose its files between the two reads; not within the grace time.
    return read_table(fs, folder, read_manifest(fs, folder), table)


def create_duckdb_views(connection: Any, fs: AbstractFileSystem, path: str) -> None:
    """Make the warehouse readable in DuckDB: a view per table over the files that count now, and the views of
    :mod:`.views` over them. Call it again to see later loads.

    :param connection: a DuckDB connection; a file system that DuckDB does not know itself is registered with it.
    """
    fs, root = unwrap_filesystem(fs, path)
    if not is_local(fs) and not connection.filesystem_is_registered(fs.protocol):
        connection.register_filesystem(fs)
    charts, windows = (_read_manifests(fs, root, table, None) for table in ("accounts", "postings"))
    declared = dict(contract.TABLES)
    if any(has_history(manifest) for _, manifest in windows):
        postings = declared["postings"]
        declared["postings"] = replace(postings, columns=(*postings.columns, contract.VALID_FROM))
        declared[contract.HISTORY.name] = contract.HISTORY
    for name, table in declared.items():
        files = _list_files(fs, charts if name == "accounts" else windows, name, urls=True)
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {_select_files(table, files)}")
    views.create_views(connection)


def _select_files(table: contract.Table, files: list[str]) -> str:
    """Write the query for all columns of a table, also those that no file has, as files of an older contract do not."""
    nulls = [f'CAST(NULL AS {contract.TYPES[column.type].sql}) AS "{column.name}"' for column in table.columns]
    none = f"SELECT {', '.join(nulls)} WHERE FALSE"
    if not files:
        return none
    quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    # Tenant and month are columns of the files; the text in the names of the folders must not hide them.
    options = "hive_partitioning = false, union_by_name = true"
    return f"{none} UNION ALL BY NAME SELECT * FROM read_parquet([{quoted}], {options})"  # noqa: S608 - quoted above


def _list_files(fs: AbstractFileSystem, manifests: _Manifests, table: str, *, urls: bool) -> list[str]:
    found = [
        f"{folder}/{name}"
        for folder, manifest in manifests
        for kind in KINDS.get(table, (table,))
        for name in manifest.names(kind)
    ]
    return [str(fs.unstrip_protocol(file)) for file in found] if urls and not is_local(fs) else found


def _read_manifests(fs: AbstractFileSystem, root: str, table: str, tenant: str | None) -> _Manifests:
    """Read the manifests that name files of a table: of accounts one per tenant, of all others one per window."""
    tenants = [partition(tenant)] if tenant is not None else list_names(fs, root)
    folders = [
        f"{root}/{name}/{part}"
        for name in tenants
        if name.startswith("tenant=")
        for part in (["accounts"] if table == "accounts" else list_names(fs, f"{root}/{name}"))
        if table == "accounts" or part.startswith("month=")
    ]
    found = ((folder, read_manifest(fs, folder)) for folder in folders)
    return [(folder, manifest) for folder, manifest in found if manifest]
