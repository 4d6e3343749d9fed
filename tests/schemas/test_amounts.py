"""Amounts are exact, from what a user gives to the text on the wire and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import InvalidInputError, UnexpectedResponseError
from airflow_provider_rma.schemas.invoice import IncomeEntrySchema, InvoicePartSchema
from airflow_provider_rma.schemas.ledger import BalanceRowSchema
from tests.support.schema_strategies import decimals

ENTRY = IncomeEntrySchema()
LINE = InvoicePartSchema()


def money(value: Any) -> Decimal:
    result: Decimal = ENTRY.from_user({"amount": value, "income_accno": "3400"})["amount"]
    return result


def price(value: Any) -> Decimal:
    result: Decimal = LINE.from_user({"partnumber": "A", "quantity": 1, "sellprice": value})["sellprice"]
    return result


def refusal(read: Any, value: Any) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(value)
    (problem,) = caught.value.problems
    assert problem.path.endswith(("amount", "sellprice"))
    assert problem.remedy
    return f"{problem.problem}; {problem.remedy}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("12.5"), "12.50"),
        (Decimal("12.5000000"), "12.50"),
        (Decimal("1E+3"), "1000.00"),
        (12, "12"),
        (-3, "-3"),
        (12.35, "12.35"),
        (0.1, "0.1"),
        (1e12, "1000000000000"),
        ("12.50", "12.5"),
        (" -12.500 ", "-12.5"),
        ("+7", "7"),
        (Decimal("9999999999999.99"), "9999999999999.99"),
    ],
)
def test_money_is_taken_exactly(value: Any, expected: str) -> None:
    assert money(value) == Decimal(expected)
    assert "E" not in str(money(value))


def test_prices_have_six_places() -> None:
    assert price(0.125) == Decimal("0.125")
    assert price("0.000001") == Decimal("0.000001")
    assert "7 decimal places, RMA takes at most 6" in refusal(price, "0.0000001")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Decimal("12.345"), "has 3 decimal places, RMA takes at most 2; round it to 2 places"),
        ("12.345", "has 3 decimal places"),
        (0.1 + 0.2, "is a float that is no exact amount with at most 2 decimal places; give a Decimal or text"),
        (12.345, "is a float that is no exact amount"),
        (1 / 3, "is a float that is no exact amount"),
        (float("nan"), "is not a finite number"),
        (float("inf"), "is not a finite number"),
        (Decimal("NaN"), "is not a finite number"),
        (Decimal("sNaN"), "is not a finite number"),
        (Decimal("-Infinity"), "is not a finite number"),
        ("NaN", "is not a finite number"),
        ("-inf", "is not a finite number"),
        (True, "is a bool, not a number"),
        (b"12", "is a bytes, not a number"),
        ("12,50", "is not a number; write it with a decimal point"),
        ("1'000.00", "is not a number"),
        ("1e3", "is not a number"),
        ("CHF 12", "is not a number"),
        ("٣", "is not a number"),
        (10**13, "more than 13 digits before the decimal point"),
        (Decimal("-1E+999999"), "more than 13 digits"),
        (1e300, "more than 13 digits"),
        (Decimal("1E-999999"), "decimal places"),
        (Decimal("1." + "0" * 40 + "1"), "has 41 decimal places"),
    ],
)
def test_what_is_no_exact_amount_is_refused(value: Any, words: str) -> None:
    assert words in refusal(money, value)


def test_a_required_amount_that_is_empty_is_missing() -> None:
    for value in (None, "", "  "):
        assert "is missing" in refusal(money, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("50", "50.0"),
        ("635.05", "635.05"),
        ("-106.920", "-106.92"),
        ("1E+7", "10000000.0"),
        ("1E-7", "0.0000001"),
        ("-0.00", "0.0"),
        ("1200.00", "1200.0"),
    ],
)
def test_doubles_are_written_with_a_point_and_without_exponent(value: str, text: str) -> None:
    assert ENTRY.to_wire({"amount": Decimal(value)}) == {"amount": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0E7", "10000000"),
        ("-1.5e-3", "-0.0015"),
        ("-106.92", "-106.92"),
        ("41557.6500", "41557.65"),
        ("50", "50"),
        (".5", "0.5"),
        (" 5. ", "5"),
        (7, "7"),
        (Decimal("7.25"), "7.25"),
        ("123456789012345.678901", "123456789012345.678901"),
    ],
)
def test_doubles_of_the_wire_are_read_exactly(text: Any, value: str) -> None:
    amount = BalanceRowSchema().from_wire({"accountnumber": "1000", "amount": text})["amount"]
    assert amount == Decimal(value)
    assert type(amount) is Decimal
    assert "E" not in str(amount)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "12,5", "1'000", "--1", "1e9999", "1E999", "Muster", 1.5, ["1"]])
def test_unreadable_amounts_are_errors_without_the_value(text: Any) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        BalanceRowSchema().from_wire({"accountnumber": "1000", "amount": text})
    assert "row: amount: " in str(caught.value)
    assert str(text) not in str(caught.value)


@given(decimals(2))
def test_floats_that_stand_for_an_amount_are_taken_as_it(amount: Decimal) -> None:
    assert money(float(amount)) == amount
    assert ENTRY.from_wire(ENTRY.to_wire({"amount": amount}))["amount"] == amount


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_float_is_ever_rounded(number: float) -> None:
    try:
        accepted = money(number)
    except InvalidInputError:
        return
    assert accepted == Decimal(repr(number))
