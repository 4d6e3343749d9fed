"""Arrow batches that wait: in memory while they are few, else in an unnamed temporary file, which vanishes with the
process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_rma.client.temporary import temporary_folder
from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger._pyarrow import ipc, pa

#: Bytes that may wait in memory, some 100,000 postings.
IN_MEMORY = 32 * 1024 * 1024


class BatchBuffer:
    """Batches of one schema: written first, then read as often as needed.

    :param folder: where there is room for them; None for the system's folder for temporary files.
    :param in_memory: bytes that may wait in memory; None for :data:`IN_MEMORY`.
    :ivar rows: rows written so far.
    """

    def __init__(
        self, schema: pa.Schema, folder: str | os.PathLike[str] | None = None, *, in_memory: int | None = None
    ) -> None:
        self.schema = schema
        self.rows = 0
        self._folder, self._in_memory = folder, IN_MEMORY if in_memory is None else in_memory
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: Any = None
        self._writer: Any = None
        self._is_complete = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch.

        :raises DestinationError: there is no room, or the folder may not be written.
        """
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._writer is not None or self._bytes > self._in_memory:
            self._write_out()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read what was written, from the beginning, one reading after the other. Nothing may be written afterwards.

        :raises DestinationError: there is no room for the last batches.
        """
        if self._writer is None:
            yield from self._waiting
            return
        with self._translate_os_errors():
            if not self._is_complete:
                self._writer.close()
                self._is_complete = True
            self._file.seek(0)
        with self._translate_os_errors(), ipc.open_stream(self._file) as reader:
            yield from reader

    def close(self) -> None:
        """Remove everything."""
        self._waiting.clear()
        if self._file is not None:
            # Closing writes what is still to be written; if the disk is full, it is not needed any more.
            with suppress(OSError):
                self._file.close()

    def _write_out(self) -> None:
        with self._translate_os_errors():
            if self._writer is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - see close
                options = ipc.IpcWriteOptions(compression="lz4")
                self._writer = ipc.new_stream(self._file, self.schema, options=options)
            for batch in self._waiting:
                self._writer.write_batch(batch)
        self._waiting.clear()

    @contextmanager
    def _translate_os_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = self._folder or temporary_folder()
            remedy = "" if self._folder else ", or set TMPDIR to a folder with room"
            raise DestinationError(
                f"The postings could not be kept in {place}: {error.strerror or 'no space'}.",
                advice=f"Check the free space and the rights of the folder{remedy}.",
            ) from error
