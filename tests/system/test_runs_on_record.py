"""What a run has booked stands in the evidence as created, once, wherever the run was killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.writer import list_recorded_links
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.tables import JOURNAL
from tests.support.simulator import SimulatorProcess
from tests.support.system.records import invoices

#: Where a run that sends can be killed; the passage is drawn.
POINTS = {
    "run.entered": 1,
    "sender.claimed": 3,
    "sender.sent": 3,
    "sender.recorded": 3,
    "record.begun": 1,
    "evidence.written": 1,
    "evidence.linked": 1,
    "record.linked": 1,
}
#: Where a run can be killed that puts another one on record.
SUCCESSOR_POINTS = ("evidence.written", "evidence.linked", "earlier_run.linked", "earlier_run.recorded")


@dataclass
class Office:
    """Runs of one tenant, each a process of its own, with one journal and one chain of evidence."""

    service: SimulatorProcess
    journal: str
    folder: Path
    runs: list[str] = field(default_factory=list)

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    def bill(
        self, records: list[dict[str, Any]], *, run: str = "nightly/1/bill", kill_at: str | None = None, nth: int = 1
    ) -> Path:
        """Bill in a process; return the folder of the run."""
        folder = self.folder / f"run-{len(self.runs) + 1}"
        self.runs.append(run)
        given = {"url": self.service.url, "token": self.service.token, "journal": self.journal, "folder": str(folder)}
        given |= {"evidence": str(self.evidence), "run": run, "records": records, "kill_at": kill_at, "nth": nth}
        command = [sys.executable, "-m", "tests.support.recorded_billing_process", json.dumps(given)]
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        environment = os.environ | {"TMPDIR": str(temporary)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
        assert list(temporary.iterdir()) == [], "a temporary file has outlived its process"
        assert done.returncode in ((-signal.SIGKILL,) if kill_at else (0, 1)), done.stdout + done.stderr
        return folder

    def pass_settle_time(self) -> None:
        engine = open_engine(self.journal)
        with engine.begin() as connection:
            connection.execute(sa.update(JOURNAL).values(settles_at=0.0))
        engine.dispose()

    def links(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes()) for path in sorted(self.evidence.glob("*.json"))]

    def created(self) -> Counter[str]:
        """How many links state each number as created."""
        rows = (row for link in self.links() for row in link["documents"])
        return Counter(row["number"] for row in rows if row["outcome"] == "created")

    def judge(self, records: list[dict[str, Any]]) -> None:
        """Each document in the books is created in exactly one link, and the chain holds."""
        numbers = [record["invnumber"] for record in records]
        booked = {number: len(self.service.documents(number)) for number in numbers}
        assert set(booked.values()) <= {0, 1}
        assert self.created() == {number: 1 for number, count in booked.items() if count}
        engine = open_engine(self.journal)
        expected = list_recorded_links(engine, self.service.url, "demo")
        assert verify_chain(LocalFileSystem(), str(self.evidence), expected=expected) == []
        assert len(self.links()) == len(expected)
        engine.dispose()

    def finish(self, records: list[dict[str, Any]]) -> None:
        """Bill until everything is in the books; then a further run adds nothing but a link of its own."""
        self.bill(records)
        self.judge(records)
        self.pass_settle_time()
        self.bill(records)
        self.judge(records)
        assert set(self.created()) == {record["invnumber"] for record in records}
        before = len(self.links())
        self.bill(records)
        self.judge(records)
        last = self.links()[before:]
        assert [(link["recorded_by"], set(link["counts"])) for link in last] == [(None, {"unchanged"})]


@pytest.fixture
def office(simulator: SimulatorProcess, tmp_path: Path) -> Iterator[Office]:
    yield Office(simulator, f"sqlite:///{tmp_path / 'journal.db'}", tmp_path)
    simulator.control("DELETE", "/chaos")


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_is_put_on_record_by_the_next(office: Office, point: str) -> None:
    records = invoices("RECORD", 4)
    office.bill(records, kill_at=point, nth=POINTS[point])
    office.finish(records)
    assert {link["run"] for link in office.links()} == {"nightly/1/bill"}


@pytest.mark.slow
@pytest.mark.parametrize("point", SUCCESSOR_POINTS)
def test_a_run_that_is_killed_while_it_puts_another_on_record_is_followed_by_one_that_does(
    office: Office, point: str
) -> None:
    records = invoices("RECORD", 3)
    office.bill(records, kill_at="record.begun")
    office.bill(records, kill_at=point)
    office.finish(records)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_runs_that_are_killed_again_and_again(
    office: Office, journal_url: str, seed: int, searched: Callable[[str], None]
) -> None:
    office.journal = journal_url
    dice = random.Random(seed)  # noqa: S311
    records: list[dict[str, Any]] = []
    for _ in range(4):
        records += invoices("RECORD", 3)
        point = dice.choice(sorted(POINTS))
        run = f"nightly/{dice.randint(1, 2)}/bill"
        office.bill(records, run=run, kill_at=point, nth=dice.randint(1, POINTS[point]))
        if dice.random() < 0.5:
            office.pass_settle_time()
    office.pass_settle_time()
    office.finish(records)
    searched(f"4 kills, seed {seed}, {journal_url.partition(':')[0]}")


def test_a_killed_run_leaves_a_readable_outcome_file_and_the_journals_beside_it(office: Office) -> None:
    records = invoices("RECORD", 4)
    broken = records[0] | {"invnumber": "RECORD-INVALID", "transdate": "never"}
    killed = office.bill([broken, *records], run="nightly/1/bill", kill_at="sender.claimed", nth=3)
    rows = [json.loads(line) for line in (killed / "outcomes.ndjson").read_text(encoding="utf-8").splitlines()]
    first, second, third, fourth = (record["invnumber"] for record in records)
    expected = [("RECORD-INVALID", "invalid"), (first, "created"), (second, "created")]
    assert [(row["number"], row["outcome"]) for row in rows] == expected
    office.bill(records, run="nightly/1/bill")
    lines = (killed / "outcomes-from-journal.ndjson").read_text(encoding="utf-8").splitlines()
    found = {row["number"]: row["outcome"] for row in map(json.loads, lines)}
    assert found == {first: "created", second: "created", third: "unknown"}
    of_the_dead, own = office.links()
    assert of_the_dead["recorded_by"] == of_the_dead["run"] == "nightly/1/bill"
    assert of_the_dead["stopped"] == "the run had left no record of its own when a later run wrote this"
    assert of_the_dead["counts"] == {"created": 2, "unknown": 1}
    assert [total["documents"] for total in of_the_dead["totals"]] == [2]
    assert own["counts"] == {"created": 1, "unchanged": 2, "unknown": 1}
    assert fourth in office.created()


def test_a_run_of_another_task_that_may_be_alive_is_left_alone_until_its_claims_are_settled(office: Office) -> None:
    records, others = invoices("RECORD", 2), invoices("RECORD", 1)
    office.bill(records, run="nightly/1/bill", kill_at="record.begun")
    office.bill(others, run="other/1/bill")
    assert [link["run"] for link in office.links()] == ["other/1/bill"]
    office.pass_settle_time()
    office.bill(others, run="other/2/bill")
    assert [link["run"] for link in office.links()] == ["other/1/bill", "nightly/1/bill", "other/2/bill"]
    office.judge(records + others)


def test_what_was_in_doubt_when_its_run_ended_is_stated_when_it_is_found(office: Office) -> None:
    records = invoices("RECORD", 1)
    for fault in (
        {"class": "create_invoice", "fault": "lost", "after_commit": True},
        {"class": "read_invoice", "fault": "error", "status": 404},
    ):
        office.service.control("POST", "/chaos", fault)
    office.bill(records)
    office.service.control("DELETE", "/chaos")
    assert office.links()[0]["counts"] == {"unknown": 1}
    office.finish(records)
    assert [link["recorded_by"] for link in office.links()][:2] == [None, "nightly/1/bill"]
