"""Amounts, counts and times as people read them: one notation for logs, pages, messages and the command line."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pendulum

ZURICH = "Europe/Zurich"


def format_amount(amount: Decimal | None, missing: str = "–") -> str:
    """Format an amount in Swiss notation: ``1'234.50``."""
    return missing if amount is None else f"{amount:,.2f}".replace(",", "'")


def format_count(count: int) -> str:
    """Format a count in Swiss notation: ``12'345``."""
    return f"{count:,}".replace(",", "'")


def format_quantity(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 document``, ``2 documents``."""
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def name_warehouse(kind: str, location: str) -> str:
    """Name a warehouse by its address, or by kind and path where there is only a path."""
    return location if "://" in location else f"{kind} {location}"


def to_zurich(time: float | datetime) -> pendulum.DateTime:
    """Convert a time to Zurich's.

    :param time: seconds since 1970, or a time with its zone.
    """
    if isinstance(time, datetime):
        return pendulum.instance(time).in_timezone(ZURICH)
    return pendulum.from_timestamp(time, tz=ZURICH)


def format_time(time: float | datetime) -> str:
    """Format a time to the second, in Zurich: ``2026-11-20 14:05:09``.

    :param time: seconds since 1970, or a time with its zone.
    """
    return to_zurich(time).format("YYYY-MM-DD HH:mm:ss")


def format_minute(time: float | datetime) -> str:
    """Format a time to the minute, in Zurich, with the place: ``2026-11-20 14:05 (Zurich)``.

    :param time: seconds since 1970, or a time with its zone.
    """
    return f"{to_zurich(time).format('YYYY-MM-DD HH:mm')} (Zurich)"


def format_span(seconds: float) -> str:
    """Format a length of time in one unit: ``3 min``; the sign is dropped."""
    seconds = abs(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
