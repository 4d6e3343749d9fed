"""Evidence: what is written, that any later change is found, and that it can be checked without this package."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.chain import ChainDefect, EvidenceRef, verify_chain
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, RunFacts, recorded_links
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.exceptions import EvidenceError
from tests.support.journal_databases import empty_database
from tests.support.reference import ROOT

SERVICE = "https://rma.example"
CANARY = "Xenia Kanarienvogel"
FS = LocalFileSystem()


def facts(**values: Any) -> RunFacts:
    start = datetime(2026, 11, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    return RunFacts(
        **{
            "run": "nightly/2026-11-01/bill",
            "kind": "invoices",
            "started": start,
            "finished": start + timedelta(seconds=90),
            "plan_hash": "a" * 64,
            "input_hash": "b" * 64,
            "brakes": {"max_count": 2000, "max_amount": "1000000"},
            "versions": {"apache-airflow": "3.3.2"},
        }
        | values
    )


def rows(count: int = 3) -> Iterator[dict[str, Any]]:
    for position in range(1, count + 1):
        amounts = {"net": Decimal("100.00"), "gross": Decimal("108.10")}
        yield DocumentResult(position, f"R-{position}", Outcome.CREATED, document_id=str(position), **amounts).as_dict()


class Desk:
    """A tenant's folder of evidence and a journal's database."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = base / "demo" / "evidence"
        self.engine = open_engine(f"sqlite:///{base / 'journal.db'}")

    def writer(self, *, service: str = SERVICE, tenant: str = "demo", fs: Any = FS) -> EvidenceWriter:
        return EvidenceWriter(self.engine, fs, str(self.folder), service, tenant)

    def write(self, documents: Iterable[dict[str, Any]] | None = None, **values: Any) -> EvidenceRef:
        return self.writer().write(facts(**values), rows() if documents is None else documents)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def findings(self, *, recorded: bool = False) -> list[tuple[str, str]]:
        """Kind and file of every finding."""
        return [(finding.kind, finding.file) for finding in self.verify(recorded=recorded)]

    def verify(self, *, recorded: bool = False) -> list[ChainDefect]:
        expected = recorded_links(self.engine, SERVICE, "demo") if recorded else ()
        return verify_chain(FS, str(self.folder), expected=expected)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def five(desk: Desk) -> Desk:
    for number in range(5):
        desk.write(run=f"run-{number}")
    assert desk.findings(recorded=True) == []
    return desk


def test_evidence_says_what_a_run_did(desk: Desk) -> None:
    documents = [
        DocumentResult(1, "R-1", Outcome.CREATED, document_id="71", net=Decimal("100.00"), gross=Decimal("108.10")),
        DocumentResult(2, "R-2", Outcome.CREATED, document_id="72", net=Decimal("-10.00"), gross=Decimal("-10.81")),
        DocumentResult(3, "R-3", Outcome.UNCHANGED, net=Decimal("5.00"), gross=Decimal("5.41"), currency="EUR"),
        DocumentResult(4, "R-4", Outcome.INVALID, ("duedate: is missing",)),
    ]
    ref = desk.write((row.as_dict() for row in documents), approver="A. Prüferin", stopped="two unknown in a row")
    values = json.loads(Path(ref.path).read_text(encoding="utf-8"))
    versions = values.pop("versions")
    assert set(versions) == {"python", "airflow-provider-rma", "marshmallow", "requests", "apache-airflow"}
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert values == {
        "evidence": 1,
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


def test_each_run_leaves_one_file_that_names_the_one_before(five: Desk) -> None:
    links = [json.loads(path.read_bytes()) for path in five.files()]
    assert [link["sequence"] for link in links] == [1, 2, 3, 4, 5]
    assert [link["previous"] for link in links] == [None, *(link["hash"] for link in links[:-1])]
    assert [ref.hash for ref in recorded_links(five.engine, SERVICE, "demo")] == [link["hash"] for link in links]


def test_a_run_without_documents_leaves_evidence_too(desk: Desk) -> None:
    values = json.loads(Path(desk.write([]).path).read_bytes())
    assert (values["documents"], values["counts"], values["totals"]) == ([], {}, [])
    assert desk.findings() == []


def test_nothing_but_numbers_and_totals_gets_in(desk: Desk) -> None:
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
    path = Path(desk.write([row]).path)
    assert "Kanarienvogel" not in path.read_text(encoding="utf-8")
    assert b"Kanarienvogel" not in (desk.base / "journal.db").read_bytes()


def test_a_time_without_its_zone_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="time zone"):
        desk.write(started=datetime(2026, 11, 1))
    assert recorded_links(desk.engine, SERVICE, "demo") == []


# --- tampering ---------------------------------------------------------------------------------------------------


def test_every_changed_byte_is_found(desk: Desk) -> None:
    path = Path(desk.write(rows(1)).path)
    original = path.read_bytes()
    for place in range(len(original)):
        path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        assert desk.findings(), f"byte {place} may be changed unseen"
    path.write_bytes(original)
    assert desk.findings() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"108.10"', b'"108.01"', 1),
        lambda text: text.replace(b'"sequence":3', b'"sequence": 3'),
        lambda text: text + b"\n",
        lambda text: text[:-1],
        lambda text: text[: len(text) // 2],
    ],
    ids=["amount", "blank", "appended", "cut", "half"],
)
def test_a_changed_file_is_named_and_nothing_else(five: Desk, change: Callable[[bytes], bytes]) -> None:
    path = five.files()[2]
    path.write_bytes(change(path.read_bytes()))
    assert five.findings(recorded=True) == [("changed", path.name)]


def test_a_file_rewritten_with_a_hash_that_fits_is_found(five: Desk) -> None:
    path = five.files()[2]
    text = path.read_bytes().replace(b'"108.10"', b'"108.01"', 1)[:-76]
    digest = hashlib.sha256(text + b"}").hexdigest()
    path.unlink()
    forged = path.with_name(f"{path.name[:15]}-{digest[:12]}.json")
    forged.write_bytes(text + f',"hash":"{digest}"}}\n'.encode())
    assert five.findings() == [("changed", forged.name)]
    assert ("missing", path.name) in five.findings(recorded=True)


@pytest.mark.parametrize("place", [0, 2, 3])
def test_a_removed_file_is_missing_by_name(five: Desk, place: int) -> None:
    path = five.files()[place]
    path.unlink()
    assert five.findings() == [("missing", path.name)]
    assert five.findings(recorded=True) == [("missing", path.name)]


def test_several_removed_files_are_missing(five: Desk) -> None:
    removed = five.files()[1:4]
    for path in removed:
        path.unlink()
    assert [kind for kind, _ in five.findings()] == ["missing"] * 3
    assert removed[-1].name in [name for _, name in five.findings()]
    assert five.findings(recorded=True).count(("missing", removed[0].name)) == 1


def test_removal_of_the_newest_is_found_with_the_journal_only(five: Desk) -> None:
    path = five.files()[-1]
    path.unlink()
    assert five.findings() == []
    assert five.findings(recorded=True) == [("missing", path.name)]


def test_exchanged_files_are_out_of_order(five: Desk) -> None:
    _, second, third, *_ = five.files()
    text = second.read_bytes()
    second.write_bytes(third.read_bytes())
    third.write_bytes(text)
    assert five.findings() == [("out_of_order", second.name), ("out_of_order", third.name)]


def test_a_renamed_or_copied_file_is_out_of_order(five: Desk) -> None:
    path = five.files()[1]
    copy = path.with_name(path.name.replace("-000002-", "-000009-"))
    shutil.copy(path, copy)
    assert five.findings() == [("out_of_order", copy.name)]
    path.unlink()
    assert five.findings() == [("out_of_order", copy.name)]


def test_a_file_put_beside_the_chain_is_found(five: Desk) -> None:
    (five.folder / "extra.json").write_text("{}")
    assert five.findings() == [("unreadable", "extra.json")]


def test_an_empty_file_is_unreadable(five: Desk) -> None:
    path = five.files()[3]
    path.write_bytes(b"")
    assert five.findings() == [("unreadable", path.name)]


def test_a_second_file_for_one_place_is_a_fork(desk: Desk, tmp_path: Path) -> None:
    desk.write()
    other = Desk(tmp_path / "other")
    shutil.copytree(desk.folder, other.folder)
    desk.write(run="here")
    there = Path(other.write(run="there").path)
    shutil.copy(there, desk.folder)
    assert [kind for kind, _ in desk.findings()] == ["fork", "fork"]
    assert there.name in [name for _, name in desk.findings()]


def test_evidence_of_another_tenant_does_not_belong_here(five: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    foreign = Path(other.writer(tenant="other").write(facts(), rows()).path)
    shutil.copy(foreign, five.folder)
    assert five.findings() == [("out_of_order", foreign.name)]


def test_chains_of_two_services_share_a_folder(five: Desk) -> None:
    five.writer(service="https://sandbox.example").write(facts(), rows())
    assert five.findings(recorded=True) == []
    five.files()[1].unlink()
    assert len(five.findings()) == 1


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert verify_chain(FS, str(tmp_path / "nowhere")) == []


# --- runs at the same time, and what goes wrong while writing ------------------------------------------------------


def test_runs_at_once_do_not_fork_the_chain(desk: Desk) -> None:
    def work(worker: int) -> list[EvidenceRef]:
        # A writer and an engine of its own, as a process has.
        one = Desk(desk.base)
        return [one.write(run=f"{worker}-{number}") for number in range(6)]

    with ThreadPoolExecutor(8) as pool:
        refs = [ref for part in pool.map(work, range(8)) for ref in part]
    assert sorted(ref.seq for ref in refs) == list(range(1, 49))
    assert desk.findings(recorded=True) == []
    assert len(desk.files()) == 48


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_runs_at_once_do_not_fork_the_chain_on_postgresql(
    driver: str, desk: Desk, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = empty_database(driver, request, tmp_path)

    def work(worker: int) -> list[EvidenceRef]:
        writer = EvidenceWriter(open_engine(url), FS, str(desk.folder), SERVICE, "demo")
        return [writer.write(facts(run=f"{worker}-{number}"), rows()) for number in range(5)]

    with ThreadPoolExecutor(8) as pool:
        refs = [ref for part in pool.map(work, range(8)) for ref in part]
    assert sorted(ref.seq for ref in refs) == list(range(1, 41))
    assert verify_chain(FS, str(desk.folder), expected=recorded_links(open_engine(url), SERVICE, "demo")) == []


def test_threads_share_one_writer(desk: Desk) -> None:
    writer = desk.writer()
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(lambda _: writer.write(facts(), rows()), range(24)))
    assert sorted(ref.seq for ref in refs) == list(range(1, 25))
    assert desk.findings(recorded=True) == []


class RefusingFiles(LocalFileSystem):
    """A file system that has no room for anything new."""

    cachable = False

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if "w" in mode:
            raise OSError(28, f"No space left on device for {CANARY}")
        return super().open(path, mode, **kwargs)


def test_a_refused_write_is_an_error_and_a_missing_link(desk: Desk) -> None:
    desk.write()
    with pytest.raises(EvidenceError, match=r"could not be written \(OSError\): link 2, .*-000002-") as caught:
        desk.writer(fs=RefusingFiles()).write(facts(), rows())
    lost = Path(caught.value.path_of_file).name
    assert lost in str(caught.value)
    assert "stays booked" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert desk.findings(recorded=True) == [("missing", lost)]
    assert desk.write().seq == 3
    assert desk.findings() == [("missing", lost)]


class ClosedFiles(LocalFileSystem):
    """A file system that shows nothing."""

    cachable = False

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        raise PermissionError(path)


def test_a_folder_that_cannot_be_read_adds_no_link(desk: Desk) -> None:
    desk.write()
    with pytest.raises(EvidenceError, match="cannot be read"):
        desk.writer(fs=ClosedFiles()).write(facts(), rows())
    assert desk.write().seq == 2
    assert desk.findings(recorded=True) == []


def test_the_chain_goes_on_after_the_journal_is_lost(five: Desk) -> None:
    with five.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rma_evidence"))
    assert five.write().seq == 6
    assert five.findings() == []


def test_the_chain_goes_on_behind_a_damaged_file_which_stays_visible(five: Desk) -> None:
    with five.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rma_evidence"))
    damaged = five.files()[-1]
    damaged.write_bytes(b"")
    assert five.write().seq == 6
    assert five.findings() == [("unreadable", damaged.name)]


def test_memory_does_not_grow_with_the_documents(desk: Desk) -> None:
    desk.write(rows(10))
    tracemalloc.start()
    try:
        desk.write(rows(20_000))
        desk.findings()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = desk.files()[-1].stat().st_size
    # One chunk is kept in memory, of evidence that is longer the rest is not.
    assert size > 2_000_000
    assert peak < 6_000_000


# --- what the documentation promises to a third party --------------------------------------------------------------


def snippets(language: str) -> list[str]:
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def awkward() -> list[dict[str, Any]]:
    """Numbers that JSON writers might write differently."""
    numbers = ['R-"1"\\', "Rüti/2026 ½", "a\u2028b\u007fc\u0085\n", "🧾", "\ud800", "x" * 200]
    return [
        {"position": place, "number": number, "outcome": "created", "net": "1.00", "gross": "1.08"}
        for place, number in enumerate(numbers, start=1)
    ]


def check_in_shell(script: str, path: str) -> str:
    done = subprocess.run(["sh", "-c", script], env={"FILE": path, "PATH": "/usr/bin:/bin"}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_the_documented_shell_commands_find_the_hash(desk: Desk) -> None:
    ref = desk.write(awkward())
    lines = check_in_shell(snippets("sh")[0], ref.path).split()
    assert lines == ["stated", ref.hash, "computed", ref.hash]


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_documented_jq_command_finds_the_hash(desk: Desk) -> None:
    ref = desk.write(awkward())
    assert check_in_shell(snippets("sh")[1], ref.path).split()[0] == ref.hash


def run_documented_program(folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", snippets("python")[0], str(folder)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_documented_program_agrees(five: Desk) -> None:
    five.write(awkward())
    code, output = run_documented_program(five.folder)
    assert (code, output) == (0, f"demo: 6 links, newest {json.loads(five.files()[-1].read_bytes())['hash']}\n")
    victim = five.files()[2]
    text = victim.read_bytes()
    victim.write_bytes(text.replace(b"108.10", b"108.01", 1))
    assert run_documented_program(five.folder) == (1, f"{victim.name}: changed\n")
    victim.unlink()
    assert run_documented_program(five.folder) == (1, f"{five.files()[2].name}: does not follow link 2\n")


def test_the_times_are_those_of_the_run(desk: Desk) -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 5_000, tzinfo=UTC)
    values = json.loads(Path(desk.write(started=now, finished=now).path).read_bytes())
    assert values["started"] == values["finished"] == "2026-01-01T12:00:00.005Z"
