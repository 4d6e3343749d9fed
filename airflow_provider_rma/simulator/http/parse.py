"""Reading the values of a request: texts, numbers, days and booleans, with the documented limits.

An empty text stands for "not given". An instant counts as the calendar day it falls on in Switzerland.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from airflow_provider_rma.simulator.books.days import ZURICH
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.http.wire import Mapped

_TOO_LARGE = Decimal("1e15")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DAY_WORDS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def read_entity(content: Mapped, name: str) -> dict[str, Mapped]:
    """Return the body as an object.

    :param name: what it should be, for the text of the refusal.
    :raises RefusalError: the body is no object.
    """
    if not isinstance(content, dict):
        raise RefusalError(f"Der Inhalt ist kein gültiges Objekt ({name}).")
    return content


def read_texts(given: Mapping[str, Mapped], limits: Mapping[str, int | None], entity: str) -> dict[str, str]:
    """Read text fields of an entity, each at most as long as its limit in characters."""
    values = {name: read_text(given, name, entity) for name in limits}
    for name, limit in limits.items():
        if limit is not None and len(values[name]) > limit:
            raise RefusalError(
                f"Der Wert von '{name}' ist zu lang ({len(values[name])} Zeichen, erlaubt sind {limit})."
            )
    return values


def read_text(given: Mapping[str, Mapped], name: str, entity: str) -> str:
    """Read a text field; a missing one is empty, of a repeated one the last counts."""
    value = given.get(name)
    if isinstance(value, list):
        value = value[-1] if value else None
    if isinstance(value, dict):
        value = value.get("$", "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusalError(f"Das Feld '{name}' ({entity}) ist kein Text.")
    return value


def read_number_field(given: Mapping[str, Mapped], name: str, entity: str, default: str | None = None) -> str:
    """Read a number field as plain decimal text.

    :param default: text for a missing number; without it a missing number is refused.
    """
    text = read_text(given, name, entity)
    if text == "":
        if default is None:
            raise RefusalError(f"Das Feld '{name}' ({entity}) fehlt.")
        return default
    return format(read_number(text, name), "f")


def read_whole_number(text: str, name: str) -> int:
    """Read a whole number of at most 16 bits."""
    number = read_number(text, name)
    if number != int(number) or abs(number) > 32767:
        raise RefusalError(f"'{text}' ist keine gültige ganze Zahl ({name}).")
    return int(number)


def read_day(text: str, field: str) -> date:
    """Read the calendar day of a date or date-time. An instant with an offset counts as the Swiss day it falls on."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        given = datetime.fromisoformat(text if _DAY.fullmatch(text[:10]) else "")
    except ValueError as error:
        raise RefusalError(f"'{text}' ist kein gültiges Datum ({field}).", field) from error
    return given.date() if given.tzinfo is None else given.astimezone(ZURICH).date()


def read_instant(text: str, field: str) -> str:
    """Read a date or date-time as ISO text: a day alone, or an instant with its offset (Swiss time without one)."""
    read_day(text, field)
    if _DAY.fullmatch(text):
        return text
    given = datetime.fromisoformat(text)
    return (given if given.tzinfo else given.replace(tzinfo=ZURICH)).isoformat()


def read_query_day(text: str, field: str, today: date) -> date:
    """Read the day of a query parameter: ``yyyy-MM-dd``, or the words ``today``, ``yesterday``, ``tomorrow``."""
    if text in _DAY_WORDS:
        return today + timedelta(days=_DAY_WORDS[text])
    if _DAY.fullmatch(text):
        return read_day(text, field)
    raise RefusalError(f"'{text}' ist kein gültiges Datum ({field}), erwartet wird JJJJ-MM-TT.", field)


def read_number(text: str, field: str) -> Decimal:
    """Read a number with a decimal point, exponents allowed. Infinite ones and NaN are refused."""
    if not _NUMBER.fullmatch(text.strip()) or abs(Decimal(text.strip())) >= _TOO_LARGE:
        raise RefusalError(f"'{text}' ist keine gültige Zahl ({field}).", field)
    return Decimal(text.strip())


def read_boolean(text: str, field: str, *, default: bool) -> bool:
    """Read ``true`` or ``false`` in any case (also ``1``, ``0``). Empty means the default."""
    word = text.strip().lower()
    if word == "":
        return default
    if word in ("true", "1"):
        return True
    if word in ("false", "0"):
        return False
    raise RefusalError(f"'{text}' ist kein gültiger Wahrheitswert ({field}).", field)
