"""Files and folders of records on any storage; the format follows from the name."""

from __future__ import annotations

import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, Any, Protocol

from airflow_provider_rma.billing.records.columns import RecordColumns
from airflow_provider_rma.billing.records.csv import read_csv
from airflow_provider_rma.billing.records.errors import storage_error, unreadable_error
from airflow_provider_rma.billing.records.json import read_json, read_ndjson
from airflow_provider_rma.billing.records.model import Record, RefusedRecord
from airflow_provider_rma.billing.records.nesting import nest_rows
from airflow_provider_rma.exceptions import ConfigurationError, RunMyAccountsError
from airflow_provider_rma.formatting import format_count

Reader = Callable[["io.BufferedReader[Any]", str, RecordColumns, "str | None"], Iterator[Any]]

#: Most bytes that a compressed file may unpack to.
MAX_UNPACKED = 2 * 1024**3


class ReadableFileSystem(Protocol):
    """The part of an fsspec file system that reading needs."""

    def info(self, path: str) -> Mapping[str, Any]:
        """Describe a path: ``type`` is ``file`` or ``directory``."""

    def ls(self, path: str, detail: bool = True) -> list[Mapping[str, Any]]:
        """Describe the content of a folder."""

    def open(self, path: str, mode: str = "rb") -> IO[bytes]:
        """Open a file."""


def read_file(
    fs: ReadableFileSystem, path: str, columns: RecordColumns, *, encoding: str | None = None, url: str = ""
) -> Iterator[Record | RefusedRecord]:
    """Read records from a file, one at a time, in bounded memory.

    JSON (an array of records), NDJSON (``.ndjson``, ``.jsonl``), CSV (``.csv``, ``.tsv``; comma, semicolon or tab) and
    Parquet are told apart by the name's ending; behind it ``.gz``, ``.bz2`` and ``.xz`` are unpacked. A folder is read
    as one file: its parts in the order of their names, without those whose names begin with ``_`` or ``.``.

    :param fs: an fsspec file system.
    :param path: the file or folder on it.
    :param columns: the columns that flat rows may have, and the field that ties them together.
    :param encoding: encoding of a text file without a byte order mark, UTF-8 by default.
    :param url: the path as a user names it, for messages.
    :raises ConfigurationError: for an unknown ending, or a file that the storage does not hand out.
    :raises InvalidInputError: for a file that is not what its name says.
    """
    rows = (
        row
        for part, where in _list_parts(fs, path, url or path)
        for row in _read_part(fs, part, where, columns, encoding)
    )
    return nest_rows(rows, key=columns.key)


def _list_parts(fs: ReadableFileSystem, path: str, url: str) -> list[tuple[str, str]]:
    """List the files to be read, with their names for messages."""
    try:
        if fs.info(path)["type"] != "directory":
            return [(path, url)]
        entries = [(str(entry["name"]), entry["type"]) for entry in fs.ls(path, detail=True)]
    except Exception as error:
        if isinstance(error, FileNotFoundError):
            _check_ending(path, url)  # no file of such a name can be waited for
        raise storage_error(url, error) from error
    folder = path.rstrip("/")
    found = sorted((PurePosixPath(name).name, name, kind) for name, kind in entries if name.rstrip("/") != folder)
    parts = [(name, full, kind) for name, full, kind in found if not name.startswith(("_", "."))]
    where = url.rstrip("/")
    if any(kind == "directory" for _, _, kind in parts):
        raise unreadable_error(where, "is a folder of folders", "give a folder that holds the parts themselves")
    if len({_split_name(name) for name, _, _ in parts}) != 1:
        problem = "is a folder of files of several kinds" if parts else "is a folder without files"
        raise unreadable_error(where, problem, "give a file, or a folder with nothing but the parts of one")
    return [(full, f"{where}/{name}") for name, full, _ in parts]


def _split_name(path: str) -> tuple[str, str]:
    """Split the endings of a name into that of the format and that of the compression, empty without one."""
    name = PurePosixPath(path)
    packed = name.suffix.lower() if name.suffix.lower() in _COMPRESSIONS else ""
    return PurePosixPath(name.stem if packed else name.name).suffix.lower(), packed


def _check_ending(path: str, where: str) -> tuple[str, str]:
    suffix, packed = _split_name(path)
    if suffix not in _ENDINGS:
        advice = "Save the sheet as CSV UTF-8, document numbers formatted as text. " if suffix in _SPREADSHEETS else ""
        advice += f"Name it with one of {', '.join(sorted(_ENDINGS))}."
        raise ConfigurationError(
            f"source {where}: a file ending in {suffix or 'nothing'!r} cannot be read", advice=advice
        )
    return suffix, packed


def _read_part(
    fs: ReadableFileSystem, path: str, where: str, columns: RecordColumns, encoding: str | None
) -> Iterator[Any]:
    suffix, packed = _check_ending(path, where)
    try:
        stream = fs.open(path, "rb")
    except Exception as error:
        raise storage_error(where, error) from error
    with stream, io.BufferedReader(_StorageStream(stream, where)) as buffered:
        if packed:
            with io.BufferedReader(_UnpackedStream(buffered, packed, where)) as unpacked:
                yield from _find_reader(suffix)(unpacked, where, columns, encoding)
        else:
            yield from _find_reader(suffix)(buffered, where, columns, encoding)


class _StorageStream(io.RawIOBase):
    """A file of a storage whose failures are ours, so that they are told from a damaged file."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream = stream
        self._where = where

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except Exception as error:
            raise storage_error(self._where, error) from error
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


class _UnpackedStream(io.RawIOBase):
    """The content of a compressed file, up to a limit."""

    def __init__(self, packed: io.BufferedReader[Any], compression: str, where: str) -> None:
        from fsspec.compression import compr

        self._stream = compr[_COMPRESSIONS[compression]](packed, mode="rb")
        self._where = where
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except RunMyAccountsError:
            raise
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            raise unreadable_error(self._where, "is damaged: it cannot be unpacked", "write it again") from error
        self._size += len(data)
        if self._size > MAX_UNPACKED:
            raise unreadable_error(
                self._where, f"unpacks to more than {format_count(MAX_UNPACKED)} bytes", "split the file"
            )
        buffer[: len(data)] = data
        return len(data)


def _find_reader(suffix: str) -> Reader:
    reader = _READERS.get(suffix)
    if reader is not None:
        return reader
    try:
        from airflow_provider_rma.billing.records.parquet import read_parquet
    except ImportError as error:
        raise ConfigurationError(
            "source: reading Parquet needs pyarrow", advice="Install airflow-provider-rma[parquet]."
        ) from error
    return read_parquet


_READERS: dict[str, Reader] = {
    ".json": read_json,
    ".ndjson": read_ndjson,
    ".jsonl": read_ndjson,
    ".csv": read_csv,
    ".tsv": read_csv,
}
_ENDINGS = frozenset({*_READERS, ".parquet"})
_SPREADSHEETS = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz"}
