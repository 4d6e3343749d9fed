"""What the commands print: aligned columns for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from airflow_provider_rma.exceptions import RunMyAccountsError

#: Exit code where a command has worked and found something that needs a person.
FINDINGS = 1
#: Exit code where a command could not do what it was asked for.
FAILURE = 2

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


class Refusal(click.ClickException):
    """An error as a person reads it: what happened and what to do, on stderr; no traceback."""

    exit_code = FAILURE

    def __init__(self, error: RunMyAccountsError) -> None:
        super().__init__(str(error))


def emit(values: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(values, ensure_ascii=False, indent=2, default=str))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print aligned columns.

    :param right: headers of columns that are aligned to the right.
    """
    lines = [list(headers), *([text(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            value.rjust(width) if header in right else value.ljust(width)
            for header, value, width in zip(headers, line, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def text(value: Any) -> str:
    """A value as it stands in a column."""
    return "-" if value is None or value == "" else str(value)


def local(moment: float | None) -> str | None:
    """Seconds since 1970 as a time in Zurich, e.g. ``2026-11-20 14:05:09``."""
    import pendulum

    if moment is None:
        return None
    return pendulum.from_timestamp(moment, tz="Europe/Zurich").format("YYYY-MM-DD HH:mm:ss")


def iso(moment: float | None) -> str | None:
    """Seconds since 1970 as an ISO 8601 time with Zurich's offset."""
    import pendulum

    return None if moment is None else pendulum.from_timestamp(moment, tz="Europe/Zurich").to_iso8601_string()


def span(seconds: float) -> str:
    """A length of time in words, e.g. ``3 min``; of a negative one the length without sign."""
    seconds = abs(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
