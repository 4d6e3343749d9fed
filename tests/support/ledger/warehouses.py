"""Every kind of warehouse that the contract tests run against, and one way to look into each.

A new kind of destination is one more entry of :data:`WAREHOUSES`.
"""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import psycopg
import psycopg2
import pymysql
import pytest

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.base import Destination
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination
from airflow_provider_rma.ledger.destinations.parquet.readers import create_duckdb_views, read_window
from airflow_provider_rma.ledger.destinations.sql.column_types import read_date, read_time
from airflow_provider_rma.ledger.destinations.sql.generic import DbapiDestination
from airflow_provider_rma.ledger.destinations.views.load import VIEWS
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.window_fixtures import AUGUST, TENANT
from tests.support.postgres import PostgresServer
from tests.support.throw_away_server import PASSWORD, USER

Rows = list[dict[str, Any]]
#: By type of the contract, how a value of a driver is read.
READ: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "date": read_date,
    "money": lambda value: Decimal(str(value)),
    "int64": int,
    "int32": int,
    "int16": int,
    "float64": float,
    "bool": bool,
    "time": read_time,
}


@dataclass(frozen=True)
class Warehouse:
    """A warehouse under test.

    :param open: returns the destination, not yet entered; may be given ``history``.
    :param read: rows of a table of one tenant and window as dicts, sorted by accno and entry_id where there are.
    :param query: rows of any statement, with the names of tables and views as in the contract.
    :param address: by which another process opens it; empty if none can.
    :param has_views: whether it takes all views.
    """

    name: str
    open: Callable[..., Destination]
    read: Callable[..., Rows]
    query: Callable[[str], list[tuple[Any, ...]]]
    address: str = ""
    has_views: bool = True


@dataclass(frozen=True)
class WarehouseKind:
    """A kind of destination, as the contract tests need it.

    :param make: returns a new warehouse, given an empty folder and a function that returns the URL of a new database.
    :param server: the fixture of the server that has the databases.
    :param has_tables: whether its tables can be changed behind the provider's back.
    """

    name: str
    make: Callable[[Path, Callable[[], str]], Warehouse]
    has_tables: bool = True
    server: str = "postgres"


def postgres_url(server: PostgresServer) -> str:
    """Return the URL of a new database."""
    return server.url(server.create_database()).replace("+psycopg2", "")


def duckdb_warehouse(path: Path) -> Warehouse:
    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> Rows:
        with connect_duckdb(path, read_only=True) as connection:
            relation = connection.sql(
                f"SELECT * FROM {table} WHERE tenant = ? AND month = ?", params=[tenant, window.start]
            )
            return _sort(relation.to_arrow_table().to_pylist())

    def query(sql: str) -> list[tuple[Any, ...]]:
        with connect_duckdb(path) as connection:
            return list(connection.execute(sql).fetchall())

    address = f"duckdb:///{path}"
    return Warehouse("duckdb", partial(open_destination, address), read, query, address)


def parquet_warehouse(fs: fsspec.AbstractFileSystem, root: str, name: str = "parquet", address: str = "") -> Warehouse:
    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> Rows:
        return _sort(read_window(fs, root, tenant, window, table).to_pylist())

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            create_duckdb_views(connection, fs, root)
            return list(connection.execute(sql).fetchall())

    return Warehouse(name, partial(ParquetDestination, fs, root), read, query, address)


def parquet_folder(folder: Path) -> Warehouse:
    """Parquet files on this machine."""
    return parquet_warehouse(fsspec.filesystem("file"), str(folder), address=f"parquet:///{folder}")


def parquet_objects() -> Warehouse:
    """Parquet files on a file system in memory, which stands for an object store."""
    bucket = f"/bucket-{uuid.uuid4().hex}/ledger"
    return parquet_warehouse(fsspec.filesystem("memory"), bucket, "parquet-objects")


def postgres_warehouse(url: str) -> Warehouse:
    return _database("postgres", partial(open_destination, url), lambda: _connect(url, "rma"), "", "%s", address=url)


def dbapi_postgres_warehouse(url: str) -> Warehouse:
    opened = partial(DbapiDestination, lambda: psycopg2.connect(url), "postgresql", "postgresql://somewhere")
    return _database("dbapi-postgres", opened, lambda: _connect(url, "public"), "rma_", "%s")


def sqlite_warehouse(path: Path) -> Warehouse:
    address = f"sqlite:///{path}"
    opened = partial(open_destination, address)
    warehouse = _database("dbapi-sqlite", opened, lambda: sqlite3.connect(path), "rma_", "?", address=address)
    return replace(warehouse, has_views=False)


def mariadb_warehouse(url: str) -> Warehouse:
    name = url.rpartition("/")[2]
    port = int(url.rpartition("/")[0].rpartition(":")[2])

    def connect() -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=port, user=USER, password=PASSWORD, database=name, charset="utf8mb4"
        )

    return _database("dbapi-mariadb", partial(open_destination, url), connect, "rma_", "%s", address=url)


WAREHOUSES = {
    kind.name: kind
    for kind in (
        WarehouseKind("duckdb", lambda folder, _: duckdb_warehouse(folder / "new" / "ledger.duckdb")),
        WarehouseKind("parquet", lambda folder, _: parquet_folder(folder / "new" / "ledger"), has_tables=False),
        WarehouseKind("parquet-objects", lambda *_: parquet_objects(), has_tables=False),
        WarehouseKind("postgres", lambda _, new_database: postgres_warehouse(new_database())),
        WarehouseKind("dbapi-sqlite", lambda folder, _: sqlite_warehouse(folder / "ledger.db")),
        WarehouseKind("dbapi-mariadb", lambda _, new_database: mariadb_warehouse(new_database()), server="mariadb"),
        WarehouseKind("dbapi-postgres", lambda _, new_database: dbapi_postgres_warehouse(new_database())),
    )
}


def make_warehouse(kind: str, folder: Path, request: pytest.FixtureRequest) -> Warehouse:
    """Return a new warehouse of a kind, in an empty folder or a new database."""
    made = WAREHOUSES[kind]

    def new_database() -> str:
        server = request.getfixturevalue(made.server)
        return str(server.url(server.create_database())).replace("+psycopg2", "")

    return made.make(folder, new_database)


def _sort(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: (row.get("accno") or "", row.get("entry_id") or 0, row["load_id"]))


def _connect(url: str, schema: str) -> Any:
    return psycopg.connect(url, options=f"-c search_path={schema} -c timezone=UTC -c datestyle=ISO")


def _database(
    name: str,
    opened: Callable[..., Destination],
    connect: Callable[[], Any],
    prefix: str,
    mark: str,
    *,
    address: str = "",
) -> Warehouse:
    """Return a warehouse that is looked into through a connection of its own."""

    def run(sql: str, *parameters: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
        connection = connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql, parameters or ())
            has_rows = bool(cursor.description)
            found = ([column[0] for column in cursor.description], cursor.fetchall()) if has_rows else ([], [])
            connection.commit()
            return found
        finally:
            connection.close()

    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> Rows:
        where = f"WHERE tenant = {mark} AND month = {mark}"
        names, rows = run(f"SELECT * FROM {prefix}{table} {where}", tenant, window.start.isoformat())
        declared = () if table == "postings_history" else contract.TABLES[table].columns
        types = {column.name: column.type for column in (*declared, *contract.HISTORY.columns)}
        return _sort(
            [
                {
                    name: None if value is None else READ[types[name]](value)
                    for name, value in zip(names, row, strict=True)
                }
                for row in rows
            ]
        )

    def query(sql: str) -> list[tuple[Any, ...]]:
        known = "|".join([*contract.TABLES, *contract.PROVIDER_TABLES, *VIEWS, "postings_history"])
        return [tuple(row) for row in run(re.sub(rf"\b(?:{known})\b", lambda match: prefix + match[0], sql))[1]]

    return Warehouse(name, opened, read, query, address)
