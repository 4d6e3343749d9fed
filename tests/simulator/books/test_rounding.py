"""The ledger's arithmetic: the real routine's results, and the edges."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_rma.simulator.books.rounding import count_decimals, round_half_up, to_float, to_stored
from tests.support.reference import rounding_triples


def test_every_triple_of_the_real_routine() -> None:
    wrong = []
    for triple in rounding_triples():
        if abs(float(triple["value"])) > 1e14:
            continue  # beyond 15 digits the real routine itself is the exception
        if to_stored(round_half_up(float(triple["value"]), triple["places"])) != Decimal(triple["result"]):
            wrong.append(triple)
    assert not wrong


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (1.005, 2, 1.01),
        (-1.005, 2, -1.01),
        (2.675, 2, 2.68),
        (0.1 + 0.2, 8, 0.3),
        (1234.5, 0, 1235.0),
        (0.0049999999999990052, 2, 0.0),
    ],
)
def test_half_goes_away_from_zero_after_fifteen_digits(value: float, places: int, expected: float) -> None:
    assert round_half_up(value, places) == expected


def test_zero_has_no_sign() -> None:
    assert str(to_stored(-0.0)) == "0"
    assert str(to_stored(round_half_up(-0.001))) == "0"


def test_stored_amounts_have_fifteen_digits() -> None:
    assert str(to_stored(40 - 38.05)) == "1.95"
    assert str(to_stored(600.0)) == "600"


def test_empty_numbers_have_a_default() -> None:
    assert to_float("") == to_float(None) == 0.0
    assert to_float(None, 1.0) == 1.0
    assert to_float(Decimal("8.10")) == 8.1


@pytest.mark.parametrize(
    ("text", "places"), [("24.50", 1), ("0.1234", 4), ("90", 0), ("1000", 0), (Decimal("0.15"), 2)]
)
def test_decimals_without_trailing_zeros(text: str | Decimal, places: int) -> None:
    assert count_decimals(text) == places
