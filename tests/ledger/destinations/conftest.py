from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import fsspec
import pytest

pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

from airflow_provider_rma.ledger.destinations import open_destination  # noqa: E402
from airflow_provider_rma.ledger.destinations.parquet import ParquetDestination, read_window  # noqa: E402
from airflow_provider_rma.ledger.windows import Window  # noqa: E402
from tests.ledger.destinations.rows import AUGUST, TENANT, Warehouse  # noqa: E402


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row.get("accno") or "", row.get("entry_id") or 0, row["load_id"]))


def duckdb_warehouse(path: Path) -> Warehouse:
    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> list[dict[str, Any]]:
        with duckdb.connect(str(path), read_only=True) as connection:
            relation = connection.sql(
                f"SELECT * FROM {table} WHERE tenant = ? AND month = ?", params=[tenant, window.start]
            )
            return _sorted(relation.to_arrow_table().to_pylist())

    return Warehouse("duckdb", lambda: open_destination(f"duckdb:///{path}"), read)


def parquet_warehouse(fs: Any, root: str, name: str) -> Warehouse:
    def read(table: str, tenant: str = TENANT, window: Window = AUGUST) -> list[dict[str, Any]]:
        return _sorted(read_window(fs, root, tenant, window, table).to_pylist())

    return Warehouse(name, lambda: ParquetDestination(fs, root), read)


@pytest.fixture(params=["duckdb", "parquet-local", "parquet-objects"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Every kind of warehouse; the file system in memory stands for an object store."""
    if request.param == "duckdb":
        return duckdb_warehouse(tmp_path / "new" / "ledger.duckdb")
    if request.param == "parquet-local":
        return parquet_warehouse(fsspec.filesystem("file"), str(tmp_path / "new" / "ledger"), request.param)
    return parquet_warehouse(fsspec.filesystem("memory"), f"/bucket-{uuid.uuid4().hex}/ledger", request.param)
