"""Billing tasks of a real Airflow that are killed, ended, timed out and cleared."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_provider_rma.operators.billing import RunMyAccountsCreateInvoicesOperator
from tests.support.simulator import SimulatorProcess
from tests.support.system.records import invoices

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DEADLINE, SETTLE = 3.0, 1.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(airflow_db: None, rma: SimulatorProcess, storage: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a process that runs the DAG of a test with records."""
    started: list[subprocess.Popen[str]] = []

    def start_one(dag_id: str, records: list[dict[str, Any]], **options: Any) -> subprocess.Popen[str]:
        source = tmp_path / f"{dag_id}.ndjson"
        source.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        given = json.dumps({"dag_id": dag_id, "source": source.as_uri()} | options)
        command = [sys.executable, "-m", "tests.support.system.airflow_process", given]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def posts(service: SimulatorProcess) -> int:
    received = service.control("GET", "/requests")["received"]
    return int(sum(number for name, number in received.items() if name.startswith("POST") and "invoices" in name))


def wait_for_posts(service: SimulatorProcess, number: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 180
    while posts(service) < number:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)


def newest(storage: Path) -> dict[str, dict[str, Any]]:
    """Rows of the newest outcome file, by number."""
    path = max(storage.rglob("outcomes.ndjson"), key=lambda one: one.stat().st_mtime_ns)
    return {row["number"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def test_a_task_killed_with_a_post_in_flight_is_run_again(start: Start, rma: SimulatorProcess, storage: Path) -> None:
    records = invoices("TASK", 5)
    rule = {"class": "create_invoice", "fault": "slow_commit", "skip": 2, "count": 1, "seconds": 60}
    rma.control("POST", "/chaos", rule)
    first = start("killed", records)
    wait_for_posts(rma, 3, first)
    first.kill()
    first.wait(10)
    rma.control("DELETE", "/chaos")
    # Its outcome file has grown as far as it had come.
    assert {number: row["outcome"] for number, row in newest(storage).items()} == {
        record["invnumber"]: "created" for record in records[:2]
    }
    for _ in range(3):
        said, _ = start("killed", records).communicate(timeout=300)
        if "state success" in said:
            break
        time.sleep(SETTLE)
    assert {row["outcome"] for row in newest(storage).values()} <= {"created", "unchanged"}, said
    assert [len(rma.documents(record["invnumber"])) for record in records] == [1] * 5
    assert posts(rma) == 5


@pytest.mark.parametrize("how", ["SIGTERM", "execution_timeout"])
def test_a_task_that_must_end_finishes_what_is_in_flight(
    start: Start, connect: Callable[..., None], rma: SimulatorProcess, storage: Path, how: str
) -> None:
    connect(extra={"max_in_flight": 4})
    records = invoices("TASK", 80)
    rma.control("POST", "/chaos", {"class": "create_invoice", "fault": "slow_commit", "seconds": 0.6})
    if how == "SIGTERM":
        process = start("sigterm", records)
        wait_for_posts(rma, 5, process)
        process.send_signal(signal.SIGTERM)
    else:
        process = start("timeout", records, execution_timeout=8)
    said, _ = process.communicate(timeout=300)
    assert "state failed" in said
    rows = newest(storage)
    assert len(rows) == 80
    outcomes = [row["outcome"] for row in rows.values()]
    assert set(outcomes) == {"created", "held"}, said
    assert 1 < outcomes.count("created") < 80
    assert outcomes.count("created") == posts(rma)
    booked = [number for number, row in rows.items() if row["outcome"] == "created"]
    assert [len(rma.documents(number)) for number in booked] == [1] * len(booked)


def test_the_night_of_the_hang(
    connect: Callable[..., None], rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    """The service stops answering, the task is cleared twice, and then the service books what it had received."""
    connect(extra={"total_deadline": DEADLINE, "read_timeout": DEADLINE})
    (record,) = invoices("TASK", 1)
    rma.control("POST", "/chaos", {"class": "create_invoice", "fault": "slow_commit", "count": 1, "seconds": 600})
    with DAG("hang", schedule=None, start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Zurich")) as dag:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=[record], settle_time=600.0)
    day = pendulum.datetime(2026, 11, 2, tz="Europe/Zurich")
    seen = []
    for _ in range(3):
        assert run_dag(dag, logical_date=day).state == "failed"
        seen.append(newest(storage)[record["invnumber"]]["outcome"])
        assert rma.documents(record["invnumber"]) == []
    assert seen == ["unknown"] * 3
    # Now it books.
    rma.control("DELETE", "/chaos")
    end = time.monotonic() + 180
    while not rma.documents(record["invnumber"]):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert run_dag(dag, logical_date=day).state == "success"
    assert newest(storage)[record["invnumber"]]["outcome"] == "unchanged"
    assert len(rma.documents(record["invnumber"])) == 1
    assert posts(rma) == 1
