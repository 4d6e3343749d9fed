from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.notation import NUMBER_FORMATS, Notation

SCHEMA = InvoiceSchema()
LINE = {"partnumber": "1'234.50", "quantity": 1, "sellprice": "1"}
INVOICE: dict[str, Any] = {"invnumber": "31.10.2026", "customernumber": "1'234.50", "transdate": "2026-10-31"}


def read_amount(text: Any, number_format: str) -> Decimal:
    record = INVOICE | {"parts": [LINE | {"sellprice": text}]}
    amount: Decimal = SCHEMA.from_user(record, notation=Notation(number_format))["parts"][0]["sellprice"]
    return amount


@pytest.mark.parametrize(
    ("number_format", "text", "amount"),
    [
        ("1'234.50", "1'234.50", "1234.50"),
        ("1'234.50", "1’234’567.5", "1234567.5"),
        *(("1'234.50", f"1{mark}234{mark}567.5", "1234567.5") for mark in "\u2018\u02bc\u2032\u00b4`"),
        *(("1 234,50", f"1{blank}234,5", "1234.5") for blank in "\u00a0\u2007\u2009\u202f"),
        ("1'234.50", "-0.05", "-0.05"),
        ("1'234.50", "−1'000", "-1000"),
        ("1'234.50", "1234.50", "1234.50"),
        ("1'234.50", " 7 ", "7"),
        ("1.234,50", "1.234,50", "1234.50"),
        ("1.234,50", "1.234.567", "1234567"),
        ("1.234,50", "12,5", "12.5"),
        ("1 234,50", "1\u202f234,50", "1234.50"),
        ("1 234,50", "1\u00a0234\u00a0567,50", "1234567.50"),
        ("1 234.50", "+1 234.50", "1234.50"),
        ("1,234.50", "1,234.50", "1234.50"),
        ("1'234,50", "1'234,50", "1234.50"),
        ("1234,50", "1234,5", "1234.5"),
    ],
)
def test_an_amount_in_the_declared_notation_is_read(number_format: str, text: str, amount: str) -> None:
    assert read_amount(text, number_format) == Decimal(amount)


@pytest.mark.parametrize(
    ("number_format", "text"),
    [
        ("1'234.50", "1'23.50"),
        ("1'234.50", "1'2345.50"),
        ("1'234.50", "12'34'567.50"),
        ("1'234.50", "'234.50"),
        ("1'234.50", "1'234’567.50"),
        ("1'234.50", "1'234,50"),
        ("1'234.50", "1'234.-"),
        ("1'234.50", "1'234."),
        ("1'234.50", "CHF 1'234.50"),
        ("1'234.50", "1'234.50-"),
        ("1'234.50", "(1'234.50)"),
        ("1'234.50", "1e3"),
        ("1'234.50", "NaN"),
        ("1'234.50", "١٢٣"),
        ("1'234.50", "--5"),
        ("1.234,50", "1.234"),
        ("1.234,50", "-1.234"),
        ("1.234,50", "12.50"),
        ("1.234,50", "1,234.50"),
        ("1234,50", "1234.50"),
        ("1234,50", "1 234,50"),
        ("1 234,50", "1  234,50"),
        ("1,234.50", "1,50"),
    ],
)
def test_an_amount_in_another_notation_is_that_records_fault(number_format: str, text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_amount(text, number_format)
    (problem,) = caught.value.problems
    assert problem.path.endswith("parts[0].sellprice")
    assert str(problem).endswith(f"is not written as {number_format}; write it so, or correct number_format")


def test_typed_amounts_stay_what_they_are() -> None:
    for value in (Decimal("1.234"), 7, 12.5):
        assert read_amount(value, "1.234,50") == Decimal(str(value))


@given(st.decimals(-(10**8), 10**8, places=2), st.sampled_from(list(NUMBER_FORMATS)), st.booleans())
def test_every_amount_survives_its_notation(amount: Decimal, number_format: str, grouped: bool) -> None:
    groups, mark = NUMBER_FORMATS[number_format]
    plain = f"{amount:,.2f}" if grouped and groups else f"{amount:.2f}"
    text = plain.translate({ord(","): groups[:1], ord("."): mark})
    assert read_amount(text, number_format) == amount


def test_numbers_and_names_are_never_converted() -> None:
    notation = Notation("1'234.50", "DD.MM.YYYY")
    invoice = SCHEMA.from_user(INVOICE | {"parts": [LINE], "description": "1'234.50"}, notation=notation)
    assert invoice["invnumber"] == "31.10.2026"
    assert invoice["customernumber"] == invoice["parts"][0]["partnumber"] == invoice["description"] == "1'234.50"


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        ("DD.MM.YYYY", "31.10.2026"),
        ("D.M.YYYY", "31.10.2026"),
        ("MM/DD/YYYY", "10/31/2026"),
        ("YYYYMMDD", "20261031"),
        ("DDMMYYYY", "31102026"),
        ("YYYY.MM.DD", "2026.10.31"),
        ("DD.MM.YYYY", "2026-10-31"),
        ("DD-MM-YYYY", " 31-10-2026 "),
    ],
)
def test_a_date_in_the_declared_notation_is_read(date_format: str, text: str) -> None:
    record = INVOICE | {"transdate": text, "parts": [LINE]}
    assert SCHEMA.from_user(record, notation=Notation(date_format=date_format))["transdate"] == date(2026, 10, 31)


@pytest.mark.parametrize(
    "text",
    ["31.02.2026", "31.13.2026", "1.1.2026", "31.10.26", "10/31/2026", "31.10.2026 00:00", "٣١.10.2026", "31-10-2026"],
)
def test_a_date_in_another_notation_is_that_records_fault(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"transdate: is not a date written as DD\.MM\.YYYY; correct it"):
        SCHEMA.from_user(INVOICE | {"transdate": text, "parts": [LINE]}, notation=Notation(date_format="DD.MM.YYYY"))


@pytest.mark.parametrize("number_format", ["", "de_CH", "1'234.5", "1234.50", "1''234.50", 1234.5])
def test_an_unknown_number_format_is_refused(number_format: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"number_format .* is not known\. Use one of 1'234\.50"):
        Notation(number_format=number_format)


@pytest.mark.parametrize(
    "date_format",
    ["", "DD.MM.YY", "YYYY-DD-MM", "DMYYYY", "DD/MM-YYYY", "DD.MM", "DD.DD.YYYY", "%d.%m.%Y", "dd.mm.yyyy", "YYYY", 5],
)
def test_an_unknown_date_format_is_refused(date_format: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"date_format .* is not known\. Write day, month and year"):
        Notation(date_format=date_format)


def test_without_a_notation_swiss_texts_are_refused_with_the_parameter_that_helps() -> None:
    with pytest.raises(InvalidInputError, match="number_format"):
        SCHEMA.from_user(INVOICE | {"parts": [LINE | {"sellprice": "1'234.50"}]})
    with pytest.raises(InvalidInputError, match="date_format"):
        SCHEMA.from_user(INVOICE | {"transdate": "31.10.2026", "parts": [LINE]})
