"""A later version of the contract finds the tables of an earlier one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger.destinations.parquet import manifest
from airflow_provider_rma.ledger.destinations.views import load as views
from tests.support.ledger.warehouses import Warehouse, parquet_warehouse
from tests.support.ledger.window_fixtures import AUGUST, JULY, TENANT, change, load_window, posting, raw


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """From the call on, the contract is one version later and has a column more."""

    def happen() -> None:
        new = contract.Column("project", "text", "New.", nullable=False)
        postings = contract.TABLES["postings"]
        monkeypatch.setitem(contract.TABLES, "postings", replace(postings, columns=(*postings.columns, new)))
        *columns, valid_from, valid_to, by = contract.HISTORY.columns
        wider = (*columns, replace(new, nullable=True), valid_from, valid_to, by)
        monkeypatch.setattr(contract, "HISTORY", replace(contract.HISTORY, columns=wider))
        monkeypatch.setattr(contract, "CONTRACT_VERSION", contract.CONTRACT_VERSION + 1)
        arrow_schemas.schema.cache_clear()

    yield happen
    monkeypatch.undo()
    arrow_schemas.schema.cache_clear()


@pytest.mark.parametrize("history", [False, True])
def test_a_column_of_a_later_contract_is_added(database: Warehouse, later: Any, history: bool) -> None:
    before = {"history": history} if history else {}
    with database.open(**before) as destination:
        load_window(destination, [posting("1000", 1)])
        load_window(destination, [posting("1000", 9)], window=JULY)
    later()
    with database.open(**before) as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
        load_window(destination, [posting("1000", 2, project="P-7")], tenant="other")
        if history:
            load_window(destination, [posting("2000", 1, project="P-8")], load="L2", window=JULY)
            load_window(destination, [], load="L3", window=JULY)
    found = database.query("SELECT tenant, project FROM postings ORDER BY 1")
    assert [row for row in found if row != (TENANT, None)] == [("other", "P-7")]
    if history:
        superseded = database.query("SELECT accno, project FROM postings_history ORDER BY 1")
        assert superseded == [("1000", None), ("2000", "P-8")]
    assert database.query("SELECT version FROM contract") == [(contract.CONTRACT_VERSION,)]
    if database.has_views:
        assert ("other", "P-7") in database.query("SELECT tenant, project FROM postings_proven")


def test_a_warehouse_of_the_first_contract_gets_the_table_of_changes(warehouse: Warehouse) -> None:
    """Made without the table and its view, as version 1 did; then loaded by this version."""
    with pytest.MonkeyPatch.context() as first:
        first.delitem(contract.TABLES, "changes")
        first.delitem(views.VIEWS, "voucher_changes")
        first.setattr(contract, "CONTRACT_VERSION", 1)
        first.setattr(manifest, "CONTRACT_VERSION", 1)
        with warehouse.open() as destination:
            load_window(destination, [posting("1000", 1)])
            load_window(destination, [posting("1000", 9)], window=JULY)
    with warehouse.open() as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
        assert destination.read_table("changes", TENANT, AUGUST).num_rows == 0
        load_window(destination, [posting("1000", 2)], load="L2", changes=[change(7)])
    assert warehouse.read("changes") == [change(7)]
    assert warehouse.read("postings", window=JULY)[0]["amount"] == raw(9)
    assert warehouse.query("SELECT voucher_key FROM voucher_changes") == [("acme:gl:7",)]


def test_parquet_files_of_an_older_contract_are_read_beside_newer_ones(tmp_path: Path, later: Any) -> None:
    warehouse = parquet_warehouse(fsspec.filesystem("file"), str(tmp_path), "parquet")
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    later()
    with warehouse.open() as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
        load_window(destination, [posting("1000", 2, project="P-7")], tenant="other")
    assert [row["project"] for row in warehouse.read("postings")] == [None]
    assert warehouse.query("SELECT tenant, project FROM postings ORDER BY 1") == [(TENANT, None), ("other", "P-7")]


def test_a_newer_contract_is_refused(database: Warehouse) -> None:
    with database.open():
        pass
    database.query("UPDATE contract SET version = version + 1")
    with pytest.raises(ConfigurationError, match="newer version of this provider") as caught:
        database.open().__enter__()
    assert "Upgrade" in caught.value.advice


def test_columns_of_the_user_are_left_alone(database: Warehouse) -> None:
    with database.open() as destination:
        load_window(destination, [posting("1000", 1)])
        database.query("ALTER TABLE postings ADD COLUMN my_note VARCHAR(20)")
        load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
    assert database.query("SELECT my_note FROM postings") == [(None,), (None,)]
