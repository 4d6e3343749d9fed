"""The days that a document may have: light enough for operators, which check their parameters when a DAG is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from airflow_provider_rma.exceptions import ConfigurationError

#: Every day that can be sent at all, whatever a user allows. Lists of "all" documents are asked for with these bounds,
#: so that nothing that was ever sent is hidden from them.
EARLIEST_DAY = date(1900, 1, 1)
LATEST_DAY = date(2999, 12, 31)


@dataclass(frozen=True)
class DateRange:
    """The days that are accepted from a user; beyond it a date is taken for a slip (``3026-03-02``).

    :param first: first day, inclusive.
    :param last: last day, inclusive.
    :raises ConfigurationError: if they are no days between 1900-01-01 and 2999-12-31, in this order.
    """

    first: date = EARLIEST_DAY
    last: date = date(2100, 12, 31)

    def __post_init__(self) -> None:
        plain = all(type(day) is date for day in (self.first, self.last))
        if not plain or not EARLIEST_DAY <= self.first <= self.last <= LATEST_DAY:
            raise ConfigurationError(
                f"date_range must be two days from {EARLIEST_DAY} to {LATEST_DAY}, the first not after the last",
                advice="Give the first and the last day that a document may have.",
            )

    @classmethod
    def parse(cls, value: object) -> DateRange:
        """Read a range from a parameter: None for the default, or two days, each a date or ``YYYY-MM-DD``."""
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        days = [_parse_day(day) for day in value] if isinstance(value, list | tuple) else []
        return cls(*days) if len(days) == 2 else cls(LATEST_DAY, EARLIEST_DAY)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def _parse_day(value: object) -> date:
    """Read a day; a day that no range allows stands for what is none."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else date(value.year, value.month, value.day)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return date.max


#: What is accepted where nothing else is said.
PLAUSIBLE = DateRange()
