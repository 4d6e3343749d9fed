"""Reading the mapped form: the text of a scalar, the elements of a list in its wrapper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_rma.schemas.problems import validation_error


def scalar_text(value: Any) -> str:
    """Text of a scalar of the mapped form.

    An element that has attributes carries its text under ``$``; empty elements arrive as ``""``, ``{}`` or null.
    Real JSON numbers and booleans are taken as their text. A float is not: its text is lost already.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return scalar_text(value.get("$"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    raise validation_error("is not a single value")


def unwrap(value: Any, item: str) -> list[Any]:
    """Elements of a list in a wrapper, in all the forms in which RMA's JSON gives one.

    One element is an object, several are an array; no element is null, an empty text, an empty object, or nothing at
    all (documented, seen in clients). Repeated wrappers and a bare array are read as well.

    :param value: the value of the wrapper, e.g. ``{"part": [{...}, {...}]}``.
    :param item: name of one element, e.g. ``part``.
    :raises ValidationError: if it is a text.
    """
    if not value:
        return []
    if isinstance(value, Mapping):
        inner = value.get(item) if item in value else None
        if not inner:
            return []
        return list(inner) if isinstance(inner, list | tuple) else [inner]
    if isinstance(value, list | tuple):
        return [element for entry in value for element in _elements(entry, item)]
    if isinstance(value, str) and not value.strip():
        return []
    raise validation_error("cannot be read as a list")


def _elements(entry: Any, item: str) -> Iterable[Any]:
    if isinstance(entry, Mapping) and set(entry) == {item}:
        return unwrap(entry, item)
    return [entry]
