"""Fewer records than expected are a failure, not a quiet day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError

T = TypeVar("T")


def require_count(records: Iterable[T], min_count: int) -> Iterator[T]:
    """Pass records on, and refuse at their end if there were too few. A run sends nothing before it has read them all.

    :param min_count: fewest records, 0 for any number.
    :raises InvalidInputError: if there are fewer.
    """
    count = 0
    for record in records:
        count += 1
        yield record
    check_count(count, min_count)


def check_count(count: int, min_count: int) -> None:
    """Refuse too few records.

    :raises InvalidInputError: if there are fewer than ``min_count``.
    """
    if count < min_count:
        problem = f"{count} records, at least {min_count} are expected"
        remedy = "check the source, or lower min_count; nothing was sent"
        raise InvalidInputError([FieldProblem("min_count", problem, remedy)])
