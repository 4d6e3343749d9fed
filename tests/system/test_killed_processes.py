"""Real processes, killed with SIGKILL at every stage or billing the same at once, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.journal.tables import JOURNAL
from tests.support.simulator import SimulatorProcess
from tests.support.system.records import invoices

#: Longer than a busy machine needs to start a process; tests let it pass at once.
SETTLE = 300.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def service(simulator: SimulatorProcess) -> Iterator[SimulatorProcess]:
    simulator.control("DELETE", "/requests")
    yield simulator
    simulator.control("DELETE", "/chaos")


@pytest.fixture
def start(service: SimulatorProcess, journal_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a process that bills."""
    started: list[subprocess.Popen[str]] = []

    def start_one(records: list[dict[str, Any]], **options: Any) -> subprocess.Popen[str]:
        folder = tmp_path / f"attempt-{len(started) + 1}"
        given = {
            "url": service.url,
            "token": service.token,
            "journal": journal_url,
            "folder": str(folder),
            "records": records,
            "settle_time": SETTLE,
        }
        command = [sys.executable, "-m", "tests.support.system.billing_process", json.dumps(given | options)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def until(process: subprocess.Popen[str], line: str) -> None:
    """Read what a process says until a line."""
    assert process.stdout is not None
    said = []
    for text in process.stdout:
        said.append(text)
        if text.strip() == line:
            return
    raise AssertionError(f"it never said {line!r}:\n{''.join(said)}")


def posts(service: SimulatorProcess) -> int:
    received = service.control("GET", "/requests")["received"]
    return int(sum(number for name, number in received.items() if name.startswith("POST") and "invoices" in name))


def outcomes(tmp_path: Path, attempt: int) -> dict[str, str]:
    text = (tmp_path / f"attempt-{attempt}" / "outcomes.ndjson").read_text(encoding="utf-8")
    return {row["number"]: row["outcome"] for row in map(json.loads, text.splitlines())}


def pass_settle_time(journal_url: str) -> None:
    """Let the settle time of all documents pass."""
    engine = open_engine(journal_url)
    with engine.begin() as connection:
        connection.execute(sa.update(JOURNAL).values(settles_at=0.0))
    engine.dispose()


def finish(start: Start, journal_url: str, records: list[dict[str, Any]], tmp_path: Path) -> list[set[str]]:
    """Bill in further processes, as retries would, until nothing is left to do; gives the outcomes of each."""
    seen = []
    for attempt in range(2, 6):
        process = start(records)
        process.communicate(timeout=120)
        seen.append(set(outcomes(tmp_path, attempt).values()))
        if seen[-1] <= {"created", "unchanged"}:
            assert process.returncode == 0
            return seen
        pass_settle_time(journal_url)
    raise AssertionError(f"not finished: {seen}")


def judge(service: SimulatorProcess, journal_url: str, records: list[dict[str, Any]]) -> None:
    """Each invoice is in the books exactly once, and the journal knows it."""
    numbers = [record["invnumber"] for record in records]
    assert [len(service.documents(number)) for number in numbers] == [1] * len(numbers)
    journal = Journal(open_engine(journal_url), base_url=service.url, tenant="demo", kind="invoice", run="test")
    entries = journal.get(number.casefold() for number in numbers)
    assert {entry.state for entry in entries.values()} == {"created"}
    assert len(entries) == len(numbers)


@pytest.mark.parametrize(
    ("point", "doubt"),
    [
        ("before claim", False),
        ("after claim", True),
        ("after reply", False),
        ("before record", False),
        ("after record", False),
    ],
)
def test_a_worker_killed_at_the_second_document(
    start: Start, service: SimulatorProcess, journal_url: str, tmp_path: Path, point: str, doubt: bool
) -> None:
    records = invoices("KILL", 3)
    process = start(records, stop_at=point, nth=2)
    until(process, f"at {point}")
    process.kill()
    process.wait(10)
    seen = finish(start, journal_url, records, tmp_path)
    assert ("unknown" in seen[0]) is doubt
    judge(service, journal_url, records)
    assert posts(service) == 3


def test_a_worker_killed_before_it_wrote_its_outcomes(
    start: Start, service: SimulatorProcess, journal_url: str, tmp_path: Path
) -> None:
    records = invoices("KILL", 3)
    process = start(records, stop_at="before outcome")
    until(process, "at before outcome")
    process.kill()
    process.wait(10)
    assert finish(start, journal_url, records, tmp_path) == [{"unchanged"}]
    judge(service, journal_url, records)
    assert posts(service) == 3


@pytest.mark.parametrize(("fault", "sent"), [({"fault": "slow_commit", "seconds": 60}, 3), ({"fault": "lost"}, 4)])
def test_a_worker_killed_with_a_post_in_flight(
    start: Start,
    service: SimulatorProcess,
    journal_url: str,
    tmp_path: Path,
    fault: dict[str, Any],
    sent: int,
) -> None:
    """The document comes into the books after the worker's death, or never."""
    records = invoices("KILL", 3)
    service.control("POST", "/chaos", {"class": "create_invoice", "skip": 1, "count": 1} | fault)
    # A lost reply is noticed by the worker, so it is stopped where it does.
    process = start(records, **({"stop_at": "in flight", "nth": 2} if sent == 4 else {}))
    if sent == 4:
        until(process, "at in flight")
    while posts(service) < 2:
        time.sleep(0.01)
    process.kill()
    process.wait(10)
    service.control("DELETE", "/chaos")
    seen = finish(start, journal_url, records, tmp_path)
    assert seen[0] & {"unknown", "unchanged"}
    judge(service, journal_url, records)
    assert posts(service) == sent


def test_two_processes_bill_the_same_at_once(
    start: Start, service: SimulatorProcess, journal_url: str, tmp_path: Path
) -> None:
    records = invoices("KILL", 25)
    gun = tmp_path / "gun"
    both = [start(records, wait_for=str(gun), max_in_flight=4) for _ in range(2)]
    for process in both:
        until(process, "ready")
    gun.touch()
    said = [process.communicate(timeout=120)[0] for process in both]
    first, second = outcomes(tmp_path, 1), outcomes(tmp_path, 2)
    for record in records:
        number = record["invnumber"]
        assert sorted((first[number], second[number])).count("created") <= 1, said
    process = start(records)
    process.communicate(timeout=120)
    assert set(outcomes(tmp_path, 3).values()) <= {"created", "unchanged"}
    judge(service, journal_url, records)
    assert posts(service) == 25
