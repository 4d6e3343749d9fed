"""Moments as people and templates give them: since when months count as done, and when a run has to stop."""

from __future__ import annotations

import re
from datetime import date, datetime

import pendulum

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.windows import is_blank

#: Where the books are kept, and people read clocks.
ZURICH = "Europe/Zurich"

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_FIRST_YEAR = 1900


def now() -> datetime:
    """The present."""
    return pendulum.now("UTC")


def read_moment(value: date | datetime | str | None, name: str) -> pendulum.DateTime | None:
    """A moment as a user or a template gives it; empty means "not given".

    :param value: ISO 8601 text, or an object. Without an offset it is a time in Zurich; a day is its midnight there.
    :param name: what it is called in messages.
    :raises ConfigurationError: if it is no moment, or lies before 1900.
    """
    if is_blank(value):
        return None
    moment = _parsed(value.strip()) if isinstance(value, str) else value
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - becomes a time in Zurich below
    if not isinstance(moment, datetime):
        raise ConfigurationError(
            f"{name} is no moment.", advice="Give ISO 8601, e.g. 2026-08-31 or 2026-08-31T06:00+02:00."
        )
    if moment.year < _FIRST_YEAR:
        raise ConfigurationError(f"{name} lies before {_FIRST_YEAR}.", advice="Correct the year.")
    return pendulum.instance(moment, tz=ZURICH)


def stop_moment(value: datetime | str | None, start: datetime) -> pendulum.DateTime | None:
    """When to stop; None if that was not given.

    :param value: ``HH:MM``, the next time it is that o'clock in Zurich; or a moment as of :func:`read_moment`.
    :param start: when the run began, with a zone; ``HH:MM`` is later than this.
    :raises ConfigurationError: if it is neither.
    """
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock is None:
        return _absolute(value)
    begun = pendulum.instance(start).in_timezone(ZURICH)
    today = begun.start_of("day")
    # An hour that the change of clocks leaves out is the one after, an hour that comes twice its second time.
    moments = (
        pendulum.datetime(day.year, day.month, day.day, int(clock[1]), int(clock[2]), tz=ZURICH)
        for day in (today, today.add(days=1))
    )
    return next(moment for moment in moments if moment > begun)


def _absolute(value: datetime | str | None) -> pendulum.DateTime | None:
    try:
        return read_moment(value, "stop_at")
    except ConfigurationError as error:
        error.advice = "Give a time of day in Zurich such as 06:00, or a moment such as 2026-08-31T06:00."
        raise


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
