"""Storage that fails while a run sends: what can be written is written, and the next run completes the record."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.outcomes import RunSummary
from airflow_provider_rma.exceptions import EvidenceError, RunMyAccountsError, StorageError
from airflow_provider_rma.fault_points import at
from tests.support.billing_office import Office
from tests.support.failing_files import FailingFiles, Trouble
from tests.support.invoices import make_invoice


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
