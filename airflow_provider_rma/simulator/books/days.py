"""Calendar days of the books: ISO texts, and the day it is in Switzerland."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

ZURICH = ZoneInfo("Europe/Zurich")

Day = str | date | None

_DATES = ("transdate", "duedate", "datepaid")


def today_in_zurich() -> date:
    """Return the calendar day it is in Switzerland now."""
    return datetime.now(ZURICH).date()


def to_iso(day: Day) -> str | None:
    """Write a calendar day as ISO text; empty becomes ``None``."""
    return day.isoformat()[:10] if isinstance(day, date) else day or None


def to_iso_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a document (or payment) with all its dates as ISO text of the calendar day."""
    result = dict(document)
    for key in _DATES:
        value = result.get(key)
        if isinstance(value, date):
            result[key] = value.isoformat()[:10]
        elif value:
            result[key] = str(value)[:10]
    if result.get("payments"):
        result["payments"] = [to_iso_document(payment) for payment in result["payments"]]
    return result
