"""The ledger operator in a real DAG run, against the simulator, into every kind of destination."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pendulum
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from airflow_provider_rma.operators.ledger import RunMyAccountsExtractLedgerOperator
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

PERIOD: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-02-28"}


@pytest.fixture(scope="module")
def booked(simulator: SimulatorProcess) -> dict[str, int]:
    """Two vouchers in two months; gives their ids by reference."""
    return {
        reference: simulator.control(
            "POST",
            "/gl",
            {
                "reference": reference,
                "transdate": day,
                "lines": [{"accno": "1020", "debit": "500"}, {"accno": "2800", "credit": "500"}],
            },
        )["id"]
        for reference, day in (("GL-1", "2026-01-31"), ("GL-2", "2026-02-01"))
    }


@pytest.fixture
def books(rma: SimulatorProcess, booked: dict[str, int], connect: Callable[..., None]) -> SimulatorProcess:
    """The simulator with these vouchers, over a connection that may not write."""
    connect(extra={"allow_writes": False})
    return rma


def dag(name: str, **params: Any) -> DAG:
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 3, 1, tz="Europe/Zurich"), params=params)


def result_of(run: Any, task_id: str = "ledger") -> dict[str, Any]:
    (instance,) = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    value = instance.xcom_pull(task_ids=task_id)
    return dict(value) if value else {}


def test_the_ledger_lands_in_duckdb_and_the_result_is_small(
    books: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    with dag("ledger_duckdb", first="2026-01-01", last=None, file=str(tmp_path / "warehouse.duckdb")) as one:
        RunMyAccountsExtractLedgerOperator(
            task_id="ledger",
            destination="duckdb:///{{ params.file }}",
            from_date="{{ params.first }}",
            to_date="{{ params.last or '2026-02-28' }}",
            output_path=(tmp_path / "pages").as_uri(),
        )
    run = run_dag(one)
    assert run.state == "success"
    result = result_of(run)
    assert (result["rows"], result["windows"], result["verdict"]) == (4, 2, "exact")
    assert result["changed"] == ["2026-01", "2026-02"]
    assert result["location"].endswith("warehouse.duckdb")
    assert len(json.dumps(result)) < 1500
    page = Path(result["page_path"].removeprefix("file://")).read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "2026-01" in page
    with connect_duckdb(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
        assert warehouse.sql("SELECT sum(debit) FROM postings WHERE accno = '1020'").fetchall() == [(1000,)]
        (loaded_by,) = warehouse.sql("SELECT DISTINCT run FROM loads").fetchall()
    assert loaded_by == (f"ledger_duckdb/{run.run_id}/ledger/try1",)


@pytest.mark.parametrize("scheme", ["file", "parquet"])
def test_the_ledger_lands_in_parquet_files(
    books: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path, scheme: str
) -> None:
    folder = tmp_path / "ledger"
    address = folder.as_uri() if scheme == "file" else f"parquet:///{folder}"
    with dag(f"ledger_{scheme}") as one:
        RunMyAccountsExtractLedgerOperator(task_id="ledger", destination=address, **PERIOD)
    run = run_dag(one)
    assert run.state == "success"
    assert result_of(run)["verdict"] == "exact"
    files = [path for path in folder.rglob("*.parquet") if "postings" in str(path)]
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in files) == 4


def test_without_a_period_the_last_ninety_days_are_read(
    books: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    today = pendulum.now("Europe/Zurich")
    with dag("ledger_default") as one:
        RunMyAccountsExtractLedgerOperator(task_id="ledger", destination=f"{tmp_path}/w.duckdb")
    result = result_of(run_dag(one))
    assert result["from_date"] == today.subtract(days=90).start_of("month").to_date_string()
    assert result["to_date"] == today.end_of("month").to_date_string()


def test_a_month_that_is_not_proven_fails_the_task_without_a_retry(
    books: SimulatorProcess,
    booked: dict[str, int],
    run_dag: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with dag("ledger_unproven") as one:
        RunMyAccountsExtractLedgerOperator(
            task_id="ledger", destination=f"duckdb:///{tmp_path}/w.duckdb", retries=3, **PERIOD
        )
    books.control("POST", f"/documents/{booked['GL-2']}/unbalance", {"amount": "5"})
    try:
        with caplog.at_level(logging.INFO):
            run = run_dag(one)
    finally:
        books.control("POST", f"/documents/{booked['GL-2']}/unbalance", {"amount": "-5"})
    assert run.state == "failed"
    (instance,) = run.get_task_instances()
    assert (instance.state, instance.try_number) == ("failed", 1)
    text = caplog.text + capsys.readouterr().out
    assert "1 of 2 months could not be proven and keep their old state: 2026-02 (broken)" in text
    assert "reference GL-2" in text
    assert re.search(r"The page of the run says what to do; .* Page: file://\S+/ledger\.html", text)
    with connect_duckdb(f"{tmp_path}/w.duckdb", read_only=True) as warehouse:
        assert warehouse.sql("SELECT month::VARCHAR, loaded FROM loads ORDER BY month").fetchall() == [
            ("2026-01-01", True),
            ("2026-02-01", False),
        ]


def test_books_that_move_are_left_to_a_retry(
    books: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path, connect: Callable[..., None]
) -> None:
    bookings = count(1)

    def book(_: Reply) -> None:
        if (number := next(bookings)) <= 3:
            lines = [{"accno": "6500", "debit": "1"}, {"accno": "1020", "credit": "1"}]
            books.control("POST", "/gl", {"reference": f"M-{number}", "transdate": "2026-05-05", "lines": lines})

    with TamperingProxy(books.url) as proxy:
        proxy.change("transactions", book)
        connect(host=proxy.url)
        with dag("ledger_moving") as one:
            RunMyAccountsExtractLedgerOperator(
                task_id="ledger",
                destination=f"duckdb:///{tmp_path}/w.duckdb",
                from_date="2026-05-01",
                to_date="2026-05-31",
                retries=1,
                retry_delay=timedelta(0),
            )
        run = run_dag(one)
    assert run.state == "success"
    (instance,) = run.get_task_instances()
    assert instance.try_number == 2
    assert result_of(run)["verdict"] == "exact"
    with connect_duckdb(f"{tmp_path}/w.duckdb", read_only=True) as warehouse:
        loads = warehouse.sql("SELECT verdict, loaded, attempts FROM loads ORDER BY started_at").fetchall()
    assert loads == [("unsettled", False, 3), ("exact", True, 1)]


def test_keep_tolerance_and_kinds_reach_the_extract(
    books: SimulatorProcess, booked: dict[str, int], run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    with dag("ledger_options") as one:
        for task_id, options in (
            ("kept", {"on_unproven": "keep", "content_type": "json"}),
            ("tolerated", {"tolerance": "5", "account_kinds": {"28xx": "closing"}}),
        ):
            RunMyAccountsExtractLedgerOperator(
                task_id=task_id, destination=f"duckdb:///{tmp_path}/{task_id}.duckdb", **PERIOD, **options
            )
    books.control("POST", f"/documents/{booked['GL-2']}/unbalance", {"amount": "5"})
    try:
        run = run_dag(one)
    finally:
        books.control("POST", f"/documents/{booked['GL-2']}/unbalance", {"amount": "-5"})
    assert run.state == "success"
    assert result_of(run, "kept")["unproven"] == {"2026-02": "broken"}
    assert result_of(run, "tolerated")["verdict"] == "tolerated"
    with connect_duckdb(f"{tmp_path}/tolerated.duckdb", read_only=True) as warehouse:
        kinds = warehouse.sql("SELECT kind, kind_source FROM accounts WHERE accno = '2800'").fetchall()
    assert kinds == [("closing", "mapping")]


def test_months_are_skipped_only_if_asked_for(
    books: SimulatorProcess, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    results = []
    for number, options in enumerate(({}, {}, {"skip_unchanged": True})):
        with dag(f"ledger_skipping_{number}") as one:
            RunMyAccountsExtractLedgerOperator(
                task_id="ledger", destination=f"{tmp_path}/w.duckdb", **PERIOD, **options
            )
        results.append(result_of(run_dag(one)))
    assert [one["verdict"] for one in results] == ["exact", "exact", "balances_only"]
    assert results[2]["skipped"] == ["2026-01", "2026-02"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"destination": "warehouse"}, "destination is not understood"),
        ({"from_date": "{{ 'tomorrow' }}"}, "from_date must be a calendar day"),
        ({"resume_since": "{{ 'lately' }}"}, "resume_since must be a day or a time"),
        ({"stop_at": "{{ '25:00' }}"}, "stop_at must be a time of day in Zurich"),
        ({"rma_conn_id": "rma_missing"}, "rma_missing"),
    ],
)
def test_wrong_arguments_fail_at_once_with_a_remedy(
    books: SimulatorProcess,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    options: dict[str, Any],
    message: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = {"destination": f"{tmp_path}/w.duckdb"} | PERIOD | options
    with dag("ledger_wrong") as one:
        RunMyAccountsExtractLedgerOperator(task_id="ledger", **arguments)
    with caplog.at_level(logging.ERROR):
        assert run_dag(one).state == "failed"
    assert message in caplog.text + capsys.readouterr().out
    assert books.control("GET", "/requests")["received"] == {}


def test_every_connection_and_day_is_a_template() -> None:
    assert set(RunMyAccountsExtractLedgerOperator.template_fields) == {
        "rma_conn_id", "destination", "destination_conn_id", "from_date", "to_date", "resume_since", "stop_at",
        "output_path",
    }  # fmt: skip
