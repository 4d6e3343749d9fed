"""The data files of a Parquet warehouse: written once, read through the manifest that names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.arrow_schemas import dated_postings, empty_table
from airflow_provider_rma.ledger.destinations.parquet.manifest import Manifest, new_name, translate_os_errors

#: Kinds of files that hold the rows of a table; the other tables have the kind of their own name.
KINDS = {"proofs": ("proofs", "refused")}

_BATCH_ROWS = 32_768
#: Small batches are put together to this many rows, so that a file has few row groups.
_GROUP_ROWS = 122_880


class FileWriter:
    """One data file that is written batch by batch, begun with the first one.

    :param folder: where; it is created where it is absent.
    :param kind: kind of file, as in the manifest.
    :param load_id: load that writes it; by default the one of its first row.
    :ivar rows: rows written so far.
    """

    def __init__(self, fs: AbstractFileSystem, folder: str, kind: str, load_id: str = "") -> None:
        self.rows = 0
        self._fs, self._folder, self._kind, self._load_id = fs, folder, kind, load_id
        self._name = ""
        self._file: Any = None
        self._writer: Any = None
        self._waiting: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add some rows."""
        self._waiting.append(batch)
        self.rows += batch.num_rows
        if sum(waiting.num_rows for waiting in self._waiting) >= _GROUP_ROWS:
            self._flush()

    def finish(self) -> list[dict[str, Any]]:
        """Close the file and return its entry in a manifest, none if there are no rows. May be called again."""
        if self._waiting:
            self._flush()
        if self._writer is not None:
            with translate_os_errors(self._folder):
                self._writer.close()
                self._file.close()
            self._writer = self._file = None
        return [{"name": self._name, "rows": self.rows}] if self._name else []

    def keep(self) -> None:
        """From here on a manifest may name the file, even if publishing it seems to fail: never remove it."""
        self._name = ""

    def discard(self) -> None:
        """Remove the file, unless it was to be kept."""
        self._waiting = []
        if self._file is not None:
            try:
                self._writer.close()
                self._file.close()
            except OSError:
                pass  # the file is removed anyway, and an earlier error may be on its way
        if self._name:
            remove(self._fs, self._folder, [self._name])

    def _flush(self) -> None:
        group = pa.Table.from_batches(self._waiting)
        self._waiting = []
        with translate_os_errors(self._folder):
            if self._writer is None:
                self._fs.makedirs(self._folder, exist_ok=True)
                self._name = new_name(self._kind, self._load_id or group.column("load_id")[0].as_py())
                self._file = self._fs.open(f"{self._folder}/{self._name}", "wb")
                self._writer = pq.ParquetWriter(self._file, group.schema, compression="zstd")
            self._writer.write_table(group, row_group_size=_GROUP_ROWS)


def write_table(fs: AbstractFileSystem, folder: str, kind: str, load_id: str, data: pa.Table) -> dict[str, Any]:
    """Write a small table as one file, also without rows, and return its entry in a manifest."""
    name = new_name(kind, load_id)
    with translate_os_errors(folder), fs.open(f"{folder}/{name}", "wb") as file:
        pq.write_table(data, file, compression="zstd")
    reach("file.written", kind=kind)
    return {"name": name, "rows": data.num_rows}


def remove(fs: AbstractFileSystem, folder: str, names: Sequence[str]) -> None:
    """Remove files; one that is gone already is no matter, and one that cannot be removed can wait."""
    for name in names:
        try:
            fs.rm_file(f"{folder}/{name}")
        except OSError:
            continue


def read_batches(
    fs: AbstractFileSystem, folder: str, names: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Read columns of the rows of some data files. A column that a file of an older contract does not have is null."""
    for name in names:
        with open_file(fs, folder, name) as content:
            for batch in content.iter_batches(_BATCH_ROWS, columns=schema.names):
                present = batch.schema.names
                columns = [
                    batch.column(field.name) if field.name in present else pa.nulls(batch.num_rows, field.type)
                    for field in schema
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def read_table(fs: AbstractFileSystem, folder: str, manifest: Manifest | None, table: str) -> pa.Table:
    """Read the rows of a table that a manifest names."""
    is_dated = table == "postings" and has_history(manifest)
    parts = [dated_postings().empty_table() if is_dated else empty_table(table)]
    for kind in KINDS.get(table, (table,)):
        for name in manifest.names(kind) if manifest else ():
            with open_file(fs, folder, name) as content:
                parts.append(content.read())
    # A file of an older contract has fewer columns.
    return pa.concat_tables(parts, promote_options="default")


def has_history(manifest: Manifest | None) -> bool:
    """Return whether superseded postings of a window are kept, even if there are none yet."""
    return manifest is not None and contract.HISTORY.name in manifest.files


@contextmanager
def open_file(fs: AbstractFileSystem, folder: str, name: str) -> Iterator[pq.ParquetFile]:
    """Open a data file that a manifest names. It is given to Arrow as an open file, so that Arrow reads no columns from
    the names of its folders."""
    try:
        with translate_os_errors(folder), fs.open(f"{folder}/{name}", "rb") as file:
            yield pq.ParquetFile(file)
    except FileNotFoundError as error:
        raise DestinationError(
            f"{folder}/{name} is named by the manifest but missing.", advice="Load the window again."
        ) from error
    except pa.ArrowInvalid as error:
        raise DestinationError(f"{folder}/{name} is damaged.", advice="Load the window again.") from error


def unwrap_filesystem(fs: AbstractFileSystem, path: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system and path behind a "directory as file system", which would hide that it is local."""
    while isinstance(fs, DirFileSystem):
        fs, path = fs.fs, fs._join(path)
    return fs, str(fs._strip_protocol(path)).rstrip("/")
