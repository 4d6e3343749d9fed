"""CSV: a header of RMA's field names, then one row per line, separated by comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_rma.billing.records.columns import RecordColumns
from airflow_provider_rma.billing.records.errors import unreadable_error
from airflow_provider_rma.billing.records.text import TextSource
from airflow_provider_rma.formatting import format_count

DELIMITERS = ",;\t"
#: Most characters of a value and of a line. No text that RMA prints comes near; a quotation mark that is never closed
#: makes a value of the rest of the file.
MAX_VALUE = 131_072
MAX_LINE = 1_048_576

#: Excel's own first line, which names the delimiter.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


def read_csv(
    stream: io.BufferedReader[Any], where: str, columns: RecordColumns, encoding: str | None
) -> Iterator[dict[str, Any]]:
    """Read the rows of a CSV file; an empty value is None, rows without any value are skipped.

    :raises InvalidInputError: if the header is not one of this kind of record, or a row does not fit it.
    """
    source = TextSource(stream, where, encoding)
    lines = _BoundedLines(source)
    names, delimiter = _read_header(lines, source, columns)
    columns.check(names, f"source {where}")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.size = 0
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise unreadable_error(f"{where} line {source.line}", *_describe(error)) from error
        if row is None:
            return
        if not any(map(str.strip, row)):
            continue
        if len(row) != len(names):
            problem = f"has {len(row)} columns, the header has {len(names)}"
            remedy = "put texts that hold the separator into quotation marks, and remove what is not a row"
            raise unreadable_error(f"{where} line {source.line}", problem, remedy)
        yield {name: value or None for name, value in zip(names, row, strict=True)}


class _BoundedLines:
    """Lines for a CSV reader, which would read on for ever behind a quotation mark that is never closed.

    ``size`` is the number of characters of the row so far.
    """

    def __init__(self, source: TextSource) -> None:
        self._lines = source.iter_lines(MAX_LINE)
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.size += len(line)
        if self.size > 2 * MAX_LINE:
            raise csv.Error("field larger than field limit")
        return line


def _read_header(lines: Iterator[str], source: TextSource, columns: RecordColumns) -> tuple[list[str], str]:
    """Read the header, and recognise the delimiter with which it names most fields."""
    delimiters = DELIMITERS
    for line in lines:
        text = line.strip("\r\n")
        separator = _SEPARATOR_LINE.fullmatch(text) if source.line == 1 else None
        if separator:
            delimiters = separator[1]
            if delimiters not in DELIMITERS:
                raise unreadable_error(source.where, "names another separator than comma, semicolon or tab")
        elif text.strip(f"{DELIMITERS} "):
            headers = [(_split_header(text, delimiter), delimiter) for delimiter in delimiters]
            return max(headers, key=lambda header: (len(columns.names.intersection(header[0])), len(header[0])))
    raise unreadable_error(source.where, "is empty, not even a header is there", "check how it was written")


def _split_header(text: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([text], delimiter=delimiter, strict=True))]
    except csv.Error:
        return [text]


def _describe(error: csv.Error) -> tuple[str, str]:
    if "limit" in str(error):
        return (
            f"has a value of more than {format_count(MAX_VALUE)} characters, or a quotation mark that is never closed",
            "close the quotation mark or shorten the text",
        )
    return f"is not CSV ({error})", "put texts with quotation marks into quotation marks, and double those inside"
