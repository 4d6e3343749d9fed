"""Calendar dates: the day that was written, in every time zone of the worker."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

import pendulum
from marshmallow import missing

from airflow_provider_rma.schemas.date_range import EARLIEST_DAY, PLAUSIBLE, DateRange
from airflow_provider_rma.schemas.fields import RmaField
from airflow_provider_rma.schemas.mapped import scalar_text
from airflow_provider_rma.schemas.notation import PLAIN, Notation
from airflow_provider_rma.schemas.problems import validation_error, wrong_type_error

_USER = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<clock>[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_WIRE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_MIDNIGHT = time()
_ZURICH = "Europe/Zurich"


@lru_cache(maxsize=8192)
def format_wire_date(day: date) -> str:
    """Local midnight with the Swiss offset of that day, e.g. ``2012-08-06T00:00:00+02:00`` (documented).

    Before 1895 Switzerland kept a local time with odd seconds; such days are written with +01:00.
    """
    if day.year < EARLIEST_DAY.year:
        return f"{day.isoformat()}T00:00:00+01:00"
    return pendulum.datetime(day.year, day.month, day.day, tz=_ZURICH).isoformat()


@lru_cache(maxsize=8192)
def parse_wire_date(text: str) -> date:
    """The ten calendar characters of a date or time stamp; nothing is ever converted.

    :raises ValidationError: if they are no date.
    """
    match = _WIRE.match(text)
    if match:
        try:
            return date.fromisoformat(match[1])
        except ValueError:
            pass  # e.g. 30 February: reported below
    raise validation_error("cannot be read as a date")


class CalendarDate(RmaField):
    """DATE, and DATETIME where only the day counts.

    From users: a ``date``, a ``datetime`` or a time stamp at midnight in its own offset, or ISO text. Any other time of
    day is refused, unless the schema was asked to read with ``input_timezone``: then it is converted, and the calendar
    day there counts (a time without an offset is taken to be in that zone already). Days outside of the schema's
    ``date_range`` are refused.

    :param is_timestamp: documented as a point in time of which RMA needs the day: any time of day is accepted, and
        without ``input_timezone`` the day is the one that is written, in the time stamp's own offset.
    :param is_swiss_instant: documented as a point in time whose day decides the accounting period: any time of day is
        accepted, and without ``input_timezone`` the day is the one in Switzerland, as for the service.
    """

    kind = "date"

    def __init__(self, *, is_timestamp: bool = False, is_swiss_instant: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_timestamp = is_timestamp
        self.timezone = _ZURICH if is_swiss_instant else None

    def read_user(self, value: Any) -> Any:
        if isinstance(value, str):
            value = self._parse(value.strip())
            if value is missing:
                return missing
        if isinstance(value, datetime):
            value = self._to_day(value)
        if not isinstance(value, date):
            raise wrong_type_error(value, "a date", "give a date, or text such as 2025-03-31")
        day = date(value.year, value.month, value.day)
        allowed: DateRange = getattr(self.parent, "date_range", PLAUSIBLE)
        if day not in allowed:
            raise validation_error(
                f"lies outside of {allowed.first} to {allowed.last}",
                "correct the year, or widen date_range if such dates are meant",
            )
        return day

    def _parse(self, text: str) -> Any:
        if not text:
            return missing
        notation: Notation = getattr(self.parent, "notation", PLAIN)
        text = notation.read_date(text) or text
        match = _USER.fullmatch(text)
        try:
            if match:
                return datetime.fromisoformat(text) if match["clock"] else date.fromisoformat(text)
        except ValueError:
            pass  # e.g. 30 February: reported below
        if notation.date_format is not None:
            raise validation_error(f"is not a date written as {notation.date_format}", "correct it, or date_format")
        raise validation_error(
            "is not a date", "write it as year-month-day, such as 2025-03-31, or name the source's date_format"
        )

    def _to_day(self, stamp: datetime) -> date:
        if stamp != stamp:  # how NaT, the empty time stamp of data frames, shows itself
            raise validation_error("is an empty time stamp", "give a date or None")
        if stamp.time() == _MIDNIGHT:
            return stamp.date()
        zone: str | None = getattr(self.parent, "input_timezone", None) or self.timezone
        if zone is None and self.is_timestamp:
            return stamp.date()
        if zone is None:
            remedy = "give the calendar date alone, or set input_timezone to the zone whose calendar day counts"
            raise validation_error("has a time of day, so its calendar day depends on the time zone", remedy)
        return stamp.date() if stamp.tzinfo is None else stamp.astimezone(pendulum.timezone(zone)).date()

    def read_wire(self, value: Any) -> date | None:
        text = scalar_text(value).strip()
        return parse_wire_date(text) if text else None

    def write_wire(self, value: Any) -> str:
        return format_wire_date(value)
