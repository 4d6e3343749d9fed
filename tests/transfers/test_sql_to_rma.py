from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.sql import query

pytestmark = pytest.mark.airflow


@pytest.fixture
def erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = sqlite3.connect(tmp_path / "erp.db")
    database.execute("CREATE TABLE numbers (n INTEGER)")
    database.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(2_500)])
    database.commit()
    database.close()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "erp.db")}
    monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps(connection))


def test_rows_come_by_cursor_with_their_column_names(erp: None) -> None:
    rows = query("erp", "SELECT n AS invnumber FROM numbers ORDER BY n", None)
    assert next(rows) == {"invnumber": 0}
    assert sum(1 for _ in rows) == 2_499


def test_parameters_are_bound(erp: None) -> None:
    assert list(query("erp", "SELECT n FROM numbers WHERE n BETWEEN :a AND :b", {"a": 3, "b": 4})) == [
        {"n": 3},
        {"n": 4},
    ]


def test_columns_named_twice_are_refused(erp: None) -> None:
    with pytest.raises(ConfigurationError, match=r"columns named twice: n\. Name each column once"):
        list(query("erp", "SELECT n, n FROM numbers", None))


def test_a_statement_without_rows_is_refused(erp: None) -> None:
    with pytest.raises(ConfigurationError, match="returns no rows"):
        list(query("erp", "CREATE TABLE t (n)", None))


def test_a_connection_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NOT_SQL", json.dumps({"conn_type": "rma", "schema": "demo", "password": "x"}))
    with pytest.raises(ConfigurationError, match="'not_sql' is no connection of a database"):
        list(query("not_sql", "SELECT 1", None))
