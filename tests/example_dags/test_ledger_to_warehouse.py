"""The example DAG through real Airflow, against the simulator over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.reference import ROOT
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow


@pytest.fixture
def rma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "books.db") as process:
        connection = {"conn_type": "rma", "host": process.url, "schema": "demo", "password": process.token}
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(connection))
        yield process


def load() -> Any:
    from tests.support.airflow_versions import DagBag

    bag = DagBag(dag_folder=ROOT / "example_dags" / "ledger_to_warehouse.py")
    assert bag.import_errors == {}
    return bag.dags["ledger_to_warehouse"]


def test_the_warehouse_is_filled_and_a_second_run_changes_nothing(
    rma: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    rma.control(
        "POST",
        "/gl",
        {
            "reference": "GL-1",
            "transdate": "2026-01-31",
            "lines": [{"accno": "1020", "debit": "500"}, {"accno": "2800", "credit": "500"}],
        },
    )
    conf = {"destination": f"duckdb:///{tmp_path}/w.duckdb", "from": "2026-01-15", "to": "2026-02-02"}
    results = []
    for _ in range(2):
        run = run_dag(load(), run_conf=conf)
        assert run.state == "success"
        (instance,) = run.get_task_instances()
        results.append(instance.xcom_pull(task_ids="ledger"))
    first, second = results
    assert (first["rows"], first["windows"], first["verdict"]) == (2, 2, "exact")
    assert (first["changed"], second["changed"], second["unchanged"]) == (["2026-01", "2026-02"], [], 2)
    with connect_duckdb(f"{tmp_path}/w.duckdb", read_only=True) as warehouse:
        shown = warehouse.sql("SELECT accno, closing FROM trial_balance WHERE month = DATE '2026-02-01'").fetchall()
    assert sorted(shown) == [("1020", 500), ("2800", 500)]


def test_nothing_has_to_be_given(
    rma: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [{"accno": "1020", "debit": "500"}, {"accno": "2800", "credit": "500"}]
    rma.control("POST", "/gl", {"reference": "GL-9", "transdate": date.today().isoformat(), "lines": lines})
    run = run_dag(load())
    assert run.state == "success"
    assert (tmp_path / "ledger.duckdb").exists()


def test_it_runs_in_the_morning_of_zurich() -> None:
    dag = load()
    timetable = dag.timetable.serialize()
    assert (timetable["expression"], timetable["timezone"]) == ("0 5 * * *", "Europe/Zurich")
    assert dag.max_active_runs == 1
