"""One notation for amounts, counts and times."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_rma.formatting import (
    format_amount,
    format_count,
    format_minute,
    format_quantity,
    format_span,
    format_time,
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1234567.5"), "1'234'567.50"),
        (Decimal("-1000"), "-1'000.00"),
        (Decimal(0), "0.00"),
        (None, "–"),
    ],
)
def test_an_amount_has_apostrophes_and_two_places(amount: Decimal | None, text: str) -> None:
    assert format_amount(amount) == text


def test_a_count_has_apostrophes() -> None:
    assert [format_count(count) for count in (0, 999, 12_345, 1_000_000)] == ["0", "999", "12'345", "1'000'000"]


def test_a_noun_follows_its_count() -> None:
    assert [format_quantity(count, "document") for count in (0, 1, 2_000)] == [
        "0 documents",
        "1 document",
        "2'000 documents",
    ]


@pytest.mark.parametrize("time", [1_795_179_909, datetime(2026, 11, 20, 13, 5, 9, tzinfo=UTC)])
def test_a_time_is_zurichs(time: float | datetime) -> None:
    assert format_time(time) == "2026-11-20 14:05:09"
    assert format_minute(time) == "2026-11-20 14:05 (Zurich)"


def test_a_time_in_summer_is_two_hours_ahead_of_utc() -> None:
    assert format_time(datetime(2026, 7, 1, 22, 0, tzinfo=UTC)) == "2026-07-02 00:00:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (-180, "3 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_a_span_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert format_span(seconds) == text
