"""Windows: the whole months that a run reads, proves and replaces, one by one."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pendulum

from airflow_provider_rma.exceptions import ConfigurationError

#: Days before the run's day that are read again by default: the time in which books are usually still touched.
REREAD_DAYS = 90

_FIRST_YEAR = 1900


@dataclass(frozen=True, order=True)
class Window:
    """One month of one tenant, all accounts: the unit that is replaced as a whole.

    :param start: first day of the month, inclusive.
    :param end: last day of the month, inclusive.
    """

    start: date
    end: date

    @classmethod
    def of(cls, day: date) -> Window:
        """The month that holds a day."""
        return cls(day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1]))

    @property
    def name(self) -> str:
        """The month as text, e.g. ``2026-08``."""
        return f"{self.start.year:04d}-{self.start.month:02d}"

    @property
    def eve(self) -> date:
        """The day before the month: what stands in the books on it is the month's opening."""
        return self.start - timedelta(days=1)

    @property
    def next(self) -> Window:
        """The month after."""
        return Window.of(self.end + timedelta(days=1))

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return self.name


def windows(
    from_date: date | str | None = None,
    to_date: date | str | None = None,
    *,
    reread_days: int = REREAD_DAYS,
    today: date | None = None,
) -> list[Window]:
    """The whole months that cover a period, oldest first.

    Days are calendar days; nothing depends on the time zone of the worker.

    :param from_date: a day in the first month (``date`` or ``YYYY-MM-DD``); by default the day that lies
        ``reread_days`` before ``today``, or before ``to_date`` if that is earlier.
    :param to_date: a day in the last month, inclusive; by default ``today``, or ``from_date`` if that is later.
    :param reread_days: days to go back, at least 0.
    :param today: the run's day; by default the day it is in Zurich.
    :raises ConfigurationError: for a value that is no day, or a period that ends before it begins.
    """
    if isinstance(reread_days, bool) or not isinstance(reread_days, int) or reread_days < 0:
        raise ConfigurationError("reread_days is no whole number from 0.", advice="Give a number of days.")
    today = today or today_in_zurich()
    given_first, given_last = read_day(from_date, "from_date"), read_day(to_date, "to_date")
    last = given_last or max(today, given_first or today)
    first = given_first or min(today, last) - timedelta(days=reread_days)
    if last < first:
        raise ConfigurationError(
            f"from_date {first.isoformat()} lies after to_date {last.isoformat()}.",
            advice="Give the first and the last day of the period, both inclusive.",
        )
    return list(_months(first, last))


def _months(first: date, last: date) -> Iterator[Window]:
    window = Window.of(first)
    while window.start <= last:
        yield window
        window = window.next


def bounds(months: Iterable[Window]) -> str:
    """The first and the last of some months, e.g. ``2016-01 to 2019-03``; there may be gaps between them."""
    names = sorted(window.name for window in months)
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def today_in_zurich() -> date:
    """The calendar day it is in Zurich, wherever this runs."""
    now = pendulum.now("Europe/Zurich")
    return date(now.year, now.month, now.day)


def read_day(value: date | str | None, name: str) -> date | None:
    """A day as a user or a template gives it; empty means "not given".

    :param value: ``date``, ``YYYY-MM-DD``, or a time stamp at midnight: the day is the one that is written.
    :param name: what it is called in messages.
    :raises ConfigurationError: if it is no day, has a time of day, or lies before 1900.
    """
    if is_blank(value):
        return None
    day = _parsed(value.strip()) if isinstance(value, str) else value
    if isinstance(day, datetime):
        midnight = (day.hour, day.minute, day.second, day.microsecond) == (0, 0, 0, 0)
        day = day.date() if midnight else None
    if not isinstance(day, date):
        raise ConfigurationError(
            f"{name} is no calendar day.", advice="Give a date, or text such as 2026-08-31, without a time of day."
        )
    if day.year < _FIRST_YEAR:
        raise ConfigurationError(f"{name} lies before {_FIRST_YEAR}.", advice="Correct the year.")
    return date(day.year, day.month, day.day)


def is_blank(value: object) -> bool:
    """Whether a parameter was not given: None, or what a template makes of a value that is not there."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def _parsed(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("YYYY-MM-DD") else datetime.fromisoformat(text)
    except ValueError:
        return None
