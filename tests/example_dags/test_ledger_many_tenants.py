"""The example DAG through real Airflow: three tenants, each with a service of its own, in one DuckDB file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger.company import Company
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.reference import ROOT
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

TENANTS = ["musterfirma", "beispiel", "probe"]


@pytest.fixture
def companies(tmp_path: Path) -> Iterator[dict[str, Company]]:
    """Companies with other amounts each."""
    with ExitStack() as running:
        found = {}
        for number, tenant in enumerate(TENANTS, 1):
            process = SimulatorProcess(tmp_path / f"{tenant}.db", tenant=tenant, token=f"pat_{tenant}")
            found[tenant] = Company(running.enter_context(process))
            found[tenant].voucher("GL-1", "2026-01-31", "1020", "2800", str(100 * number))
        yield found


@pytest.fixture
def connect(companies: dict[str, Company], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``connect(tenant=token)`` makes a connection for each tenant, those that are named with another token."""

    def make(**tokens: str) -> None:
        for tenant, company in companies.items():
            connection = {
                "conn_type": "rma",
                "host": company.simulator.url,
                "schema": tenant,
                "password": tokens.get(tenant, company.simulator.token),
            }
            monkeypatch.setenv(f"AIRFLOW_CONN_RMA_{tenant.upper()}", json.dumps(connection))

    return make


def load() -> Any:
    from tests.support.airflow_versions import DagBag

    bag = DagBag(dag_folder=ROOT / "example_dags" / "ledger_many_tenants.py")
    assert bag.import_errors == {}
    return bag.dags["ledger_many_tenants"]


def test_a_tenant_that_fails_does_not_stop_the_others(
    connect: Callable[..., None], run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    warehouse = f"{tmp_path}/w.duckdb"
    conf = {"destination": f"duckdb:///{warehouse}", "from": "2026-01-01", "to": "2026-01-31"}

    def loaded() -> list[tuple[str, int]]:
        with connect_duckdb(warehouse, read_only=True) as opened:
            query = "SELECT tenant, sum(debit) FROM postings_proven WHERE accno = '1020' GROUP BY 1 ORDER BY 1"
            return opened.sql(query).fetchall()

    connect(beispiel="pat_example")
    run = run_dag(load(), run_conf=conf)
    states = {ti.rendered_map_index: ti.state for ti in run.get_task_instances()}
    assert (run.state, states["rma_musterfirma"], states["rma_probe"]) == ("failed", "success", "success")
    assert sorted(map(str, states.values())) == ["failed", "success", "success"]
    assert loaded() == [("musterfirma", 100), ("probe", 300)]
    connect()
    run = run_dag(load(), run_conf=conf)
    assert run.state == "success"
    assert loaded() == [("beispiel", 200), ("musterfirma", 100), ("probe", 300)]
    results = [ti.xcom_pull(task_ids="ledger", map_indexes=ti.map_index) for ti in run.get_task_instances()]
    assert sorted((one["tenant"], one["changed"]) for one in results) == [
        ("beispiel", ["2026-01"]), ("musterfirma", []), ("probe", []),
    ]  # fmt: skip


def test_it_is_gentle_with_the_service() -> None:
    dag = load()
    (task,) = dag.tasks
    assert task.partial_kwargs["max_active_tis_per_dag"] == 2
    assert dag.max_active_runs == 1
    assert dag.timetable.serialize()["timezone"] == "Europe/Zurich"
