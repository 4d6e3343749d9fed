"""Problems of values in words; those of nested fields become one flat list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import ValidationError

from airflow_provider_rma.exceptions import FieldProblem

#: Most problems that are told of one record.
MAX_PROBLEMS = 30


class Problem(str):
    """Text of one problem that carries its remedy through marshmallow's error structures.

    :param text: what is wrong; never the value itself.
    :param remedy: what to do about it.
    """

    remedy: str
    __slots__ = ("remedy",)

    def __new__(cls, text: str, remedy: str = "") -> Problem:
        self = super().__new__(cls, text)
        self.remedy = remedy
        return self


def validation_error(text: str, remedy: str = "") -> ValidationError:
    """An error with one problem, ready to be raised."""
    return ValidationError([Problem(text, remedy)])


def wrong_type_error(value: Any, wanted: str, remedy: str) -> ValidationError:
    """An error for a value of a type that a field cannot read.

    :param wanted: the type that is wanted, with its article.
    :param remedy: what to do, where the value is not a data frame's mark for an empty cell.
    """
    name = type_name(value)
    if name in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return validation_error("is a data frame's mark for an empty cell", "give None, or leave the field out")
    return validation_error(f"is a {name}, not {wanted}", remedy)


def type_name(value: Any) -> str:
    """The name of a value's type as it may be shown."""
    return printable_name(type(value).__name__)


def missing_error() -> ValidationError:
    """The error for a required field without a value."""
    return validation_error("is missing", "give a value, the field is required")


def field_problems(path: str, messages: Any) -> list[FieldProblem]:
    """Flatten marshmallow's nested messages.

    :param path: name of the record, put before each field, e.g. ``invoice R-1``.
    :param messages: ``ValidationError.messages``.
    :returns: problems with paths such as ``invoice R-1: parts[2].unit``, in the order of the fields.
    """
    found: list[FieldProblem] = []
    more = 0
    for field, message in _walk("", messages):
        if len(found) == MAX_PROBLEMS:
            more += 1
            continue
        where = f"{path}: {field}" if path and field else path or field
        found.append(FieldProblem(where, str(message), getattr(message, "remedy", "")))
    if more:
        found.append(FieldProblem(path, f"has {more} further problems", "correct these first"))
    return found


def _walk(prefix: str, messages: Any) -> Iterator[tuple[str, str]]:
    if isinstance(messages, str):
        yield prefix, messages
    elif isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _walk(_join(prefix, key), inner)
    else:
        for inner in messages:
            yield from _walk(prefix, inner)


def _join(prefix: str, key: Any) -> str:
    if key == "_schema":
        return prefix
    if type(key) is int:
        return f"{prefix}[{key}]"
    name = printable_name(key)
    return f"{prefix}.{name}" if prefix else name


def printable_name(key: Any) -> str:
    """A field's name as it may be shown: a key from outside may be anything, also a line break in a log."""
    if isinstance(key, bool | int | float | None) and not (isinstance(key, int) and abs(key) >= 10**18):
        return repr(key)
    if not isinstance(key, str):
        return f"<{printable_name(type(key).__name__)}>"
    text = str.__str__(key[:65])
    return text if text.isprintable() and 0 < len(text) <= 64 else ascii(text)[:64]


def unknown_field_problem(key: Any, known: Iterable[str], entity: str) -> Problem:
    """The problem of a field nobody knows, with the nearest known name.

    :param key: the name that was given.
    :param known: names that may be written.
    :param entity: what the record is, e.g. ``customer``.
    """
    plain = {_normalise(name): name for name in known}
    usable = isinstance(key, str) and len(key) <= 64  # the comparison takes long for long texts
    near = difflib.get_close_matches(_normalise(key), plain, n=1, cutoff=0.7) if usable else []
    article = "an" if entity[0] in "aeiou" else "a"
    text = f"is not a field of {article} {entity}"
    return Problem(text, f"did you mean '{plain[near[0]]}'?" if near else "remove it or correct its name")


def _normalise(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").lstrip("@")
