"""Errors of the temporary folder are ours: named with the folder and the remedy, and nobody asks the service again."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3 import HTTPResponse

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.responses import receive
from airflow_provider_rma.client.temporary import temporary_folder
from airflow_provider_rma.exceptions import RequestError, StorageError, TemporaryFolderError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.memory import MemoryDestination
from tests.support.scripted_server import ScriptedServer, respond

PERIOD = {"from_date": date(2026, 1, 1), "to_date": date(2026, 3, 31)}
#: Larger than what waits in memory.
LARGE = b'{"transaction": [' + b" " * 10_000_000 + b"]}"
ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EMFILE]


class FailingFile(tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]
    """A temporary file of which one method fails from some call on."""

    method, calls, number = "", 0, errno.ENOSPC

    def _reach(self, method: str) -> None:
        if method == type(self).method:
            type(self).calls -= 1
            if type(self).calls < 0:
                raise OSError(self.number, os.strerror(self.number))

    def write(self, data: Any) -> int:
        self._reach("write")
        return super().write(data)

    def read(self, *size: int) -> Any:
        self._reach("read")
        return super().read(*size)

    def seek(self, *position: int) -> int:
        self._reach("seek")
        return super().seek(*position)

    def flush(self) -> None:
        self._reach("flush")
        super().flush()

    def rollover(self) -> None:
        self._reach("rollover")
        super().rollover()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[FailingFile]:
    class File(FailingFile):
        """Fails of its own."""

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", File)
    return File


def refused(caught: pytest.ExceptionInfo[Any], number: int = errno.ENOSPC) -> None:
    error = caught.value
    assert isinstance(error, StorageError)
    assert not error.retryable
    assert temporary_folder() in str(error)
    assert os.strerror(number) in str(error)
    assert "TMPDIR" in error.advice


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize(("method", "calls"), [("write", 0), ("write", 1), ("write", 7), ("flush", 0), ("seek", 0)])
def test_a_response_that_cannot_be_kept_is_asked_for_once(
    failing: type[FailingFile], number: int, method: str, calls: int
) -> None:
    failing.method, failing.calls, failing.number = method, calls, number
    with ScriptedServer([respond(body=LARGE)]) as server, RunMyAccountsClient(server.config()) as client:
        with pytest.raises(TemporaryFolderError) as caught:
            client.open_transactions(**PERIOD)
        assert len(server.seen) == 1
    refused(caught, number)


@pytest.mark.parametrize(("method", "calls"), [("read", 0), ("read", 3), ("seek", 1), ("rollover", 0)])
def test_a_response_that_was_kept_and_cannot_be_read_any_more_is_no_lost_connection(
    failing: type[FailingFile], method: str, calls: int
) -> None:
    with closing(receive(answer(b"x" * 300_000))) as response:
        failing.method, failing.calls = method, calls
        with pytest.raises(TemporaryFolderError) as caught:
            response.to_disk() if method == "rollover" else [*response.chunks()]
    refused(caught)


def answer(body: bytes) -> requests.Response:
    raw = requests.Response()
    raw.status_code = 200
    raw.raw = HTTPResponse(body=[body], headers={}, status=200, preload_content=False)  # type: ignore[arg-type]
    raw.raw.stream = lambda *_, **__: iter([body[:100_000], body[100_000:]])
    return raw


def test_no_folder_that_can_be_written_is_named_by_the_one_that_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    assert temporary_folder() == "/nowhere"


def test_a_run_ends_at_once_and_its_result_says_why(failing: type[FailingFile]) -> None:
    """What holds for one month holds for the next."""
    failing.method = "write"
    results: list[LedgerResult] = []
    with ScriptedServer([respond(body=LARGE)]) as server, RunMyAccountsClient(server.config()) as client:
        with pytest.raises(TemporaryFolderError) as caught:
            extract_ledger(client, MemoryDestination(), **PERIOD, on_result=results.append)
        assert len(server.seen) == 1
    refused(caught)
    assert temporary_folder() in results[0].ended_by
    assert len(results[0].remaining) == 3


@pytest.fixture
def megabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of one megabyte as the folder for temporary files."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_file_system_that_is_full_is_named(megabyte: Path) -> None:
    with ScriptedServer([respond(body=LARGE)]) as server, RunMyAccountsClient(server.config()) as client:
        with pytest.raises(RequestError, match="No space left") as caught:
            client.open_transactions(**PERIOD)
        assert len(server.seen) == 1
    refused(caught)
    assert str(megabyte) in str(caught.value)


def test_small_parts_that_are_moved_to_a_full_file_system_are_named_as_well(megabyte: Path) -> None:
    (megabyte / "full").write_bytes(b"x" * 1_000_000)
    with closing(receive(answer(b"x" * 300_000))) as response, pytest.raises(TemporaryFolderError) as caught:
        response.to_disk()
    refused(caught)
