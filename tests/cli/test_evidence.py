"""``rma evidence verify``: a chain that holds, one that was touched, one whose end was removed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.model import RunFacts
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
from airflow_provider_rma.billing.journal.engine import open_engine
from tests.support.desk import Desk

NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)


@pytest.fixture
def folder(desk: Desk) -> Path:
    folder = desk.home / "rma" / "demo" / "evidence"
    engine = open_engine(f"sqlite:///{desk.home / 'rma' / 'journal.db'}")
    writer = EvidenceWriter(engine, LocalFileSystem(), str(folder), desk.simulator.url, "demo")
    for number in range(3):
        writer.write(RunFacts(f"run-{number}", "invoices", NOON, NOON), [])
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def test_a_chain_that_holds(desk: Desk, folder: Path) -> None:
    for where in (str(folder), f"file://{folder}"):
        result = desk.run("evidence", "verify", where, "--conn", "rma_default")
        assert result.exit_code == 0, result.output
        assert "holds" in result.stdout


def test_a_link_that_was_changed(desk: Desk, folder: Path) -> None:
    touched = files(folder)[1]
    touched.write_bytes(touched.read_bytes().replace(b"run-1", b"run-7"))
    result = desk.run("evidence", "verify", str(folder))
    assert result.exit_code == 1
    assert "changed" in result.stdout
    assert touched.name in result.stdout


def test_a_link_that_is_missing(desk: Desk, folder: Path) -> None:
    files(folder)[1].unlink()
    assert {finding["kind"] for finding in desk.json("evidence", "verify", str(folder), exit_code=1)} == {"missing"}


def test_the_newest_link_is_missed_with_the_journal_only(desk: Desk, folder: Path) -> None:
    files(folder)[-1].unlink()
    assert desk.run("evidence", "verify", str(folder)).exit_code == 0
    assert desk.run("evidence", "verify", str(folder), "--conn", "rma_default").exit_code == 1


def test_nothing_to_verify_is_not_taken_for_verified(desk: Desk) -> None:
    result = desk.run("evidence", "verify", str(desk.home / "mistyped"))
    assert result.exit_code == 2
    assert "no evidence in" in result.stderr
