"""The example DAG through real Airflow, against the simulator over HTTP: a history, loaded over several nights."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_rma.ledger import extract
from tests.support.ledger.company import Company, start, warehouse_rows
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.tampering_proxy import TamperingProxy
from tests.support.reference import ROOT

pytestmark = pytest.mark.airflow

MONTHS = [f"2025-{month:02d}" for month in range(1, 6)]
PROBES = 3


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with start(tmp_path) as simulator:
        company = Company(simulator)
        for number, month in enumerate(MONTHS):
            company.voucher(f"GL-{number}", f"{month}-15", "1020", "2800", str(100 + number))
        yield company


@pytest.fixture
def proxy(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[TamperingProxy]:
    with TamperingProxy(company.simulator.url) as proxy:
        connection = {"conn_type": "rma", "host": proxy.url, "schema": "demo", "password": company.simulator.token}
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(connection))
        yield proxy


def load() -> Any:
    from tests.support.airflow_versions import DagBag

    bag = DagBag(dag_folder=ROOT / "example_dags" / "ledger_backfill.py")
    assert bag.import_errors == {}
    return bag.dags["ledger_backfill"]


def readings(proxy: TamperingProxy) -> Counter[str]:
    """How often the postings of each month were asked for."""
    return Counter(target.partition("from_date=")[2][:7] for target in proxy.targets if "/charts/x/" in target)


def morning_after(proxy: TamperingProxy, months: int) -> Callable[[], datetime]:
    """A clock on which the night is over when so many months were read."""
    return lambda: pendulum.now("UTC").add(days=int(readings(proxy).total() >= months))


def test_a_history_is_loaded_over_several_nights_and_no_month_twice(
    company: Company,
    proxy: TamperingProxy,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warehouse = f"{tmp_path}/w.duckdb"
    conf = {"destination": f"duckdb:///{warehouse}", "from": "2025-01-01", "to": "2025-05-31"}

    def night() -> tuple[dict[str, Any], dict[str, Any]]:
        run = run_dag(load(), run_conf=conf)
        assert run.state == "success"
        results = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in run.get_task_instances()}
        return results["estimate"], results["backfill"]

    with monkeypatch.context() as patched:
        patched.setattr(extract, "now_utc", morning_after(proxy, PROBES + 2))
        estimate, first = night()
    assert (estimate["months"], [probe["month"] for probe in estimate["probes"]]) == (
        5, ["2025-01", "2025-03", "2025-05"],
    )  # fmt: skip
    assert (first["changed"], first["stopped"], first["remaining"]) == (MONTHS[:2], True, MONTHS[2:])
    estimate, second = night()
    assert (estimate["months"], estimate["done"]) == (3, 2)
    assert (second["done"], second["changed"], second["stopped"]) == (MONTHS[:2], MONTHS[2:], False)
    # Each month was read once, and what the two estimates have probed once more.
    once_more = ["2025-01", "2025-03", "2025-05", *MONTHS[2:]]
    assert readings(proxy) == Counter([*MONTHS, *once_more])
    with connect_duckdb(warehouse, read_only=True) as opened:
        loads = opened.sql("SELECT strftime(month, '%Y-%m'), verdict, loaded FROM loads ORDER BY 1").fetchall()
        found = opened.sql("SELECT * FROM postings_proven")
        postings = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    assert loads == [(month, "exact", True) for month in MONTHS]
    assert warehouse_rows(postings) == company.rows(date(2025, 1, 1), date(2025, 5, 31))
    assert len(postings) == 10
    before = len(proxy.targets)
    estimate, third = night()
    assert (estimate["months"], third["done"], third["calls"]) == (0, MONTHS, 0)
    assert len(proxy.targets) == before, "when all is loaded, the service is left alone"


def test_it_runs_at_night_in_zurich_one_run_at_a_time() -> None:
    dag = load()
    timetable = dag.timetable.serialize()
    assert (timetable["expression"], timetable["timezone"]) == ("0 22 * * *", "Europe/Zurich")
    assert (dag.max_active_runs, dag.params["stop_at"]) == (1, "06:00")
