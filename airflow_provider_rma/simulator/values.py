"""Numbers, dates and booleans as the service writes and reads them.

A Java server in Swiss time stands behind the interface, and its habits show: doubles as ``Double.toString`` prints
them, days as local midnight with the Swiss offset, instants taken as the Swiss calendar day.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from airflow_provider_rma.simulator.books.refusal import RefusalError

ZURICH = ZoneInfo("Europe/Zurich")
_FOUR_PLACES = Decimal("0.0001")
_TOO_LARGE = Decimal("1e15")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DAY_WORDS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def double(value: Decimal | str | int) -> str:
    """A number as Java prints a double: at least one decimal, ``1.0E7`` from ten million on, ``1.0E-4`` below 0.001."""
    number = float(value)
    if number == 0:
        return "0.0"
    if 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    fraction = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{fraction}E{power}"


def four_decimals(value: Decimal) -> str:
    """A balance: always four decimals, never a negative zero."""
    return f"{value.quantize(_FOUR_PLACES) + 0:f}"


@lru_cache(maxsize=4096)
def midnight(day: date | str) -> str:
    """A calendar day as local midnight with the Swiss offset of that day (``+01:00`` or ``+02:00``)."""
    given = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime(given.year, given.month, given.day, tzinfo=ZURICH).isoformat()


def moment(text: str) -> str:
    """An instant in Swiss time with milliseconds, left out when zero."""
    given = datetime.fromisoformat(text).astimezone(ZURICH)
    return given.isoformat(timespec="milliseconds" if given.microsecond >= 1000 else "seconds")


def today_in_zurich() -> date:
    """The calendar day it is in Switzerland now."""
    return datetime.now(ZURICH).date()


def read_day(text: str, field: str) -> date:
    """Calendar day of a date or date-time; an instant with an offset is taken as the Swiss day it falls on."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        given = datetime.fromisoformat(text if _DAY.fullmatch(text[:10]) else "")
    except ValueError as error:
        raise RefusalError(f"'{text}' ist kein gültiges Datum ({field}).", field) from error
    return given.date() if given.tzinfo is None else given.astimezone(ZURICH).date()


def read_query_day(text: str, field: str, today: date) -> date:
    """Day of a query parameter: ``yyyy-MM-dd``, or the words ``today``, ``yesterday``, ``tomorrow``."""
    if text in _DAY_WORDS:
        return today + timedelta(days=_DAY_WORDS[text])
    if _DAY.fullmatch(text):
        return read_day(text, field)
    raise RefusalError(f"'{text}' ist kein gültiges Datum ({field}), erwartet wird JJJJ-MM-TT.", field)


def read_number(text: str, field: str) -> Decimal:
    """A number with a decimal point, exponents allowed; infinite ones and NaN are refused."""
    if not _NUMBER.fullmatch(text.strip()) or abs(Decimal(text.strip())) >= _TOO_LARGE:
        raise RefusalError(f"'{text}' ist keine gültige Zahl ({field}).", field)
    return Decimal(text.strip())


def read_boolean(text: str, field: str, *, default: bool) -> bool:
    """``true``, ``false`` (also ``1``, ``0``); empty means the default."""
    if text == "":
        return default
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise RefusalError(f"'{text}' ist kein gültiger Wahrheitswert ({field}).", field)
