"""Writing the values of a response as the service does.

A Java server in Swiss time stands behind the interface, and its habits show: doubles as ``Double.toString`` prints
them, days as local midnight with the Swiss offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from airflow_provider_rma.simulator.books.days import ZURICH

Values = Mapping[str, Any]

_FOUR_PLACES = Decimal("0.0001")


def render_text(values: Values, name: str) -> str:
    """Render a text field, empty if it is not set."""
    return str(values.get(name) or "")


def render_boolean(value: Any) -> str:
    """Render ``true`` or ``false``."""
    return "true" if value else "false"


def render_double(value: Decimal | str | int) -> str:
    """Render a number as Java prints a double.

    At least one decimal, ``1.0E7`` from ten million on, ``1.0E-4`` below 0.001.
    """
    number = float(value)
    if number == 0:
        return "0.0"
    if 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    fraction = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{fraction}E{power}"


def render_four_decimals(value: Decimal) -> str:
    """Render a balance: always four decimals, never a negative zero."""
    return f"{value.quantize(_FOUR_PLACES) + 0:f}"


@lru_cache(maxsize=4096)
def render_day(day: date | str) -> str:
    """Render a calendar day as local midnight with the Swiss offset of that day (``+01:00`` or ``+02:00``)."""
    given = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime(given.year, given.month, given.day, tzinfo=ZURICH).isoformat()


def render_instant(moment: str) -> str:
    """Render an instant in Swiss time with milliseconds, left out when zero."""
    given = datetime.fromisoformat(moment).astimezone(ZURICH)
    return given.isoformat(timespec="milliseconds" if given.microsecond >= 1000 else "seconds")


def render_day_or_instant(value: Any) -> str:
    """Render a day or an instant, by the length of its ISO text; empty if it is not set."""
    given = str(value or "")
    if not given:
        return ""
    return render_day(given) if len(given) == 10 else render_instant(given)
