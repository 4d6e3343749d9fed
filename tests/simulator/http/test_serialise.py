"""Values of a response, as the service writes them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_rma.simulator.http.serialise import (
    render_day,
    render_double,
    render_four_decimals,
    render_instant,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.0"),
        ("-0.00", "0.0"),
        ("50", "50.0"),
        ("635.05", "635.05"),
        ("-106.92", "-106.92"),
        ("9999999.99", "9999999.99"),
        ("10000000", "1.0E7"),
        ("-12345678.9", "-1.23456789E7"),
        ("0.001", "0.001"),
        ("0.000125", "1.25E-4"),
        ("1000000000000", "1.0E12"),
    ],
)
def test_doubles_look_as_java_prints_them(value: str, text: str) -> None:
    assert render_double(Decimal(value)) == text


def test_balances_have_four_decimals_and_no_negative_zero() -> None:
    assert render_four_decimals(Decimal("41557.65")) == "41557.6500"
    assert render_four_decimals(Decimal("-0.00001")) == "0.0000"


def test_days_are_swiss_midnight_in_winter_and_in_summer() -> None:
    assert render_day("2012-08-06") == "2012-08-06T00:00:00+02:00"
    assert render_day(date(2017, 3, 2)) == "2017-03-02T00:00:00+01:00"
    assert render_day("2025-03-30") == "2025-03-30T00:00:00+01:00"
    assert render_day("2025-03-31") == "2025-03-31T00:00:00+02:00"
    assert render_instant("2012-08-06T06:52:08.171+00:00") == "2012-08-06T08:52:08.171+02:00"
    assert render_instant("2012-08-06T06:52:08+00:00") == "2012-08-06T08:52:08+02:00"
