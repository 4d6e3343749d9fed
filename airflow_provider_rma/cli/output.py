"""Output of the commands: aligned columns for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from airflow_provider_rma.exceptions import RunMyAccountsError
from airflow_provider_rma.formatting import format_time, to_zurich

#: Exit code of a command that has worked and found something that needs a person.
NEEDS_ATTENTION = 1
#: Exit code of a command that could not do what it was asked for.
FAILURE = 2

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


class Refusal(click.ClickException):
    """An error as a person reads it: what happened and what to do, on stderr; no traceback."""

    exit_code = FAILURE

    def __init__(self, error: RunMyAccountsError) -> None:
        super().__init__(str(error))


def print_json(values: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(values, ensure_ascii=False, indent=2, default=str))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print aligned columns.

    :param right: headers of columns that are aligned to the right.
    """
    lines = [list(headers), *([_to_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            value.rjust(width) if header in right else value.ljust(width)
            for header, value, width in zip(headers, line, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _to_cell(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)


def local_time(seconds: float | None) -> str | None:
    """Format seconds since 1970 as a time in Zurich, e.g. ``2026-11-20 14:05:09``."""
    return None if seconds is None else format_time(seconds)


def iso_time(seconds: float | None) -> str | None:
    """Format seconds since 1970 as an ISO 8601 time with Zurich's offset."""
    return None if seconds is None else to_zurich(seconds).to_iso8601_string()
