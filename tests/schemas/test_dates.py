"""A date is the calendar day that was written, in every time zone of the worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError, UnexpectedResponseError
from airflow_provider_rma.schemas import dates
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.date_range import EARLIEST_DAY, LATEST_DAY, PLAUSIBLE, DateRange
from airflow_provider_rma.schemas.invoice import InvoicePartSchema
from airflow_provider_rma.schemas.ledger import TransactionSchema
from airflow_provider_rma.schemas.payment import PaymentSchema

SCHEMA = TransactionSchema()
KEY = {"entry_id": "1"}
ZURICH = pendulum.timezone("Europe/Zurich")


@pytest.fixture(autouse=True, params=["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def worker_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        dates.format_wire_date.cache_clear()
        dates.parse_wire_date.cache_clear()
        yield request.param
    time.tzset()


def from_user(value: object, **options: str) -> object:
    return SCHEMA.from_user({"transdate": value}, **options)["transdate"]


def refusal(value: object, **options: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        from_user(value, **options)
    (problem,) = caught.value.problems
    assert problem.path == "transaction: transdate"
    assert str(value) not in str(caught.value)
    return f"{problem.problem}; {problem.remedy}"


@pytest.mark.parametrize(
    ("day", "written"),
    [
        (date(2012, 8, 6), "2012-08-06T00:00:00+02:00"),
        (date(2012, 2, 21), "2012-02-21T00:00:00+01:00"),
        (date(2025, 3, 30), "2025-03-30T00:00:00+01:00"),  # clocks change later that night
        (date(2025, 3, 31), "2025-03-31T00:00:00+02:00"),
        (date(2025, 10, 26), "2025-10-26T00:00:00+02:00"),
        (date(2025, 10, 27), "2025-10-27T00:00:00+01:00"),
        (date(1950, 7, 1), "1950-07-01T00:00:00+01:00"),
        (date(1850, 1, 1), "1850-01-01T00:00:00+01:00"),
        (date(9999, 12, 31), "9999-12-31T00:00:00+01:00"),
    ],
)
def test_days_are_written_as_swiss_midnight(day: date, written: str) -> None:
    assert SCHEMA.to_wire({"transdate": day})["transdate"] == written


@pytest.mark.parametrize(
    "text",
    [
        "2012-08-06T00:00:00+02:00",
        "2012-08-06T00:00:00.000+0200",
        "2012-08-06T00:00:00Z",
        "2012-08-06T23:59:59.999-11:00",
        "2012-08-06T09:30:54.679+02:00",
        "2012-08-06T00:00:00",
        "2012-08-06 00:00",
        "2012-08-06+02:00",
        "2012-08-06",
    ],
)
def test_the_day_on_the_wire_is_never_converted(text: str) -> None:
    assert SCHEMA.from_wire({**KEY, "transdate": text})["transdate"] == date(2012, 8, 6)


@pytest.mark.parametrize(
    "text", ["2012-02-30T00:00:00+01:00", "06.08.2012", "2012-W32-1", "20120806", "2012-08-061", "x"]
)
def test_an_unreadable_date_names_the_field_only(text: str) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        SCHEMA.from_wire({**KEY, "transdate": text}, path="transaction[3]")
    assert "transaction[3]: transdate: cannot be read as a date" in str(caught.value)
    assert text not in str(caught.value) or text == "x"


@pytest.mark.parametrize(
    "value",
    [
        date(2025, 3, 31),
        datetime(2025, 3, 31),
        datetime(2025, 3, 31, tzinfo=UTC),
        datetime(2025, 3, 31, tzinfo=timezone(timedelta(hours=-8))),
        pendulum.date(2025, 3, 31),
        pendulum.datetime(2025, 3, 31, tz="Pacific/Auckland"),
        "2025-03-31",
        " 2025-03-31 ",
        "2025-03-31T00:00:00+13:00",
        "2025-03-31T00:00:00Z",
        "2025-03-31 00:00:00.000000",
    ],
)
def test_users_may_give_dates_in_many_forms(value: object) -> None:
    for options in ({}, {"input_timezone": "Europe/Zurich"}):
        result = from_user(value, **options)
        assert result == date(2025, 3, 31)
        assert type(result) is date


@pytest.mark.parametrize(
    "value",
    [
        datetime(2025, 3, 30, 22, tzinfo=UTC),
        pendulum.datetime(2025, 3, 30, 23, tz="Europe/London"),
        "2025-03-30T22:00:00Z",
        "2025-03-31T08:15:00+02:00",
        datetime(2025, 3, 31, 8, 15),
        "2025-03-31 08:15",
    ],
)
def test_a_time_of_day_needs_input_timezone(value: object) -> None:
    text = refusal(value)
    assert "has a time of day" in text
    assert "input_timezone" in text
    assert from_user(value, input_timezone="Europe/Zurich") == date(2025, 3, 31)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("31.03.2025", "is not a date"),
        ("2025-02-30", "is not a date"),
        ("2025-W14-1", "is not a date"),
        ("2025-03-31T25:00:00Z", "is not a date"),
        ("0205-03-31", "lies outside of 1900-01-01 to 2100-12-31"),
        ("3026-03-02", "lies outside of 1900-01-01 to 2100-12-31; correct the year, or widen date_range"),
        (date(1899, 12, 31), "lies outside"),
        (date.max, "lies outside"),
        (datetime.max.replace(tzinfo=UTC), "has a time of day"),
        (20250331, "is a int, not a date"),
        (float("nan"), "is a data frame's mark for an empty cell"),
        (True, "is a bool, not a date"),
    ],
)
def test_what_is_no_date_is_refused(value: object, words: str) -> None:
    assert words in refusal(value)


def test_the_empty_time_stamp_of_data_frames_is_refused() -> None:
    class NaT(datetime):
        def __eq__(self, other: object) -> bool:
            return False

        def __ne__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    assert "empty time stamp" in refusal(NaT(2025, 1, 1))


def test_an_unknown_zone_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="Europe/Bern"):
        from_user("2025-03-31", input_timezone="Europe/Bern")


@given(st.datetimes(datetime(1901, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC)))
def test_instants_become_the_day_in_zurich(stamp: datetime) -> None:
    expected = stamp.date() if stamp.time() == datetime.min.time() else stamp.astimezone(ZURICH).date()
    assert from_user(stamp, input_timezone="Europe/Zurich") == expected
    assert from_user(stamp.isoformat(), input_timezone="Europe/Zurich") == expected


def test_a_range_widens_or_narrows_what_is_accepted() -> None:
    wide = DateRange(date(1950, 1, 1), date(2999, 12, 31))
    assert SCHEMA.from_user({"transdate": "2999-12-31"}, date_range=wide)["transdate"] == date(2999, 12, 31)
    with pytest.raises(InvalidInputError, match="lies outside of 1950-01-01 to 2999-12-31"):
        SCHEMA.from_user({"transdate": "1949-12-31"}, date_range=wide)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, PLAUSIBLE),
        (("1900-01-01", "2999-12-31"), DateRange(EARLIEST_DAY, LATEST_DAY)),
        ([date(2020, 1, 1), datetime(2030, 1, 1)], DateRange(date(2020, 1, 1), date(2030, 1, 1))),
        (PLAUSIBLE, PLAUSIBLE),
    ],
)
def test_a_range_is_read_from_a_parameter(value: object, expected: DateRange) -> None:
    assert DateRange.parse(value) == expected


@pytest.mark.parametrize(
    "value",
    ["2020-01-01", ("2020-01-01",), ("2030-01-01", "2020-01-01"), ("1899-12-31", "2100-01-01"), ("x", None), 5,
     ("2020-01-01", "3000-01-01"), ("2020-01-01", "2021-01-01", "2022-01-01")],
)  # fmt: skip
def test_a_range_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="date_range"):
        DateRange.parse(value)


@pytest.mark.parametrize("value", ["2024-04-02T14:05:31.204+02:00", datetime(2024, 4, 2, 23, 59), "2024-04-02 00:00"])
def test_a_documented_time_stamp_is_its_own_calendar_day(value: object) -> None:
    line = {"partnumber": "A", "quantity": 1, "sellprice": 1, "price_update": value}
    assert InvoicePartSchema().from_user(line)["price_update"] == date(2024, 4, 2)
    customer = {"customernumber": "K-1", "name": "Muster", "ended": value}
    assert CustomerSchema().from_user(customer)["ended"] == date(2024, 4, 2)


def test_a_documented_time_stamp_is_converted_where_a_zone_is_given() -> None:
    line = {"partnumber": "A", "quantity": 1, "sellprice": 1, "price_update": "2024-04-02T23:30:00Z"}
    assert InvoicePartSchema().from_user(line, input_timezone="Europe/Zurich")["price_update"] == date(2024, 4, 3)


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("2011-11-23T10:39:17.945+01:00", date(2011, 11, 23)),
        ("2025-03-31", date(2025, 3, 31)),
        ("2025-03-31T00:00:00+02:00", date(2025, 3, 31)),
        ("2025-03-31T23:59:59", date(2025, 3, 31)),
        ("2025-03-31T21:59:59Z", date(2025, 3, 31)),
        ("2025-03-31T22:30:00Z", date(2025, 4, 1)),
        ("2025-12-31T22:59:59Z", date(2025, 12, 31)),
        ("2025-12-31T23:30:00+00:00", date(2026, 1, 1)),
        (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), date(2026, 1, 1)),
    ],
)
def test_the_time_stamp_of_a_payment_counts_as_its_swiss_day(stamp: object, day: date) -> None:
    payment = {"amount_paid": "1", "payment_accno": "1090", "datepaid": stamp}
    assert PaymentSchema().from_user(payment)["datepaid"] == day
