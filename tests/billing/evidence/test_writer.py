"""What evidence says, runs at the same time, and what goes wrong while writing."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence import writer
from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.model import EvidenceRef
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, list_recorded_links
from airflow_provider_rma.billing.journal.engine import open_engine, write_transaction
from airflow_provider_rma.billing.journal.runs import StatedElsewhereError
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.exceptions import EvidenceError, JournalError
from airflow_provider_rma.fault_points import at
from tests.support.evidence import FS, SERVICE, EvidenceFolder, facts, rows
from tests.support.journal_databases import empty_database

CANARY = "Xenia Kanarienvogel"


def test_evidence_says_what_a_run_did(evidence: EvidenceFolder) -> None:
    documents = [
        DocumentResult(1, "R-1", Outcome.CREATED, document_id="71", net=Decimal("100.00"), gross=Decimal("108.10")),
        DocumentResult(2, "R-2", Outcome.CREATED, document_id="72", net=Decimal("-10.00"), gross=Decimal("-10.81")),
        DocumentResult(3, "R-3", Outcome.UNCHANGED, net=Decimal("5.00"), gross=Decimal("5.41"), currency="EUR"),
        DocumentResult(4, "R-4", Outcome.INVALID, ("duedate: is missing",)),
    ]
    ref = evidence.write((row.as_dict() for row in documents), approver="A. Prüferin", stopped="two unknown in a row")
    values = json.loads(Path(ref.path).read_text(encoding="utf-8"))
    versions = values.pop("versions")
    assert set(versions) == {"python", "airflow-provider-rma", "marshmallow", "requests", "apache-airflow"}
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert values == {
        "evidence": 1,
        "alarms": [],
        "recorded_by": None,
        "service": SERVICE,
        "tenant": "demo",
        "sequence": 1,
        "previous": None,
        "run": "nightly/2026-11-01/bill",
        "kind": "invoices",
        "started": "2026-10-31T23:30:00.000Z",
        "finished": "2026-10-31T23:31:30.000Z",
        "plan_hash": "a" * 64,
        "input_hash": "b" * 64,
        "approver": "A. Prüferin",
        "stopped": "two unknown in a row",
        "brakes": {"max_count": 2000, "max_amount": "1000000"},
        "counts": {"created": 2, "invalid": 1, "unchanged": 1},
        "totals": [
            {"outcome": "created", "currency": "CHF", "documents": 2, "net": "90.00", "gross": "97.29"},
            {"outcome": "unchanged", "currency": "EUR", "documents": 1, "net": "5.00", "gross": "5.41"},
        ],
        "documents": [
            {
                "position": 1,
                "number": "R-1",
                "outcome": "created",
                "document_id": "71",
                "net": "100.00",
                "gross": "108.10",
                "currency": "CHF",
            },
            {
                "position": 2,
                "number": "R-2",
                "outcome": "created",
                "document_id": "72",
                "net": "-10.00",
                "gross": "-10.81",
                "currency": "CHF",
            },
            {"position": 3, "number": "R-3", "outcome": "unchanged", "net": "5.00", "gross": "5.41", "currency": "EUR"},
            {"position": 4, "number": "R-4", "outcome": "invalid"},
        ],
        "hash": ref.hash,
    }


def test_each_run_leaves_one_file_that_names_the_one_before(five: EvidenceFolder) -> None:
    links = [json.loads(path.read_bytes()) for path in five.files()]
    assert [link["sequence"] for link in links] == [1, 2, 3, 4, 5]
    assert [link["previous"] for link in links] == [None, *(link["hash"] for link in links[:-1])]
    assert [ref.hash for ref in list_recorded_links(five.engine, SERVICE, "demo")] == [link["hash"] for link in links]


def test_a_run_without_documents_leaves_evidence_too(evidence: EvidenceFolder) -> None:
    values = json.loads(Path(evidence.write([]).path).read_bytes())
    assert (values["documents"], values["counts"], values["totals"]) == ([], {}, [])
    assert evidence.defects() == []


def test_nothing_but_numbers_and_totals_gets_in(evidence: EvidenceFolder) -> None:
    row = {
        "position": 1,
        "number": "R-1",
        "outcome": "rejected",
        "reasons": [f"notes: {CANARY}"],
        "server_message": f"Kunde {CANARY} ist gesperrt",
        "record": {"customer": {"name": CANARY}},
        "unchecked": [CANARY],
        "customer": CANARY,
    }
    path = Path(evidence.write([row]).path)
    assert "Kanarienvogel" not in path.read_text(encoding="utf-8")
    assert b"Kanarienvogel" not in (evidence.base / "journal.db").read_bytes()


def test_a_time_without_its_zone_is_refused(evidence: EvidenceFolder) -> None:
    with pytest.raises(ValueError, match="time zone"):
        evidence.write(started=datetime(2026, 11, 1))
    assert list_recorded_links(evidence.engine, SERVICE, "demo") == []


def test_runs_at_once_do_not_fork_the_chain(evidence: EvidenceFolder) -> None:
    def work(worker: int) -> list[EvidenceRef]:
        # A writer and an engine of its own, as a process has.
        one = EvidenceFolder(evidence.base)
        return [one.write(run=f"{worker}-{number}") for number in range(6)]

    with ThreadPoolExecutor(8) as pool:
        refs = [ref for part in pool.map(work, range(8)) for ref in part]
    assert sorted(ref.seq for ref in refs) == list(range(1, 49))
    assert evidence.defects(recorded=True) == []
    assert len(evidence.files()) == 48


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_runs_at_once_do_not_fork_the_chain_on_postgresql(
    driver: str, evidence: EvidenceFolder, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = empty_database(driver, request, tmp_path)

    def work(worker: int) -> list[EvidenceRef]:
        writer = EvidenceWriter(open_engine(url), FS, str(evidence.folder), SERVICE, "demo")
        return [writer.write(facts(run=f"{worker}-{number}"), rows()) for number in range(5)]

    with ThreadPoolExecutor(8) as pool:
        refs = [ref for part in pool.map(work, range(8)) for ref in part]
    assert sorted(ref.seq for ref in refs) == list(range(1, 41))
    assert verify_chain(FS, str(evidence.folder), expected=list_recorded_links(open_engine(url), SERVICE, "demo")) == []


def test_threads_share_one_writer(evidence: EvidenceFolder) -> None:
    writer = evidence.writer()
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(lambda _: writer.write(facts(), rows()), range(24)))
    assert sorted(ref.seq for ref in refs) == list(range(1, 25))
    assert evidence.defects(recorded=True) == []


class RefusingFiles(LocalFileSystem):
    """A file system that has no room for anything new."""

    cachable = False

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if "w" in mode:
            raise OSError(28, f"No space left on device for {CANARY}")
        return super().open(path, mode, **kwargs)


def test_a_refused_write_is_an_error_and_adds_no_link(evidence: EvidenceFolder) -> None:
    evidence.write()
    with pytest.raises(EvidenceError, match=r"could not be written \(OSError: No space left on device\)") as caught:
        evidence.writer(fs=RefusingFiles()).write(facts(), rows())
    assert str(evidence.folder) in str(caught.value)
    assert "stays booked" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert evidence.defects(recorded=True) == []
    assert evidence.write().seq == 2
    assert evidence.defects(recorded=True) == []


class Crash(BaseException):
    """The process is dead."""


def crash(**_: object) -> None:
    raise Crash


def test_a_run_that_dies_before_its_link_is_recorded_leaves_none(evidence: EvidenceFolder) -> None:
    with at("evidence.written", crash), pytest.raises(Crash):
        evidence.write()
    assert evidence.files() == []
    assert evidence.write().seq == 1
    evidence.writer().try_writing()
    assert evidence.defects(recorded=True) == []
    assert [path.name for path in evidence.folder.iterdir()] == [evidence.files()[0].name]


def test_the_file_of_a_run_that_dies_after_its_link_is_recorded_is_given_its_name_by_the_next(
    evidence: EvidenceFolder,
) -> None:
    with at("evidence.linked", crash), pytest.raises(Crash):
        evidence.write()
    ((kind, _),) = evidence.defects(recorded=True)
    assert kind == "missing"
    evidence.writer().try_writing()
    assert evidence.defects(recorded=True) == []
    assert evidence.write().seq == 2
    assert evidence.defects(recorded=True) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, TimeoutError, Crash])
def test_an_interruption_at_the_moment_of_the_commit_takes_no_file_from_the_chain(
    evidence: EvidenceFolder, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    """A time-out of the task may strike when the link is recorded, and the code that records it does not know yet."""

    @contextmanager
    def write_and_strike(engine: sa.Engine) -> Iterator[sa.engine.Connection]:
        with write_transaction(engine) as connection:
            yield connection
        raise interruption

    evidence_writer = evidence.writer()
    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_transaction", write_and_strike)
        with pytest.raises((interruption, JournalError)):
            evidence_writer.write(facts(), rows())
    assert [ref.seq for ref in list_recorded_links(evidence.engine, SERVICE, "demo")] == [1]
    evidence.writer().try_writing()
    assert evidence.defects(recorded=True) == []
    assert evidence.write().seq == 2


def test_a_link_that_is_not_added_because_others_were_first_leaves_no_file(evidence: EvidenceFolder) -> None:
    def refuse(*_: object) -> None:
        raise StatedElsewhereError

    evidence.writer().try_writing()
    with pytest.raises(StatedElsewhereError):
        evidence.writer().write(facts(), rows(), refuse)
    assert list(evidence.folder.iterdir()) == []


class NamingRefused(LocalFileSystem):
    """A file system on which no file can be given another name."""

    cachable = False

    def mv(self, source: str, target: str, **options: Any) -> None:
        raise PermissionError(1, "Operation not permitted", source)


def test_a_file_that_cannot_be_given_its_name_is_an_error_that_the_next_run_mends(evidence: EvidenceFolder) -> None:
    with pytest.raises(
        EvidenceError, match=r"could not be given its name \(PermissionError: Operation not permitted\): link 1"
    ) as caught:
        evidence.writer(fs=NamingRefused()).write(facts(), rows())
    assert evidence.defects(recorded=True) == [("missing", Path(caught.value.path_of_file).name)]
    evidence.writer().try_writing()
    assert evidence.defects(recorded=True) == []


@pytest.mark.parametrize("spelling", ["HTTPS://RMA.example", "https://rma.example:443", "https://rma.example./"])
def test_every_spelling_of_an_origin_has_one_chain(evidence: EvidenceFolder, spelling: str) -> None:
    evidence.write()
    assert evidence.writer(service=spelling).write(facts(), rows()).seq == 2
    assert [ref.seq for ref in list_recorded_links(evidence.engine, spelling, "demo")] == [1, 2]
    assert evidence.defects(recorded=True) == []


def test_links_recorded_under_an_older_spelling_of_the_origin_are_expected(five: EvidenceFolder) -> None:
    with five.engine.begin() as connection:
        connection.execute(sa.text("UPDATE rma_evidence SET service = 'https://RMA.example:443'"))
    assert [ref.seq for ref in list_recorded_links(five.engine, SERVICE, "demo")] == [1, 2, 3, 4, 5]
    lost = five.files()[-1]
    lost.unlink()
    assert five.defects(recorded=True) == [("missing", lost.name)]


class ClosedFiles(LocalFileSystem):
    """A file system that shows nothing."""

    cachable = False

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        raise PermissionError(path)


def test_a_folder_that_cannot_be_read_adds_no_link(evidence: EvidenceFolder) -> None:
    evidence.write()
    with pytest.raises(EvidenceError, match="cannot be read"):
        evidence.writer(fs=ClosedFiles()).write(facts(), rows())
    assert evidence.write().seq == 2
    assert evidence.defects(recorded=True) == []


def test_the_chain_goes_on_after_the_journal_is_lost(five: EvidenceFolder) -> None:
    with five.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rma_evidence"))
    assert five.write().seq == 6
    assert five.defects() == []


def test_the_chain_goes_on_behind_a_damaged_file_which_stays_visible(five: EvidenceFolder) -> None:
    with five.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rma_evidence"))
    damaged = five.files()[-1]
    damaged.write_bytes(b"")
    assert five.write().seq == 6
    assert five.defects() == [("unreadable", damaged.name)]


def test_memory_does_not_grow_with_the_documents(evidence: EvidenceFolder) -> None:
    evidence.write(rows(10))
    tracemalloc.start()
    try:
        evidence.write(rows(20_000))
        evidence.defects()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = evidence.files()[-1].stat().st_size
    # One chunk is kept in memory, of evidence that is longer the rest is not.
    assert size > 2_000_000
    assert peak < 6_000_000


def test_the_times_are_those_of_the_run(evidence: EvidenceFolder) -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 5_000, tzinfo=UTC)
    values = json.loads(Path(evidence.write(started=now, finished=now).path).read_bytes())
    assert values["started"] == values["finished"] == "2026-01-01T12:00:00.005Z"
