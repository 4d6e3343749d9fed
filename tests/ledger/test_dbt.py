from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")
duckdb = pytest.importorskip("duckdb")

from airflow_provider_rma.ledger import contract, dbt  # noqa: E402
from airflow_provider_rma.ledger.destinations.open import open_destination  # noqa: E402
from airflow_provider_rma.ledger.destinations.views import load as views  # noqa: E402
from tests.support.ledger.books_for_views import fill_year_end  # noqa: E402
from tests.support.ledger.duckdb_file import connect_duckdb  # noqa: E402
from tests.support.ledger.warehouses import duckdb_warehouse  # noqa: E402
from tests.support.reference import ROOT  # noqa: E402

EXAMPLE = ROOT / "docs" / "dbt"


def _source(text: str) -> dict[str, Any]:
    document = yaml.safe_load(text)
    assert document["version"] == 2
    (source,) = document["sources"]
    return dict(source)


def _tables(**options: Any) -> dict[str, dict[str, Any]]:
    return {table["name"]: table for table in _source(dbt.sources_yml(**options))["tables"]}


def test_the_example_is_what_the_contract_says_now() -> None:
    hint = "run: rma ledger dbt-sources > docs/dbt/models/sources.yml"
    assert (EXAMPLE / "models" / "sources.yml").read_text(encoding="utf-8") == dbt.sources_yml(), hint


def test_every_table_column_and_view_is_described() -> None:
    listed = _tables()
    assert list(listed) == [*contract.TABLES, *views.VIEWS]
    for table in contract.TABLES.values():
        assert listed[table.name]["description"] == table.grain
        columns = listed[table.name]["columns"]
        found = {column["name"]: column["description"] for column in columns}
        assert found == {column.name: column.note for column in table.columns}
        required = [column["name"] for column in columns if "not_null" in column.get("data_tests", [])]
        assert required == [column.name for column in table.columns if not column.nullable]
    assert {name: listed[name]["description"] for name in views.VIEWS} == views.NOTES


def test_the_shape_is_that_of_dbt() -> None:
    known = {"name", "identifier", "description", "config", "data_tests", "columns"}
    source = _source(dbt.sources_yml(database="warehouse", schema="main", source="books", dbt_utils=True))
    assert set(source) == {"name", "description", "database", "schema", "tables"}
    assert (source["name"], source["database"], source["schema"]) == ("books", "warehouse", "main")
    for table in source["tables"]:
        assert set(table) <= known
        for column in table.get("columns", []):
            assert set(column) <= {"name", "description", "data_tests"}
            for test in column.get("data_tests", []):
                assert test in ("not_null", "unique") or set(test) == {"accepted_values"}
                assert isinstance(test, str) or set(test["accepted_values"]) <= {"arguments", "config"}


def test_freshness_is_that_of_what_was_loaded() -> None:
    listed = _tables(warn_after_hours=5, error_after_hours=9)
    assert [name for name, table in listed.items() if "config" in table] == ["loads"]
    assert listed["loads"]["config"] == {
        "loaded_at_field": "finished_at",
        "freshness": {
            "warn_after": {"count": 5, "period": "hour"},
            "error_after": {"count": 9, "period": "hour"},
            "filter": "loaded",
        },
    }


def test_names_may_have_a_prefix() -> None:
    assert "identifier" not in _tables()["postings"]
    assert {name: table["identifier"] for name, table in _tables(table_prefix="rma_").items()} == {
        name: f"rma_{name}" for name in (*contract.TABLES, *views.VIEWS)
    }


def test_combined_keys_need_dbt_utils_and_are_left_out_without() -> None:
    assert "dbt_utils" not in dbt.sources_yml()
    for name, key in dbt.KEYS.items():
        (test,) = _tables(dbt_utils=True)[name]["data_tests"]
        assert test == {"dbt_utils.unique_combination_of_columns": {"arguments": {"combination_of_columns": list(key)}}}


def _checks(tables_: dict[str, dict[str, Any]]) -> list[str]:
    """The queries that dbt makes of the tests: rows that fail."""
    found = []
    for name, table in tables_.items():
        for test in table.get("data_tests", []):
            key = ", ".join(test["dbt_utils.unique_combination_of_columns"]["arguments"]["combination_of_columns"])
            found.append(f"SELECT {key} FROM {name} GROUP BY {key} HAVING count(*) > 1")
        for column in table.get("columns", []):
            tests = column.get("data_tests", [])
            found += [f"SELECT * FROM {name} WHERE {_failing(column['name'], test, name)}" for test in tests]
    return found


def _failing(column: str, test: Any, table: str) -> str:
    if test == "not_null":
        return f"{column} IS NULL"
    if test == "unique":
        return f"{column} IN (SELECT {column} FROM {table} GROUP BY {column} HAVING count(*) > 1)"
    values = ", ".join(f"'{value}'" for value in test["accepted_values"]["arguments"]["values"])
    return f"{column} NOT IN ({values})"


def test_a_filled_warehouse_passes_every_test(tmp_path: Path) -> None:
    warehouse = duckdb_warehouse(tmp_path / "ledger.duckdb")
    fill_year_end(warehouse)
    checks = _checks(_tables(dbt_utils=True))
    assert len(checks) > 30
    for check in checks:
        assert warehouse.query(check) == [], check


def test_the_models_of_the_example_run(tmp_path: Path) -> None:
    warehouse = duckdb_warehouse(tmp_path / "ledger.duckdb")
    fill_year_end(warehouse)
    for model in sorted((EXAMPLE / "models").glob("*.sql")):
        sql = re.sub(r"\{\{ source\('rma', '(\w+)'\) \}\}", r"\1", model.read_text(encoding="utf-8"))
        assert "{{" not in sql
        assert warehouse.query(sql), model.name


def test_an_empty_warehouse_has_all_that_is_listed(tmp_path: Path) -> None:
    with open_destination(f"duckdb:///{tmp_path / 'ledger.duckdb'}"):
        pass
    with connect_duckdb(str(tmp_path / "ledger.duckdb")) as connection:
        for name, table in _tables().items():
            columns = ", ".join(column["name"] for column in table.get("columns", [])) or "*"
            assert connection.execute(f"SELECT {columns} FROM {name}").fetchall() == []
