from __future__ import annotations

import errno
import io
import os
import tempfile
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger.batch_buffer import BatchBuffer

SCHEMA = pa.schema([pa.field("number", pa.int64())])
BATCHES = [pa.record_batch([pa.array(range(start, start + 100))], schema=SCHEMA) for start in (0, 100, 200)]


@pytest.mark.parametrize("in_memory", [None, 0, 1_000])
def test_batches_are_read_as_often_as_needed_wherever_they_wait(tmp_path: Path, in_memory: int | None) -> None:
    with closing(BatchBuffer(SCHEMA, tmp_path, in_memory=in_memory)) as buffer:
        for batch in BATCHES:
            buffer.write(batch)
        assert buffer.rows == 300
        assert list(buffer.batches()) == list(buffer.batches()) == BATCHES


def test_the_file_has_no_name(tmp_path: Path) -> None:
    with closing(BatchBuffer(SCHEMA, tmp_path, in_memory=0)) as buffer:
        buffer.write(BATCHES[0])
        assert list(tmp_path.iterdir()) == []


def test_an_empty_buffer_has_no_batches(tmp_path: Path) -> None:
    with closing(BatchBuffer(SCHEMA, tmp_path, in_memory=0)) as buffer:
        assert list(buffer.batches()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    with closing(BatchBuffer(SCHEMA, folder, in_memory=0)) as buffer, pytest.raises(DestinationError) as caught:
        buffer.write(BATCHES[0])
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("writes", [0, 1, 2, 5])
def test_a_folder_for_temporary_files_that_is_full_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, number: int, writes: int
) -> None:
    left = iter(range(writes))

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            if next(left, None) is None:
                raise OSError(number, os.strerror(number))
            return super().write(data)  # type: ignore[arg-type]

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Full())  # noqa: A006
    buffer = BatchBuffer(SCHEMA, in_memory=0)

    def keep() -> None:
        for batch in BATCHES:
            buffer.write(batch)
        list(buffer.batches())

    with closing(buffer), pytest.raises(DestinationError) as caught:
        keep()
    assert tempfile.gettempdir() in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert "TMPDIR" in caught.value.advice
    assert not caught.value.retryable
