"""Files with personal data are their owner's, and what cannot be written is noticed before it is needed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_rma.billing import storage
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.migrations import migrate
from airflow_provider_rma.billing.storage import create_file, make_folder, try_folder, try_temporary_folder
from airflow_provider_rma.exceptions import JournalError, StorageError


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("asked", "folder"), [(0o600, 0o700), (0o660, 0o770), (0o640, 0o750)])
def test_a_file_has_its_mode_whatever_the_umask(tmp_path: Path, umask: int, asked: int, folder: int) -> None:
    path = tmp_path / "tenant" / "run" / "outcomes.ndjson"
    with create_file(LocalFileSystem(), str(path), asked) as stream:
        stream.write(b"x")
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (asked, folder, folder)


def test_a_file_of_before_gets_its_mode_before_anything_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.ndjson"
    path.write_text("old and longer")
    path.chmod(0o644)
    with create_file(LocalFileSystem(), str(path)) as stream:
        assert mode(path) == 0o600
        stream.write(b"new")
    assert path.read_text() == "new"


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_folder(LocalFileSystem(), str(tmp_path / "new"))
    assert (mode(tmp_path), mode(tmp_path / "new")) == (0o755, 0o700)


def test_a_sqlite_journal_is_its_owners(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "journal" / "journal.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert mode(path.parent) == 0o700


def test_a_journal_that_cannot_be_made_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be made"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'journal.db'}")


def test_a_trial_leaves_nothing(tmp_path: Path) -> None:
    try_folder(LocalFileSystem(), str(tmp_path / "run"), "the folder")
    assert list((tmp_path / "run").iterdir()) == []
    memory = MemoryFileSystem()
    try_folder(memory, "/trial", "the folder")
    assert memory.find("/trial") == []


@pytest.mark.parametrize("path", ["file/run", "x" * 300, "/dev/full/run", "nul\0"])
def test_a_folder_that_cannot_be_written_is_our_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"the folder cannot be written \(.+\)\. Nothing was sent\.") as caught:
        try_folder(LocalFileSystem(), str(tmp_path / path), "the folder")
    assert caught.value.retryable


def test_a_full_temporary_folder_is_our_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try_temporary_folder()
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StorageError, match="temporary folder cannot be written.*TMPDIR"):
        try_temporary_folder()
