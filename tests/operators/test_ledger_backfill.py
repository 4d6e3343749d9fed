"""What makes years of history loadable through Airflow: retries that go on, an hour to stop at, an estimate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_provider_rma.operators.ledger import (
    RunMyAccountsEstimateLedgerOperator,
    RunMyAccountsExtractLedgerOperator,
)
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

PERIOD: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-02-28"}
MONTHS = ["2026-01", "2026-02"]


def book(simulator: SimulatorProcess, day: str) -> None:
    lines = [{"accno": "1020", "debit": "500"}, {"accno": "2800", "credit": "500"}]
    simulator.control("POST", "/gl", {"reference": f"GL-{day}", "transdate": day, "lines": lines})


@pytest.fixture(scope="module")
def booked(simulator: SimulatorProcess) -> None:
    book(simulator, "2026-01-31")
    book(simulator, "2026-02-01")


@pytest.fixture
def proxy(rma: SimulatorProcess, booked: None, connect: Callable[..., None]) -> Iterator[TamperingProxy]:
    """A proxy in front of the books, over a connection that may not write."""
    with TamperingProxy(rma.url) as proxy:
        connect(host=proxy.url, extra={"allow_writes": False})
        yield proxy


def dag(name: str) -> DAG:
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 3, 1, tz="Europe/Zurich"))


def result_of(run: Any, task_id: str = "ledger") -> dict[str, Any]:
    (instance,) = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    return dict(instance.xcom_pull(task_ids=task_id) or {})


def readings(proxy: TamperingProxy) -> Counter[str]:
    """How often the postings of each month were asked for."""
    return Counter(target.partition("from_date=")[2][:7] for target in proxy.targets if "/charts/x/" in target)


def test_a_retry_goes_on_where_the_try_before_ended(
    proxy: TamperingProxy, rma: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    bookings = count(1)

    def move(_: Reply) -> None:
        if next(bookings) <= 3:
            book(rma, "2026-02-14")

    proxy.change("transactions.*from_date=2026-02", move)
    with dag("ledger_retried") as one:
        RunMyAccountsExtractLedgerOperator(
            task_id="ledger", destination=f"{tmp_path}/w.duckdb", retries=1, retry_delay=timedelta(0), **PERIOD
        )
    run = run_dag(one)
    assert run.state == "success"
    result = result_of(run)
    assert (result["done"], result["changed"], result["verdict"]) == (MONTHS[:1], MONTHS[1:], "exact")
    assert readings(proxy) == {"2026-01": 1, "2026-02": 3 + 1}
    # The next run is another one: it reads everything again.
    assert result_of(run_dag(one))["done"] == []


def test_a_task_that_is_cleared_while_its_run_goes_on_reads_everything_anew(
    proxy: TamperingProxy, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    """As it happens with many tenants: one is cleared while others are still read."""
    from airflow.models.taskinstance import TaskInstance, clear_task_instances  # noqa: TID251 - as the server clears
    from airflow.utils.session import create_session
    from sqlalchemy import select

    cleared: list[str] = []

    def clear(_: Reply) -> None:
        with create_session() as session:
            wanted = TaskInstance.dag_id == "ledger_cleared", TaskInstance.task_id == "ledger"
            found = list(session.scalars(select(TaskInstance).where(*wanted)))
            if not cleared:
                cleared.extend(ti.task_id for ti in found)
                clear_task_instances(found, session)

    proxy.change("from_date=2025-12", clear)
    with dag("ledger_cleared") as one:
        first = RunMyAccountsExtractLedgerOperator(task_id="ledger", destination=f"{tmp_path}/w.duckdb", **PERIOD)
        other = RunMyAccountsExtractLedgerOperator(
            task_id="other",
            destination=f"{tmp_path}/o.duckdb",
            from_date="2025-12-01",
            to_date="2025-12-31",
            on_unproven="keep",
        )
        first >> other
    run = run_dag(one)
    assert (run.state, cleared) == ("success", ["ledger"])
    (instance,) = [ti for ti in run.get_task_instances() if ti.task_id == "ledger"]
    assert instance.try_number == 2
    assert (result_of(run)["done"], result_of(run)["unchanged"]) == ([], 2)


def test_the_hour_to_stop_at_is_counted_from_the_start_of_the_run(
    proxy: TamperingProxy, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    with dag("ledger_late") as one:
        RunMyAccountsExtractLedgerOperator(
            task_id="ledger",
            destination=f"{tmp_path}/w.duckdb",
            stop_at="{{ '06:00' }}",
            resume_since="{{ dag_run.start_date }}",
            output_path=f"file://{tmp_path}/pages",
            **PERIOD,
        )
    run = run_dag(one, logical_date=pendulum.datetime(2026, 3, 2, 22, tz="Europe/Zurich"))
    assert run.state == "success"
    result = result_of(run)
    assert (result["stopped"], result["remaining"], result["verdict"]) == (True, MONTHS, None)
    assert "Stopped in time; not begun: 2 months" in Path(result["page_path"].removeprefix("file://")).read_text()
    assert proxy.targets == []
    run = run_dag(one)
    assert (result_of(run)["stopped"], result_of(run)["changed"]) == (False, MONTHS), "06:00 is yet to come"


def test_the_estimate_is_a_small_result_and_counts_what_is_left(
    proxy: TamperingProxy, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    warehouse = f"{tmp_path}/w.duckdb"
    ever = {"destination": warehouse, "resume_since": "1900-01-01"}
    with dag("ledger_estimated") as one:
        before = RunMyAccountsEstimateLedgerOperator(task_id="before", **PERIOD)
        ledger = RunMyAccountsExtractLedgerOperator(task_id="ledger", destination=warehouse, **PERIOD)
        after = RunMyAccountsEstimateLedgerOperator(task_id="after", **PERIOD, **ever)
        before >> ledger >> after
    run = run_dag(one)
    assert run.state == "success"
    estimated, loaded = result_of(run, "before"), result_of(run)
    assert len(json.dumps(estimated)) < 1500
    assert estimated["calls"]["expected"] == loaded["calls"] + 1
    assert estimated["postings"]["expected"] == loaded["rows"]
    assert (result_of(run, "after")["months"], result_of(run, "after")["done"]) == (0, 2)


def test_an_estimate_that_cannot_be_made_fails_at_once(
    proxy: TamperingProxy, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    with dag("ledger_not_estimated") as one:
        RunMyAccountsEstimateLedgerOperator(task_id="ledger", from_date="{{ 'soon' }}", retries=2)
    run = run_dag(one)
    assert (run.state, run.get_task_instances()[0].try_number, proxy.targets) == ("failed", 1, [])


def test_every_connection_and_day_of_the_estimate_is_a_template() -> None:
    assert set(RunMyAccountsEstimateLedgerOperator.template_fields) == {
        "rma_conn_id", "from_date", "to_date", "destination", "destination_conn_id", "resume_since",
    }  # fmt: skip
