"""JSON and NDJSON: numbers as exact decimals, no member twice, a record at a time in bounded memory."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from airflow_provider_rma.billing.records.columns import RecordColumns
from airflow_provider_rma.billing.records.errors import unreadable_error
from airflow_provider_rma.billing.records.text import TextSource
from airflow_provider_rma.formatting import format_count
from airflow_provider_rma.schemas.problems import printable_name

#: Most characters of one record: some 20,000 lines of an invoice.
MAX_RECORD = 4_194_304
#: Most levels of objects and arrays in a record; an invoice has four.
MAX_DEPTH = 32
#: Numbers of more digits, or with a larger exponent, stay text, which no amount accepts.
_MAX_DIGITS = 100
_CHUNK = 65_536
_BLANKS = " \t\r\n"


class _RepeatedMemberError(Exception):
    pass


def read_json(
    stream: io.BufferedReader[Any], where: str, columns: RecordColumns, encoding: str | None
) -> Iterator[Any]:
    """Read an array of records, or one record.

    :raises InvalidInputError: if it is not valid JSON, or an object has a member twice.
    """
    document = _JsonDocument(TextSource(stream, where, encoding), where)
    begin = document.peek()
    if not begin:
        raise _empty_error(where)
    if begin == "[":
        yield from document.read_elements()
    elif begin == "{":
        yield document.read_value()
    else:
        raise unreadable_error(where, "holds neither an array of records nor a record")
    if document.peek():
        raise unreadable_error(where, "goes on after its end", "one record per line is NDJSON: name it .ndjson")


def read_ndjson(
    stream: io.BufferedReader[Any], where: str, columns: RecordColumns, encoding: str | None
) -> Iterator[Any]:
    """Read one record per line; blank lines are skipped.

    :raises InvalidInputError: as :func:`read_json`.
    """
    source = TextSource(stream, where, encoding)
    is_empty = True
    for line in source.iter_lines(MAX_RECORD):
        if not line.strip():
            continue
        is_empty = False
        place = f"{where} line {source.line}"
        try:
            record = _DECODER.decode(line)
        except (ValueError, RecursionError, _RepeatedMemberError) as error:
            _refuse(error, place)
        yield _check_depth(record, place)
    if is_empty:
        raise _empty_error(where)


class _JsonDocument:
    """A JSON text that is read as far as it is needed."""

    def __init__(self, source: TextSource, where: str) -> None:
        self._source = source
        self._where = where
        self._text = ""
        self._position = 0
        self._is_whole = False

    def peek(self) -> str:
        """Return the next character that is not blank, empty at the end."""
        while True:
            while self._position < len(self._text):
                character = self._text[self._position]
                if character not in _BLANKS:
                    return character
                self._position += 1
            if self._is_whole:
                return ""
            self._fill()

    def read_elements(self) -> Iterator[Any]:
        """Read the array that begins here."""
        self._position += 1
        if self.peek() == "]":
            self._position += 1
            return
        number = 1
        while True:
            self.peek()
            yield self.read_value(f" record {number}")
            separator = self.peek()
            self._position += 1
            if separator == "]":
                return
            if separator != ",":
                problem = "is not valid JSON: the array is not closed" if not separator else "is not valid JSON"
                raise unreadable_error(f"{self._where} after record {number}", problem)
            number += 1

    def read_value(self, place: str = "") -> Any:
        """Read the value that begins here."""
        place = self._where + place
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if self._is_whole:
                    _refuse(error, place)
            except (ValueError, RecursionError, _RepeatedMemberError) as error:
                _refuse(error, place)
            else:
                # A number that ends with the text read so far may go on.
                if end < len(self._text) or self._is_whole:
                    self._position = end
                    return _check_depth(value, place)
            if len(self._text) - self._position > MAX_RECORD:
                raise unreadable_error(
                    place, f"is not valid JSON, or has more than {format_count(MAX_RECORD)} characters"
                )
            self._fill()

    def _fill(self) -> None:
        """Read on, each time as much as there is, so that long records are not decoded over and over again."""
        self._text = self._text[self._position :]
        self._position = 0
        more = self._source.read(max(_CHUNK, len(self._text)))
        self._is_whole = not more
        self._text += more


def _read_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedMemberError(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return members


def _read_decimal(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if abs(number.adjusted()) <= _MAX_DIGITS else text


def _read_integer(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


_DECODER = json.JSONDecoder(object_pairs_hook=_read_members, parse_float=_read_decimal, parse_int=_read_integer)


def _check_depth(record: Any, place: str) -> Any:
    level = [record]
    for _ in range(MAX_DEPTH):
        level = (
            [
                child
                for value in level
                for child in (value.values() if isinstance(value, dict) else value)
                if isinstance(child, dict | list)
            ]
            if isinstance(record, dict | list)
            else []
        )
        if not level:
            return record
    raise _depth_error(place)


def _refuse(error: Exception, place: str) -> NoReturn:
    if isinstance(error, _RepeatedMemberError):
        name = printable_name(str(error))
        raise unreadable_error(f"{place}: {name}", "stands twice in one object", "keep the member that is meant")
    if isinstance(error, RecursionError):
        raise _depth_error(place) from None
    problem = f"is not valid JSON ({error.msg})" if isinstance(error, json.JSONDecodeError) else "is not valid JSON"
    raise unreadable_error(place, problem) from None


def _depth_error(place: str) -> Exception:
    return unreadable_error(place, f"has more than {MAX_DEPTH} levels", "give a record as documented")


def _empty_error(where: str) -> Exception:
    return unreadable_error(where, "is empty", "check how it was written; an empty list of records is []")
