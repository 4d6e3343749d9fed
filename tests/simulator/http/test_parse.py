"""Values of a request: days, numbers, booleans."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.http.parse import read_boolean, read_day, read_number, read_query_day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2012-08-06", "2012-08-06"),
        ("2012-08-06T00:00:00+02:00", "2012-08-06"),
        ("2011-10-24T10:39:18.333+02:00", "2011-10-24"),
        ("2022-05-01T00:00:00", "2022-05-01"),
        ("2022-04-30T22:00:00+00:00", "2022-05-01"),
        ("2022-05-01T00:00:00+00:00", "2022-05-01"),
    ],
)
def test_a_moment_is_the_swiss_day_it_falls_on(text: str, day: str) -> None:
    assert read_day(text, "transdate").isoformat() == day


@pytest.mark.parametrize("text", ["06.08.2012", "2012-13-01", "20120806", "2012-W32-1", "gestern", ""])
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="kein gültiges Datum"):
        read_day(text, "transdate")


def test_query_days_may_be_words_but_no_moments() -> None:
    today = date(2026, 1, 1)
    assert [read_query_day(word, "to", today).isoformat() for word in ("yesterday", "today", "tomorrow")] == [
        "2025-12-31",
        "2026-01-01",
        "2026-01-02",
    ]
    with pytest.raises(RefusalError, match="JJJJ-MM-TT"):
        read_query_day("2026-01-01T00:00:00", "to", today)


@pytest.mark.parametrize("text", ["1,5", "NaN", "Infinity", "1_000", "", "1e999", "1e16", "٣", "0x10", "--1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="keine gültige Zahl"):
        read_number(text, "amount")


def test_numbers_keep_their_text() -> None:
    assert read_number("1.0E7", "amount") == Decimal("10000000")
    assert str(read_number("-106.920", "amount")) == "-106.920"


def test_booleans() -> None:
    assert read_boolean("true", "x", default=False)
    assert read_boolean("1", "x", default=False)
    assert not read_boolean("false", "x", default=True)
    assert read_boolean("", "x", default=True)
    assert read_boolean("True", "x", default=False)
    assert read_boolean(" TRUE ", "x", default=False)
    assert not read_boolean("False", "x", default=True)
    with pytest.raises(RefusalError):
        read_boolean("ja", "x", default=True)
