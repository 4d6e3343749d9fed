"""How far a test run goes: `make test` takes a seeded slice of each long search, `make test-all` takes the whole."""

from __future__ import annotations

import os
from typing import TypeVar

#: Whether this run searches everything, however long that takes.
IS_WHOLE = os.environ.get("TEST_SCOPE") == "all"

T = TypeVar("T")


def scaled(part: T, whole: T) -> T:
    """Choose what a usual run tries, or what a whole run tries."""
    return whole if IS_WHOLE else part


def cuts(length: int, *, step: int) -> list[int]:
    """Choose where to cut a body: at every byte, or at every so many and at each of the last 40."""
    return sorted({*range(0, length, scaled(step, 1)), *range(max(0, length - 40), length)})
