"""Flat rows become records with lines in lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from numbers import Number
from typing import Any

from airflow_provider_rma.billing.numbers import read_number
from airflow_provider_rma.billing.outcomes import Outcome
from airflow_provider_rma.billing.records.model import Record, RefusedRecord
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.schemas.problems import printable_name

#: Fields of an invoice that hold lists, each row of a flat source giving one line.
LIST_FIELDS = ("parts", "incomeentries", "taxentries")


def nest_rows(rows: Iterable[Any], *, key: str) -> Iterator[Record | RefusedRecord]:
    """Turn flat rows into records; records that are nested already pass unchanged.

    :param rows: mappings; a flat row has a name with ``__``. Anything else becomes a refused record.
    :param key: the field that ties rows together (``invnumber``, ``customernumber``).
    :raises InvalidInputError: if rows of one record contradict each other, or do not follow each other.
    """
    current: dict[str, Any] | None = None
    with closing(_SeenNumbers()) as seen:
        for position, row in enumerate(rows, start=1):
            record, is_line = _nest(row, position, key)
            number = _read_key(record.get(key)) if isinstance(record, dict) and is_line else ""
            if current is not None and number and _read_key(current.get(key)) == number:
                _merge(current, record, f"row {position} ({key} {printable_name(number)})")
                continue
            if current is not None:
                yield current
                current = None
            if not isinstance(record, dict) or not is_line:
                yield record
                continue
            if number and not seen.add(number):
                problem = f"rows of {printable_name(number)} appear again after rows of another record"
                raise InvalidInputError([FieldProblem(f"row {position}: {key}", problem, f"order the rows by {key}")])
            current = record
        if current is not None:
            yield current


class _SeenNumbers:
    """The numbers of finished records. In a temporary database, so that memory does not grow with their number."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE seen (number BLOB PRIMARY KEY) WITHOUT ROWID"
        )

    def add(self, number: str) -> bool:
        """Note a number.

        :returns: whether it is new.
        """
        # As bytes: SQLite takes no unpaired surrogates.
        parameters = (number.encode("utf-8", "surrogatepass"),)
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", parameters).rowcount == 1

    def close(self) -> None:
        """Remove the database."""
        self._db.close()


def _nest(row: Any, position: int, key: str) -> tuple[dict[str, Any] | RefusedRecord, bool]:
    """Turn a row into a record with at most one line in each list.

    :returns: the record, and whether further rows may add lines to it.
    """
    if not isinstance(row, Mapping):
        reason = f"record {position}: is a {type(row).__name__}, not a mapping of fields; give a JSON object"
        return RefusedRecord("", Outcome.INVALID, (reason,), {"record": row}), False
    try:
        row = dict(row)
        nested = _group_columns(row)
    except Exception:  # noqa: BLE001 - a user's mapping may raise anything
        reason = f"record {position}: cannot be read; give a plain dict"
        return RefusedRecord("", Outcome.INVALID, (reason,), {"record": type(row).__name__}), False
    whole = {name for name in LIST_FIELDS if row.get(name) is not None}
    mixed = (nested.keys() & row.keys()) | (whole if nested.keys() & set(LIST_FIELDS) else set())
    if mixed:
        number = read_number(row, key)
        names = ", ".join(map(printable_name, sorted(mixed)))
        reason = (
            f"{f'{key} {number}' if number else f'record {position}'}: {names}: "
            "nested fields and columns with __ are mixed; give all lines in lists, or one line per row in columns"
        )
        return RefusedRecord(number, Outcome.INVALID, (reason,), row), False
    record = {name: value for name, value in row.items() if not _is_column(name)}
    for name, values in nested.items():
        if values:
            record[name] = [values] if name in LIST_FIELDS else values
    return record, bool(nested) and not whole


def _is_column(name: Any) -> bool:
    return isinstance(name, str) and "__" in name.strip("_")


def _group_columns(row: dict[Any, Any]) -> dict[str, dict[str, Any]]:
    """Collect the values of columns by the field they belong to; an empty one means "not given"."""
    nested: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        if _is_column(name):
            outer, _, inner = name.partition("__")
            values = nested.setdefault(outer, {})
            if value is not None and not (isinstance(value, str) and not value):
                values[inner] = value
    return nested


def _read_key(value: Any) -> str:
    if isinstance(value, str | Number):
        with suppress(Exception):
            return str(value)
    return ""


def _merge(record: dict[str, Any], row: Any, where: str) -> None:
    """Add the lines of a further row to a record, whose other fields must be the same."""
    for name in dict.fromkeys([*record, *row]):
        if name in LIST_FIELDS:
            record[name] = [*(record.get(name) or ()), *(row.get(name) or ())]
        elif not _is_same(record.get(name), row.get(name)):
            remedy = "give every row of a record the same value in the columns that are not lines"
            raise InvalidInputError(
                [FieldProblem(f"{where}: {printable_name(name)}", "differs from the rows before", remedy)]
            )


def _is_same(first: Any, second: Any) -> bool:
    """Whether two values are the same; NaN, which is unequal to itself, is the same as NaN."""
    try:
        return first is second or bool(first == second) or bool(first != first and second != second)
    except Exception:  # noqa: BLE001 - a user's object may raise anything
        return False
