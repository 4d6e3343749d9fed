"""Where records come from: lists, files on any storage, rows of a query.

A record is a mapping with RMA's own field names. Flat rows (CSV, SQL, Parquet) name nested fields with ``__``:
``parts__quantity`` is the quantity of a line, ``customer__name`` the name in an embedded customer. Rows that follow
each other with the same key belong to one record and contribute one line each.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import IO, Any

from airflow_provider_rma.billing.outcomes import Outcome
from airflow_provider_rma.exceptions import ConfigurationError, FieldProblem, InvalidInputError

#: Fields of an invoice that hold lists, each row of a flat source giving one line.
LIST_FIELDS = ("parts", "incomeentries", "taxentries")

Record = Mapping[str, Any]


@dataclass(frozen=True)
class RefusedRecord:
    """A record that its source has decided about already: it is reported and not sent.

    :param number: number by which a user knows it.
    """

    number: str
    outcome: Outcome
    reasons: tuple[str, ...]
    record: Record


OpenFile = Callable[[str], IO[bytes]]


def read_file(open_file: OpenFile, path: str, *, key: str) -> Iterator[dict[str, Any]]:
    """Read records from a file, one at a time where the format allows it.

    JSON (an array of records), NDJSON (``.ndjson``, ``.jsonl``), CSV (UTF-8, comma or semicolon) and Parquet are told
    apart by the name's ending. Numbers in JSON are read as exact decimals.

    :param open_file: opens a path for reading bytes, on whatever storage it lies.
    :param path: path or URL of the file.
    :param key: the field that ties flat rows together (``invnumber``, ``customernumber``).
    :raises ConfigurationError: for an unknown ending.
    :raises InvalidInputError: for a file that is not what its name says.
    """
    suffix = PurePosixPath(path).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise ConfigurationError(
            f"source: a file ending in {suffix or 'nothing'!r} cannot be read",
            advice=f"Name it with one of {', '.join(sorted(_READERS))}.",
        )
    with open_file(path) as stream:
        yield from nest_rows(reader(stream, path), key=key)


def nest_rows(rows: Iterable[Record], *, key: str) -> Iterator[dict[str, Any]]:
    """Turn flat rows into records; records that are nested already pass unchanged.

    :param rows: mappings; a flat row may carry ``field__subfield`` names.
    :param key: the field that ties rows together.
    :raises InvalidInputError: if rows of one record contradict each other, or do not follow each other.
    """
    current: dict[str, Any] | None = None
    seen: set[str] = set()
    for position, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise InvalidInputError(
                [FieldProblem(f"record {position}", "is no mapping of fields", "give a JSON object")]
            )
        if not any("__" in name for name in row):
            if current is not None:
                yield current
                current = None
            yield dict(row)
            continue
        record = _nested(row)
        number = str(record.get(key) or "")
        if current is not None and number and str(current.get(key) or "") == number:
            _merge(current, record, f"row {position} ({key} {number})")
            continue
        if current is not None:
            yield current
        if number and number in seen:
            raise InvalidInputError(
                [
                    FieldProblem(
                        f"row {position}: {key}",
                        f"rows of {number} appear again after rows of another record",
                        f"order the rows by {key}",
                    )
                ]
            )
        seen.add(number)
        current = record
    if current is not None:
        yield current


def _nested(row: Record) -> dict[str, Any]:
    """One flat row as a record with at most one line in each list."""
    record: dict[str, Any] = {}
    for name, value in row.items():
        outer, separator, inner = name.partition("__")
        if not separator:
            record[name] = value
        elif value is not None and value != "":
            record.setdefault(outer, {})[inner] = value
    for name in LIST_FIELDS:
        if name in record:
            record[name] = [record[name]]
    return record


def _merge(record: dict[str, Any], row: dict[str, Any], where: str) -> None:
    """Add the lines of a further row to a record, whose other fields must be the same."""
    for name, value in row.items():
        if name in LIST_FIELDS:
            record.setdefault(name, []).extend(value)
        elif record.get(name) != value:
            raise InvalidInputError(
                [
                    FieldProblem(
                        f"{where}: {name}",
                        "differs from the rows before",
                        "give every row of a record the same value in the columns that are not lines",
                    )
                ]
            )


def _read_json(stream: IO[bytes], path: str) -> Iterator[Record]:
    try:
        records = json.load(stream, parse_float=Decimal)
    except ValueError as error:
        raise _unreadable(path, "is not valid JSON") from error
    if isinstance(records, dict):
        records = [records]
    if not isinstance(records, list):
        raise _unreadable(path, "holds neither an array of records nor a record")
    yield from records


def _read_ndjson(stream: IO[bytes], path: str) -> Iterator[Record]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield json.loads(line, parse_float=Decimal)
            except ValueError as error:
                raise _unreadable(f"{path} line {number}", "is not valid JSON") from error


def _read_csv(stream: IO[bytes], path: str) -> Iterator[Record]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        header = text.readline()
        delimiter = ";" if header.count(";") > header.count(",") else ","
        names = next(csv.reader([header], delimiter=delimiter), [])
        for number, row in enumerate(csv.reader(text, delimiter=delimiter, strict=True), start=2):
            if not row:
                continue
            if len(row) != len(names):
                raise _unreadable(f"{path} line {number}", f"has {len(row)} columns, the header has {len(names)}")
            yield {name: value for name, value in zip(names, row, strict=True) if value != ""}
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, "is not a CSV file in UTF-8") from error


def _read_parquet(stream: IO[bytes], path: str) -> Iterator[Record]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigurationError(
            "source: reading Parquet needs pyarrow", advice="Install airflow-provider-rma[parquet]."
        ) from error
    try:
        batches = parquet.ParquetFile(stream).iter_batches(batch_size=1_000)
    except Exception as error:
        raise _unreadable(path, "is no Parquet file") from error
    for batch in batches:
        yield from batch.to_pylist()


def _unreadable(path: str, problem: str) -> InvalidInputError:
    return InvalidInputError([FieldProblem(f"source {path}", problem, "check the file, nothing was sent")])


_READERS: dict[str, Callable[[IO[bytes], str], Iterator[Record]]] = {
    ".json": _read_json,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
