"""Hypothesis strategies for whatever a user may hand in: data frames' scalars and arrays among it, without pandas."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from numbers import Integral
from typing import Any, NoReturn

from hypothesis import strategies as st


class NAType:
    """As ``pandas.NA``: it cannot be asked for its truth, and equals nothing for certain."""

    def __bool__(self) -> NoReturn:
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = object.__hash__


class Array:
    """As an array of numpy: comparisons are arrays, whose truth is ambiguous."""

    def __eq__(self, other: object) -> Any:
        return Array()

    def __bool__(self) -> NoReturn:
        raise ValueError("the truth value of an array with more than one element is ambiguous")

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))

    __hash__ = None  # type: ignore[assignment]


class Int64:
    """As ``numpy.int64``: registered as integral, no subclass of int."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value


Integral.register(Int64)


class Hostile:
    """Raises whatever is asked of it."""

    def _raise(self, *_: object, **__: object) -> Any:
        raise RuntimeError("Geheimnis")

    __str__ = __repr__ = __eq__ = __ne__ = __bool__ = __len__ = __iter__ = __getitem__ = __int__ = __float__ = _raise
    __index__ = __lt__ = __gt__ = __le__ = __ge__ = __format__ = __contains__ = _raise
    __hash__ = object.__hash__


class HostileText(str):
    """Text whose methods raise."""

    def _raise(self, *_: object, **__: object) -> Any:
        raise RuntimeError("Geheimnis")

    __str__ = __repr__ = __eq__ = __ne__ = __len__ = strip = lower = casefold = encode = isprintable = _raise
    __hash__ = str.__hash__


class HostileInt(int):
    """An integer whose methods raise."""

    def _raise(self, *_: object, **__: object) -> Any:
        raise RuntimeError("Geheimnis")

    __str__ = __repr__ = __eq__ = __int__ = __abs__ = __bool__ = __index__ = __lt__ = __ge__ = _raise
    __hash__ = int.__hash__


class HostileMapping(Mapping[str, Any]):
    """A mapping that raises when it is read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("Geheimnis")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("Geheimnis")

    def __len__(self) -> int:
        raise RuntimeError("Geheimnis")


class Colour(str, Enum):  # noqa: UP042 - as users write them
    RED = "R-1"


class Level(IntEnum):
    HIGH = 3


def _recursive() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


def _recursive_mapping() -> dict[str, Any]:
    itself: dict[str, Any] = {}
    itself |= {"customer": itself, "parts": itself, "part": [itself], "chart": itself, "name": itself}
    return itself


STRANGE: tuple[Any, ...] = (
    object(), object, print, NotImplemented, ..., b"R-1", bytearray(b"x"), memoryview(b"x"), 1j, range(3),
    NAType(), Array(), Int64(5), Int64(10**5000), Hostile(), HostileText("R-1"), HostileInt(5), HostileMapping(),
    Colour.RED, Level.HIGH, uuid.UUID(int=7), Fraction(1, 3), Fraction(4, 2), time(1), timedelta(1),
    date.min, date.max, datetime.min, datetime.max, datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    math.nan, math.inf, -0.0, 1e308, 10**5000, -(10**5000), True, False,
    Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+999999"), Decimal("1E-999999"), Decimal("-0"),
    "\ud83d", "\udc00R", "R\u200b", "\x1b[31m", "a\nb", "", " ", ".", "..", "x" * 100_000, "ﷺ" * 64, "Ü", "U\u0308",
    _recursive(), _recursive_mapping(), [[[]]], [None], {}, {"part": {"part": []}}, {1: 2}, {None: None}, {(): ""},
    {"_schema": 1}, {Hostile(): 1}, {"a" * 100_000: 1}, {"\ud83d": 1}, {b"x": 1}, {10**5000: 1}, type("A\nB", (), {})(),
    [{}] * 10_000, {str(index): index for index in range(10_000)}, set(), frozenset({1}), iter([1]), (1, 2),
)  # fmt: skip

#: Drawn by position, for hypothesis shows the values of other strategies.
STRANGE_VALUES = st.integers(0, len(STRANGE) - 1).map(lambda index: STRANGE[index])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(st.characters(codec=None)),
    st.binary(max_size=8), st.dates(), st.datetimes(), st.uuids(), st.fractions(), STRANGE_VALUES,
)  # fmt: skip
KEYS = st.one_of(st.text(max_size=8), st.integers(), st.none(), st.booleans(), st.binary(max_size=4), st.just(()))
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def records(fields: list[str]) -> st.SearchStrategy[Any]:
    """Anything in place of a record, mostly mappings with some of the real fields."""
    return st.one_of(OBJECTS, st.dictionaries(st.one_of(st.sampled_from(fields), KEYS), OBJECTS, max_size=8))
