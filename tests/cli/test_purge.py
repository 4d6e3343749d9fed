"""``rma purge``: what is old and personal goes, everything else stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from airflow_provider_rma.billing.booked import BookedDocument
from tests.support.desk import Desk

DAY = 86_400


@pytest.fixture
def files(desk: Desk) -> Path:
    folder = desk.home / "rma" / "demo"
    for run, days in (("old", 401), ("new", 10)):
        plan = [f"plan-{'a' * 64}.{ending}" for ending in ("ndjson", "md", "html")]
        for name in (*plan, "outcomes.ndjson", "rejects.ndjson", "evidence.json"):
            path = folder / "invoices" / "billing" / run / f"task-{run}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
            moment = time.time() - days * DAY
            os.utime(path, (moment, moment))
    only = folder / "customers" / "billing" / "old" / "task" / "outcomes.ndjson"
    only.parent.mkdir(parents=True)
    only.write_text("{}")
    os.utime(only, (0, 0))
    other = desk.home / "rma" / "other" / "outcomes.ndjson"
    other.parent.mkdir()
    other.write_text("{}")
    os.utime(other, (0, 0))
    desk.journal().import_booked(BookedDocument("R-1"), "0" * 64)
    os.utime(desk.home / "rma" / "journal.db", (0, 0))
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_dry_run_removes_nothing(desk: Desk, files: Path) -> None:
    before = names(files)
    result = desk.run("purge", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "6 files" in result.stdout
    assert "would be removed" in result.stdout
    assert names(files) == before


def test_old_files_of_the_tenant_are_removed_and_evidence_stays(desk: Desk, files: Path) -> None:
    values = desk.json("purge")
    assert values["days"] == 400
    assert len(values["removed"]) == 6
    left = names(files)
    assert {name for name in left if "/old/" in name} == {"invoices/billing/old/task-old/evidence.json"}
    assert len([name for name in left if "/new/" in name]) == 6
    assert not (files / "customers").exists()
    assert files.exists()
    assert (desk.home / "rma" / "other" / "outcomes.ndjson").exists()
    assert desk.run("journal", "show", "R-1").exit_code == 0


def test_the_age_can_be_given(desk: Desk, files: Path) -> None:
    assert len(desk.json("purge", "--older-than", "9")["removed"]) == 11
    assert desk.run("purge", "--older-than", "0").exit_code == 2
    desk.monkeypatch.setenv("AIRFLOW__RMA__RETENTION_DAYS", "never")
    assert desk.run("purge").exit_code == 2


def test_another_folder(desk: Desk, files: Path, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "demo" / "rejects.ndjson"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    os.utime(path, (0, 0))
    assert desk.json("purge", "--path", f"file://{tmp_path / 'elsewhere'}")["removed"] == [str(path)]
    assert len(names(files)) == 13


def test_nothing_to_remove(desk: Desk) -> None:
    assert "0 files" in desk.run("purge").stdout
