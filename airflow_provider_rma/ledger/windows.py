"""Windows, the whole months that a run reads, proves and replaces one by one; and the days and times that set them.

Whatever a user or a template gives as a day or a time is parsed here. Days are calendar days: nothing depends on the
time zone of the worker.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pendulum

from airflow_provider_rma.exceptions import ConfigurationError

#: Days before the run's day that are read again by default: the time in which books are usually still touched.
REREAD_DAYS = 90

#: Where the books are kept, and people read clocks.
ZURICH = "Europe/Zurich"

_FIRST_YEAR = 1900

#: Years after the current one in which vouchers may be dated ahead.
_YEARS_AHEAD = 1
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


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
    def day_before(self) -> date:
        """The day before the month: balances up to it are the month's openings."""
        return self.start - timedelta(days=1)

    @property
    def next(self) -> Window:
        """The month after."""
        return Window.of(self.end + timedelta(days=1))

    @property
    def previous(self) -> Window:
        """The month before."""
        return Window.of(self.day_before)

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class MonthLoad:
    """One loading of one window: the columns that all its rows in the warehouse share.

    :param load_id: id of the run's load.
    """

    tenant: str
    window: Window
    load_id: str

    def columns(self) -> dict[str, Any]:
        """Return the values by column."""
        return {"tenant": self.tenant, "month": self.window.start, "load_id": self.load_id}


def list_windows(
    from_date: date | str | None = None,
    to_date: date | str | None = None,
    *,
    reread_days: int = REREAD_DAYS,
    today: date | None = None,
) -> list[Window]:
    """List the whole months that cover a period, oldest first.

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
    given_first, given_last = parse_day(from_date, "from_date"), parse_day(to_date, "to_date")
    last = given_last or max(today, given_first or today)
    first = given_first or min(today, last) - timedelta(days=reread_days)
    if last < first:
        raise ConfigurationError(
            f"from_date {first.isoformat()} lies after to_date {last.isoformat()}.",
            advice="Give the first and the last day of the period, both inclusive.",
        )
    return list(_months(first, last))


def check_begun(period: Sequence[Window], today: date) -> None:
    """Refuse a period that nobody can mean: one in which no month has begun, or that ends years ahead.

    Months ahead that belong to a period which has begun are read like others: vouchers may be dated ahead.

    :param period: windows, oldest first.
    :param today: the run's day.
    :raises ConfigurationError: if the first month has not begun, or the last lies behind the end of next year.
    """
    first, last, current = period[0], period[-1], Window.of(today)
    if first > current:
        raise ConfigurationError(
            f"the period {format_months([first, last])} lies in the future: the current month is {current}.",
            advice="Correct the year of from_date. A month can be read once it has begun.",
        )
    if last.start.year > today.year + _YEARS_AHEAD:
        raise ConfigurationError(
            f"the period ends in {last}, years ahead: the current month is {current}.",
            advice=f"Correct the year of to_date; at most the end of {today.year + _YEARS_AHEAD} can be read.",
        )


def _months(first: date, last: date) -> Iterator[Window]:
    window = Window.of(first)
    while window.start <= last:
        yield window
        window = window.next


def format_months(months: Iterable[Window]) -> str:
    """Name the first and the last of some months, e.g. ``2016-01 to 2019-03``; there may be gaps between them."""
    names = sorted(window.name for window in months)
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def today_in_zurich() -> date:
    """Return the calendar day it is in Zurich, wherever this runs."""
    now = pendulum.now(ZURICH)
    return date(now.year, now.month, now.day)


def now_utc() -> datetime:
    """Return the present."""
    return pendulum.now("UTC")


def is_blank(value: object) -> bool:
    """Whether a parameter was not given: None, or the text that a template makes of a missing value."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def parse_day(value: date | str | None, name: str) -> date | None:
    """Parse a day that a user or a template gives. Returns None for an empty value.

    :param value: ``date``, ``YYYY-MM-DD``, or a time stamp at midnight: the day is the one that is written.
    :param name: the parameter, for messages.
    :raises ConfigurationError: if it is no day, has a time of day, or lies before 1900.
    """
    if is_blank(value):
        return None
    day: date | None = value if not isinstance(value, str) else _parse_iso(value)
    if isinstance(day, datetime):
        midnight = (day.hour, day.minute, day.second, day.microsecond) == (0, 0, 0, 0)
        day = day.date() if midnight else None
    if not isinstance(day, date):
        raise ConfigurationError(
            f"{name} is no calendar day.", advice="Give a date, or text such as 2026-08-31, without a time of day."
        )
    _check_year(day, name)
    return date(day.year, day.month, day.day)


def parse_instant(value: date | datetime | str | None, name: str) -> pendulum.DateTime | None:
    """Parse an instant that a user or a template gives. Returns None for an empty value.

    :param value: ISO 8601 text, or an object. Without an offset it is a time in Zurich; a day is its midnight there.
    :param name: the parameter, for messages.
    :raises ConfigurationError: if it is no instant, or lies before 1900.
    """
    if is_blank(value):
        return None
    instant: date | None = value if not isinstance(value, str) else _parse_iso(value)
    if isinstance(instant, date) and not isinstance(instant, datetime):
        instant = datetime(instant.year, instant.month, instant.day)  # noqa: DTZ001 - becomes a time in Zurich below
    if not isinstance(instant, datetime):
        raise ConfigurationError(
            f"{name} is no moment.", advice="Give ISO 8601, e.g. 2026-08-31 or 2026-08-31T06:00+02:00."
        )
    _check_year(instant, name)
    return pendulum.instance(instant, tz=ZURICH)


def parse_stop_at(value: datetime | str | None, start: datetime) -> pendulum.DateTime | None:
    """Parse the instant at which a run stops. Returns None for an empty value.

    :param value: ``HH:MM``, the next time that clocks in Zurich show it; or an instant, see :func:`parse_instant`.
    :param start: when the run began, with a zone; ``HH:MM`` is later than this.
    :raises ConfigurationError: if it is neither.
    """
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock is None:
        try:
            return parse_instant(value, "stop_at")
        except ConfigurationError as error:
            error.advice = "Give a time of day in Zurich such as 06:00, or a moment such as 2026-08-31T06:00."
            raise
    begun = pendulum.instance(start).in_timezone(ZURICH)
    today = begun.start_of("day")
    # An hour that the change of clocks leaves out is the one after, an hour that comes twice its second time.
    candidates = (
        pendulum.datetime(day.year, day.month, day.day, int(clock[1]), int(clock[2]), tz=ZURICH)
        for day in (today, today.add(days=1))
    )
    return next(instant for instant in candidates if instant > begun)


def _parse_iso(text: str) -> date | None:
    text = text.strip()
    try:
        return date.fromisoformat(text) if len(text) == len("YYYY-MM-DD") else datetime.fromisoformat(text)
    except ValueError:
        return None


def _check_year(day: date, name: str) -> None:
    if day.year < _FIRST_YEAR:
        raise ConfigurationError(f"{name} lies before {_FIRST_YEAR}.", advice="Correct the year.")
