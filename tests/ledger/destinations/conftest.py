from __future__ import annotations

import re
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest

pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

from airflow_provider_rma.ledger import contract  # noqa: E402
from airflow_provider_rma.ledger.destinations import open_destination  # noqa: E402
from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination  # noqa: E402
from airflow_provider_rma.ledger.destinations.parquet.readers import create_duckdb_views, read_window  # noqa: E402
from airflow_provider_rma.ledger.destinations.sql.dialects import READ  # noqa: E402
from airflow_provider_rma.ledger.destinations.sql.generic import DbapiDestination  # noqa: E402
from airflow_provider_rma.ledger.windows import Window  # noqa: E402
from tests.support.ledger.window_fixtures import AUGUST, TENANT, Warehouse  # noqa: E402
from tests.support.postgres import PostgresServer  # noqa: E402

#: Those whose tables can be changed behind the provider's back.
DATABASES = ["duckdb", "postgres", "dbapi-sqlite", "dbapi-postgres"]
KINDS = [
    "duckdb",
    "parquet-local",
    "parquet-objects",
    "postgres",
    "postgres-fresh",
    "dbapi-sqlite",
    "dbapi-postgres",
]


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row.get("accno") or "", row.get("entry_id") or 0, row["load_id"]))


def duckdb_warehouse(path: Path) -> Warehouse:
    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> list[dict[str, Any]]:
        with duckdb.connect(str(path), read_only=True) as connection:
            relation = connection.sql(
                f"SELECT * FROM {table} WHERE tenant = ? AND month = ?", params=[tenant, window.start]
            )
            return _sorted(relation.to_arrow_table().to_pylist())

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(path)) as connection:
            return list(connection.execute(sql).fetchall())

    return Warehouse("duckdb", lambda **more: open_destination(f"duckdb:///{path}", **more), read, query)


def parquet_warehouse(fs: Any, root: str, name: str) -> Warehouse:
    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> list[dict[str, Any]]:
        return _sorted(read_window(fs, root, tenant, window, table).to_pylist())

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            create_duckdb_views(connection, fs, root)
            return list(connection.execute(sql).fetchall())

    return Warehouse(name, lambda **more: ParquetDestination(fs, root, **more), read, query)


def postgres_url(server: PostgresServer) -> str:
    """URL of a new database."""
    return server.url(server.create_database()).replace("+psycopg2", "")


def postgres_warehouse(url: str) -> Warehouse:
    return _database("postgres", lambda **more: open_destination(url, **more), lambda: _psycopg(url, "rma"), "", "%s")


def fresh_postgres_warehouse(url: str) -> Warehouse:
    """Every window is copied as if it had never been loaded, which must come to the same."""

    def opened(**more: Any) -> Any:
        destination = open_destination(url, **more)
        destination.stage = partial(destination.stage, fresh=True)  # type: ignore[method-assign]
        return destination

    return replace(postgres_warehouse(url), open=opened)


def dbapi_postgres_warehouse(url: str) -> Warehouse:
    def connect() -> Any:
        import psycopg2

        return psycopg2.connect(url)

    def opened(**more: Any) -> DbapiDestination:
        return DbapiDestination(connect, "postgresql", "postgresql://somewhere", **more)

    return _database("dbapi-postgres", opened, lambda: _psycopg(url, "public"), "rma_", "%s")


def sqlite_warehouse(path: Path) -> Warehouse:
    def connect() -> Any:
        import sqlite3

        return sqlite3.connect(path)

    return _database(
        "dbapi-sqlite", lambda **more: open_destination(f"sqlite:///{path}", **more), connect, "rma_", "?", views=False
    )


def _psycopg(url: str, schema: str) -> Any:
    import psycopg

    return psycopg.connect(url, options=f"-c search_path={schema} -c timezone=UTC -c datestyle=ISO")


def _database(name: str, opened: Any, connect: Any, prefix: str, mark: str, *, views: bool = True) -> Warehouse:
    """A warehouse that is looked into through a connection of its own."""

    def run(sql: str, *parameters: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
        connection = connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql, parameters or ())
            found = ([one[0] for one in cursor.description], cursor.fetchall()) if cursor.description else ([], [])
            connection.commit()
            return found
        finally:
            connection.close()

    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> list[dict[str, Any]]:
        where = f"WHERE tenant = {mark} AND month = {mark}"
        names, rows = run(f"SELECT * FROM {prefix}{table} {where}", tenant, window.start.isoformat())
        declared = () if table == "postings_history" else contract.TABLES[table].columns
        types = {column.name: column.type for column in (*declared, *contract.HISTORY.columns)}
        return _sorted(
            [
                {one: None if value is None else READ[types[one]](value) for one, value in zip(names, row, strict=True)}
                for row in rows
            ]
        )

    def query(sql: str) -> list[tuple[Any, ...]]:
        from airflow_provider_rma.ledger.destinations.views import VIEWS

        known = "|".join([*contract.TABLES, *VIEWS, "postings_history", "contract"])
        return [tuple(row) for row in run(re.sub(rf"\b(?:{known})\b", lambda match: prefix + match[0], sql))[1]]

    return Warehouse(name, opened, read, query, views)


def make_warehouse(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Warehouse:
    """A new warehouse of a kind."""
    if kind == "duckdb":
        return duckdb_warehouse(tmp_path / "new" / "ledger.duckdb")
    if kind == "parquet-local":
        return parquet_warehouse(fsspec.filesystem("file"), str(tmp_path / "new" / "ledger"), kind)
    if kind == "parquet-objects":
        return parquet_warehouse(fsspec.filesystem("memory"), f"/bucket-{uuid.uuid4().hex}/ledger", kind)
    if kind == "dbapi-sqlite":
        return sqlite_warehouse(tmp_path / "ledger.db")
    url = postgres_url(request.getfixturevalue("postgres"))
    made = {"postgres": postgres_warehouse, "postgres-fresh": fresh_postgres_warehouse}
    return made.get(kind, dbapi_postgres_warehouse)(url)


@pytest.fixture(params=KINDS)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Every kind of warehouse; the file system in memory stands for an object store."""
    return make_warehouse(request.param, tmp_path, request)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Every kind of warehouse with tables."""
    return make_warehouse(request.param, tmp_path, request)


@pytest.fixture
def with_views(warehouse: Warehouse) -> Warehouse:
    """Every kind of warehouse that has the views."""
    if not warehouse.views:
        pytest.skip("this database does not take all views")
    return warehouse
