"""Storage that fails while a run sends: what can be written is written, and the next run completes the record."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, list_recorded_links
from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.outcomes import RunSummary, failing_outcomes
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.billing.run_record import Provenance
from airflow_provider_rma.exceptions import EvidenceError, RunMyAccountsError, StorageError
from airflow_provider_rma.fault_points import at
from tests.support.failing_files import FailingFiles, Trouble
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice

ORIGIN = "http://127.0.0.1:1"


@dataclass
class Office:
    """Runs of one task over books in memory, with a journal, storage and a chain of evidence."""

    fs: Any
    base: str
    journal_folder: Path
    client: FakeClient = field(default_factory=lambda: FakeClient(customers=[{"customernumber": "K-001"}]))
    runs: int = 0

    def __post_init__(self) -> None:
        self.engine = open_engine(f"sqlite:///{self.journal_folder / 'journal.db'}")

    def journal(self) -> Journal:
        return Journal(self.engine, base_url=ORIGIN, tenant="demo", kind="invoice", run="nightly/1/bill")

    def run(self) -> BillingRun[Any]:
        self.runs += 1
        folder = f"{self.base}/run-{self.runs}"
        writer = EvidenceWriter(self.engine, self.fs, f"{self.base}/evidence", ORIGIN, "demo")
        return BillingRun(
            InvoiceKind(self.client.as_client(), Policy()),
            self.journal(),
            RunFolder(self.fs, folder, folder),
            failing_outcomes(None),
            provenance=Provenance(writer),
        )

    def bill(self, records: list[dict[str, Any]]) -> RunSummary | RunMyAccountsError:
        """Bill; anything but an error of ours passes through."""
        try:
            return self.run().send(records)
        except RunMyAccountsError as error:
            return error

    def read(self, path: str) -> list[dict[str, Any]]:
        with self.fs.open(path, "rb") as stream:
            return [json.loads(line) for line in stream.read().splitlines()]

    def links(self) -> list[dict[str, Any]]:
        return [self.read(path)[0] for path in sorted(self.fs.glob(f"{self.base}/evidence/*.json"))]

    def judge(self) -> None:
        """The books are what the journal says, and each document is created in one link of a chain that holds."""
        booked = [invoice["invnumber"] for invoice in self.client.invoices]
        assert len(set(booked)) == len(booked)
        rows = self.journal().get(number.casefold() for number in booked)
        assert {row.number for row in rows.values() if row.state == "created"} == set(booked)
        documents = [document for link in self.links() for document in link["documents"]]
        created = Counter(document["number"] for document in documents if document["outcome"] == "created")
        assert created == dict.fromkeys(booked, 1)
        expected = list_recorded_links(self.engine, ORIGIN, "demo")
        assert verify_chain(self.fs, f"{self.base}/evidence", expected=expected) == []

    def outcomes(self) -> set[str]:
        """Numbers that any outcome file says were created."""
        paths = [path for path in self.fs.find(self.base) if "outcomes" in path and path.endswith(".ndjson")]
        return {row["number"] for path in paths for row in self.read(path) if row["outcome"] == "created"}


@pytest.fixture
def make_office(tmp_path: Path) -> Iterator[Callable[[], Office]]:
    """Makes offices, each over files in memory, a journal and books of its own."""
    made: list[Office] = []

    def make() -> Office:
        folder = tmp_path / f"office-{len(made)}"
        folder.mkdir()
        made.append(Office(FailingFiles(), "/rma", folder))
        return made[-1]

    yield make
    for office in made:
        office.engine.dispose()


def count_calls(office: Office) -> int:
    """How many calls of the storage a run makes."""
    office.fs.trouble = Trouble()
    office.bill([make_invoice() for _ in range(3)])
    return len(office.fs.trouble.calls)


@pytest.mark.parametrize("forever", [False, True])
def test_whichever_call_of_the_storage_fails_the_next_run_completes_the_record(
    make_office: Callable[[], Office], forever: bool, searched: Callable[[str], None]
) -> None:
    calls = count_calls(make_office())
    for first in range(1, calls + 1):
        office, records = make_office(), [make_invoice() for _ in range(3)]
        office.fs.trouble = Trouble(first, forever)
        said = office.bill(records)
        if isinstance(said, RunMyAccountsError):
            assert isinstance(said, StorageError | EvidenceError), said
            assert "secret of the storage" not in str(said)
            assert office.client.invoices == [] or (said.result or {}).get("counts") == {"created": 3}
        office.fs.trouble = Trouble()
        again = office.bill(records)
        assert isinstance(again, RunSummary), (first, again)
        assert sum(again.counts.values()) == 3
        office.judge()
        assert office.outcomes() == {record["invnumber"] for record in records}, first
        links = len(office.links())
        office.bill(records)
        office.judge()
        assert len(office.links()) == links + 1
    searched(f"each of {calls} calls")


@pytest.mark.parametrize("lost", ["outcomes.ndjson", "rejects.ndjson", "evidence", "outcomes.html"])
def test_each_part_of_the_record_is_written_whatever_becomes_of_the_others(
    make_office: Callable[[], Office], lost: str
) -> None:
    office, records = make_office(), [make_invoice(), make_invoice(currency="XXX")]
    run = office.run()
    real = office.fs.open

    def open_others(path: str, mode: str = "rb", **options: Any) -> Any:
        if "w" in mode and lost in path:
            raise OSError(28, "full")
        return real(path, mode, **options)

    def fill(**_: object) -> None:
        office.fs.open = open_others

    with at("record.begun", fill), pytest.raises(RunMyAccountsError) as caught:
        run.send(records)
    assert isinstance(caught.value, StorageError)
    assert "No space left on device" in str(caught.value)
    assert "1 invalid of 2 invoices" in str(caught.value), "the verdict is not hidden"
    assert "the next run" in str(caught.value)
    assert caught.value.result is not None
    assert caught.value.result["counts"] == {"created": 1, "invalid": 1}
    office.fs.open = real
    names = {path.rpartition("/")[2] for path in office.fs.find("/rma/run-1")}
    assert names == {"outcomes.ndjson", "rejects.ndjson", "outcomes.html"} - {lost}
    assert len(office.links()) == (0 if lost == "evidence" else 1)
    office.bill(records)
    office.judge()


def test_the_error_that_ended_a_run_is_not_hidden_by_storage_that_fails(
    make_office: Callable[[], Office], caplog: pytest.LogCaptureFixture
) -> None:
    office = make_office()
    office.client.errors["iter_invoices"] = [RunMyAccountsError("the service is down")]

    def fill(**_: object) -> None:
        office.fs.trouble = Trouble(1)

    with at("record.begun", fill), pytest.raises(RunMyAccountsError, match="the service is down") as caught:
        office.run().send([make_invoice()])
    assert caught.value.result is not None
    assert "cannot be written" in caplog.text


def test_a_plan_tries_its_storage_before_it_reads_the_books(make_office: Callable[[], Office]) -> None:
    office = make_office()
    office.fs.trouble = Trouble(1)
    with pytest.raises(StorageError):
        office.run().plan([make_invoice()])
    assert office.client.calls == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for 300 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount on this machine")
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_while_a_run_sends_ends_it_and_the_next_run_completes_the_record(
    small_disk: Path, tmp_path: Path
) -> None:
    office = Office(LocalFileSystem(), str(small_disk), tmp_path)
    records = [make_invoice() for _ in range(120)]
    ballast, passed = small_disk / "ballast", []

    def fill(**_: object) -> None:
        passed.append(1)
        if len(passed) == 5:
            with ballast.open("wb", buffering=0) as stream, suppress(OSError):
                while True:
                    stream.write(b"\0" * 4096)

    with at("sender.recorded", fill):
        said = office.bill(records)
    assert isinstance(said, StorageError)
    assert "No space left on device" in str(said)
    assert said.result is not None
    sent = len(office.client.posts)
    # The block that the file had begun has room for some more rows.
    assert 5 <= sent < 120
    assert said.result["counts"] == {"created": sent, "held": 120 - sent}
    ballast.unlink()
    again = office.bill(records)
    assert isinstance(again, RunSummary)
    assert again.counts == {"unchanged": sent, "created": 120 - sent}
    assert len(again.earlier_runs) == 1
    office.judge()
    assert office.outcomes() == {record["invnumber"] for record in records}
    office.engine.dispose()
