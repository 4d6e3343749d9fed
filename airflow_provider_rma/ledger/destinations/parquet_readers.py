"""How a Parquet warehouse is read: the files that count, one window, or views in DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger.destinations import tables, views
from airflow_provider_rma.ledger.destinations.manifest import is_local, listed, partition, read_manifest
from airflow_provider_rma.ledger.destinations.parquet_files import KINDS, plain, read_table

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem

    from airflow_provider_rma.ledger.windows import Window


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
    fs, root = plain(fs, path)
    found = []
    for folder in _folders(fs, root, table, tenant):
        manifest = read_manifest(fs, folder)
        for kind in KINDS.get(table, (table,)):
            found += [f"{folder}/{name}" for name in (manifest.names(kind) if manifest else ())]
    return [str(fs.unstrip_protocol(file)) for file in found] if urls and not is_local(fs) else found


def read_window(fs: AbstractFileSystem, path: str, tenant: str, window: Window, table: str = "postings") -> pa.Table:
    """One table of one window as it is loaded now; empty if nothing is.

    :param path: the root of the warehouse on the file system.
    :param table: ``postings``, ``balances``, ``proofs`` or ``loads``.
    """
    fs, root = plain(fs, path)
    folder = f"{root}/{partition(tenant, window.name)}"
    # A window that is replaced again and again could lose its files between the two reads; not within the grace time.
    return read_table(fs, folder, read_manifest(fs, folder), table)


def create_duckdb_views(connection: Any, fs: AbstractFileSystem, path: str) -> None:
    """Make the warehouse readable in DuckDB: a view per table over the files that count now, and the views of
    :mod:`.views` over them. Call it again to see later loads.

    :param connection: a DuckDB connection; a file system that DuckDB does not know itself is registered with it.
    """
    if not is_local(plain(fs, path)[0]) and not connection.filesystem_is_registered(fs.protocol):
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
