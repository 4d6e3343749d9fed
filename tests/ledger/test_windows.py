"""Which months a run covers, wherever its worker stands."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.windows import (
    Window,
    check_begun,
    list_windows,
    parse_day,
    parse_instant,
    parse_stop_at,
    today_in_zurich,
)

TODAY = date(2026, 8, 17)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAYS = st.dates(date(1900, 1, 1), date(2200, 12, 31))


def names(*args: Any, **kwargs: Any) -> list[str]:
    return [window.name for window in list_windows(*args, **{"today": TODAY} | kwargs)]


def test_by_default_the_months_of_the_last_ninety_days_are_covered() -> None:
    assert names() == ["2026-05", "2026-06", "2026-07", "2026-08"]
    assert names(reread_days=0) == ["2026-08"]
    assert names(reread_days=17) == ["2026-07", "2026-08"]
    assert names(reread_days=16) == ["2026-08"]


def test_a_period_is_covered_by_whole_months() -> None:
    (one,) = list_windows("2026-02-10", "2026-02-11")
    assert (one.start, one.end) == (date(2026, 2, 1), date(2026, 2, 28))
    assert names("2025-12-31", "2026-01-01") == ["2025-12", "2026-01"]
    assert [window.end for window in list_windows("2024-02-29", date(2024, 2, 29))] == [date(2024, 2, 29)]


def test_half_a_period_is_completed() -> None:
    assert names("2026-07-01") == ["2026-07", "2026-08"]
    assert names(from_date="2026-09-15") == ["2026-09"]
    assert names(to_date="2026-03-31") == ["2025-12", "2026-01", "2026-02", "2026-03"]
    assert names(to_date="2026-10-01", reread_days=20) == ["2026-07", "2026-08", "2026-09", "2026-10"]


def test_what_a_template_leaves_empty_is_not_given() -> None:
    assert names("", "None") == names()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"from_date": "2026-13-01"}, "from_date is no calendar day"),
        ({"to_date": "yesterday"}, "to_date is no calendar day"),
        ({"to_date": "2026-08-31T12:00:00"}, "to_date is no calendar day"),
        ({"from_date": datetime(2026, 8, 1, 0, 0, 1)}, "from_date is no calendar day"),
        ({"from_date": 20260801}, "from_date is no calendar day"),
        ({"from_date": "1899-12-31"}, "from_date lies before 1900"),
        ({"from_date": "2026-08-02", "to_date": "2026-08-01"}, "2026-08-02 lies after to_date 2026-08-01"),
        ({"reread_days": -1}, "reread_days"),
        ({"reread_days": True}, "reread_days"),
        ({"reread_days": "90"}, "reread_days"),
    ],
)
def test_what_is_no_period_is_refused_and_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        list_windows(**given, today=TODAY)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"from_date": "2026-12-01"}, "2026-12 lies in the future: the current month is 2026-11"),
        ({"from_date": "2030-01-01"}, "2030-01 lies in the future"),
        ({"from_date": "2030-01-01", "to_date": "2031-03-31"}, "2030-01 to 2031-03 lies in the future"),
        ({"to_date": "2930-01-31", "reread_days": 0}, "ends in 2930-01, years ahead"),
        ({"from_date": "2026-01-01", "to_date": "2062-12-31"}, "ends in 2062-12, years ahead"),
        ({"from_date": "2026-01-01", "to_date": "2028-01-01"}, "ends in 2028-01, years ahead"),
    ],
)
def test_a_period_in_the_future_is_refused_with_its_year(given: dict[str, Any], told: str) -> None:
    today = date(2026, 11, 30)
    with pytest.raises(ConfigurationError, match=told):
        check_begun(list_windows(**given, today=today), today)


@pytest.mark.parametrize(("given", "last"), [
    ({}, "2026-11"),
    ({"from_date": "2026-11-30"}, "2026-11"),
    ({"from_date": "2026-11-01", "to_date": "2026-12-31"}, "2026-12"),
    ({"from_date": "2026-11-01", "to_date": "2027-12-31"}, "2027-12"),
    ({"from_date": "1900-01-01", "to_date": "1900-01-31"}, "1900-01"),
])  # fmt: skip
def test_months_ahead_of_a_period_that_has_begun_are_read(given: dict[str, Any], last: str) -> None:
    today = date(2026, 11, 30)
    period = list_windows(**given, today=today)
    check_begun(period, today)
    assert period[-1].name == last


def test_a_day_is_the_one_that_is_written() -> None:
    assert parse_day("2026-08-31T00:00:00+14:00", "day") == date(2026, 8, 31)
    assert parse_day(datetime(2026, 8, 31), "day") == date(2026, 8, 31)


@given(DAYS, DAYS)
def test_windows_cover_the_period_without_gap_or_overlap(one: date, other: date) -> None:
    first, last = sorted((one, other))
    found = list_windows(first, last)
    assert first in found[0]
    assert last in found[-1]
    assert all(window.start.day == 1 and (window.end + timedelta(days=1)).day == 1 for window in found)
    assert all(before.next == after and after.day_before == before.end for before, after in pairwise(found))


@given(DAYS)
def test_the_month_of_a_day_holds_it_and_has_its_name(day: date) -> None:
    window = Window.of(day)
    assert day in window
    assert window.name == day.isoformat()[:7] == str(window)
    assert window.day_before not in window


_PROBE = """
import time
time.tzset()
from datetime import date
from unittest.mock import patch
import pendulum
from airflow_provider_rma.ledger.windows import list_windows, today_in_zurich

def at(text):
    with patch.object(pendulum, "now", lambda zone: pendulum.parse(text).in_timezone(zone)):
        return today_in_zurich().isoformat() + " " + ",".join(w.name for w in list_windows(reread_days=31))

print(at("2026-07-31T21:59:59Z"))
print(at("2026-07-31T22:00:00Z"))
print(at("2026-12-31T22:59:59Z"))
print(at("2026-12-31T23:00:00Z"))
print(",".join(f"{w.start}/{w.end}" for w in list_windows("2026-03-01T00:00:00+01:00", date(2026, 4, 30))))
"""


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Europe/Zurich"])
def test_the_zone_of_the_worker_changes_nothing(zone: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, env=os.environ | {"TZ": zone}
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "2026-07-31 2026-06,2026-07",
        "2026-08-01 2026-07,2026-08",
        "2026-12-31 2026-11,2026-12",
        "2027-01-01 2026-12,2027-01",
        "2026-03-01/2026-03-31,2026-04-01/2026-04-30",
    ]


def test_today_is_a_plain_day() -> None:
    assert type(today_in_zurich()) is date


def zurich(text: str) -> datetime:
    return pendulum.from_format(text, "YYYY-MM-DD HH:mm", tz="Europe/Zurich")


@pytest.mark.parametrize(
    ("given", "start", "moment"),
    [
        ("06:00", "2026-11-27 22:00", "2026-11-28 06:00"),
        (" 06:00 ", "2026-11-27 05:59", "2026-11-27 06:00"),
        ("06:00", "2026-11-27 06:00", "2026-11-28 06:00"),
        ("00:00", "2026-12-31 23:59", "2027-01-01 00:00"),
        ("06:00", "2026-10-24 22:00", "2026-10-25 06:00"),
        ("02:30", "2026-03-28 22:00", "2026-03-29 03:30"),
        ("2026-11-28T06:00", "2026-11-27 22:00", "2026-11-28 06:00"),
        ("2026-11-28T05:00Z", "2026-11-27 22:00", "2026-11-28 06:00"),
        ("2026-11-28", "2026-11-27 22:00", "2026-11-28 00:00"),
        (datetime(2026, 11, 28, 6), "2026-11-27 22:00", "2026-11-28 06:00"),
        (datetime(2026, 11, 28, 5, tzinfo=UTC), "2026-11-27 22:00", "2026-11-28 06:00"),
        (datetime(2026, 11, 20, 5, tzinfo=UTC), "2026-11-27 22:00", "2026-11-20 06:00"),
    ],
)
def test_moments_to_stop_at(given: Any, start: str, moment: str) -> None:
    begun = zurich(start)
    assert parse_stop_at(given, begun) == parse_stop_at(given, begun.astimezone(UTC)) == zurich(moment)


@pytest.mark.parametrize("nothing", [None, "", " ", "None"])
def test_no_moment(nothing: Any) -> None:
    assert parse_stop_at(nothing, NOON) is parse_instant(nothing, "resume_since") is None


@pytest.mark.parametrize("wrong", ["soon", "6", "24:00", "06:60", "0006-01-01", 6, "2026-13-01"])
def test_what_is_no_moment_is_named(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="stop_at.*06:00"):
        parse_stop_at(wrong, NOON)
    with pytest.raises(ConfigurationError, match="resume_since"):
        parse_instant(wrong, "resume_since")


def test_days_and_times_without_an_offset_are_those_of_zurich() -> None:
    assert parse_instant("2026-07-01", "x") == parse_instant(date(2026, 7, 1), "x") == zurich("2026-07-01 00:00")
    assert parse_instant("2026-07-01 10:00:00.5", "x") == pendulum.datetime(2026, 7, 1, 8, 0, 0, 500_000)
