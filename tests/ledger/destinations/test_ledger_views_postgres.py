"""The same views over the same rows say the same in DuckDB and in PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_rma.ledger.destinations import tables, views
from tests.ledger.destinations.conftest import duckdb_warehouse
from tests.ledger.destinations.test_ledger_views import fill_company
from tests.postgres import PostgresServer


@pytest.fixture
def in_postgres(postgres: PostgresServer) -> Any:
    import psycopg

    url = postgres.url(postgres.create_database()).replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        yield connection


def test_views_agree(tmp_path: Path, in_postgres: Any) -> None:
    path = tmp_path / "ledger.duckdb"
    fill_company(duckdb_warehouse(path))
    with duckdb.connect(str(path)) as in_duckdb:
        for table in tables.TABLES.values():
            columns = ", ".join(f'"{column.name}" {tables.TYPES[column.type].sql}' for column in table.columns)
            in_postgres.execute(f"CREATE TABLE {table.name} ({columns})")
            names = ", ".join(f'"{name}"' for name in table.names)
            rows = in_duckdb.sql(f"SELECT {names} FROM {table.name}").to_arrow_table().to_pylist()
            values = ", ".join(["%s"] * len(table.names))
            with in_postgres.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {table.name} VALUES ({values})", [tuple(row.values()) for row in rows])
        for _ in range(2):
            views.create_views(in_postgres)
        for view in views.VIEWS:
            relation = in_duckdb.sql(f"SELECT * FROM {view}").to_arrow_table().to_pylist()
            cursor = in_postgres.execute(f"SELECT * FROM {view}")
            names = [column.name for column in cursor.description]
            found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            assert relation
            assert sorted(map(_comparable, found)) == sorted(map(_comparable, relation)), view


def _comparable(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, f"{value:.8f}" if hasattr(value, "quantize") else str(value)) for name, value in row.items()]
