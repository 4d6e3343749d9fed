"""The same views over the same rows say the same in DuckDB, PostgreSQL and MariaDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_rma.ledger.destinations.views import load as views
from tests.support.ledger.books_for_views import fill_company, fill_year_end
from tests.support.ledger.warehouses import (
    Warehouse,
    dbapi_postgres_warehouse,
    duckdb_warehouse,
    mariadb_warehouse,
    postgres_url,
    postgres_warehouse,
)
from tests.support.ledger.window_fixtures import change, load_window, posting
from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer


def test_views_agree(tmp_path: Path, postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    one, *others = (
        duckdb_warehouse(tmp_path / "ledger.duckdb"),
        postgres_warehouse(postgres_url(postgres)),
        dbapi_postgres_warehouse(postgres_url(postgres)),
        mariadb_warehouse(mariadb.url(mariadb.create_database())),
    )
    for warehouse in (one, *others):
        fill_company(warehouse)
        fill_year_end(warehouse)
        with warehouse.open() as destination:
            changes = [change(7, tenant="other")]
            load_window(destination, [posting("1000", 1)], load="L2", tenant="other", changes=changes)
    for view in views.VIEWS:
        expected = _rows(one, view)
        assert expected
        for other in others:
            assert _rows(other, view) == expected, view


def _rows(warehouse: Warehouse, view: str) -> list[list[str]]:
    # To give Python a moment with a zone, DuckDB wants a package that is needed for nothing else.
    columns = (
        "*"
        if view != "voucher_changes"
        else "tenant, voucher_key, voucher_changes.change, debit_after, verdict, run, load_id"
    )
    return sorted(map(_comparable, warehouse.query(f"SELECT {columns} FROM {view}")))


def _comparable(row: tuple[Any, ...]) -> list[str]:
    # MariaDB has no booleans.
    plain = (int(value) if isinstance(value, bool) else value for value in row)
    return [f"{value:.8f}" if hasattr(value, "quantize") else str(value) for value in plain]
