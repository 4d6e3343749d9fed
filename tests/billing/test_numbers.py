"""The number of a record for messages, and what travels in a path."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.kinds.invoice import FIRST_DAY, LAST_DAY
from airflow_provider_rma.billing.numbers import (
    MAX_KEY_LENGTH,
    is_plain_number,
    normalize_number,
    quote_number,
    read_number,
)
from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.date_range import EARLIEST_DAY, LATEST_DAY
from tests.support.any_object import OBJECTS, Hostile, HostileMapping


@given(st.one_of(st.dictionaries(st.just("customernumber"), OBJECTS), OBJECTS))
def test_the_number_of_a_record_is_readable_whatever_it_is(record: Any) -> None:
    number = read_number(record, "customernumber")
    assert len(number) <= 64
    assert number.isprintable()
    number.encode()
    try:
        customer = CustomerSchema().from_user({"name": "Muster"} | (record if isinstance(record, dict) else {}))
    except InvalidInputError:
        return
    assert number == customer["customernumber"]


@pytest.mark.parametrize(
    "record", [None, 5, Hostile(), HostileMapping(), {"invnumber": Hostile()}, {"invnumber": True}]
)
def test_a_record_without_a_readable_number_has_none(record: Any) -> None:
    assert read_number(record, "invnumber") == ""


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Decimal("260001"), "260001"),
        (260001.0, "260001"),
        (" R-1 ", "R-1"),
        ("a\nb", r"'a\nb'"),
        ("2.6E+05", "2.6E+05"),
    ],
)
def test_the_number_is_kept_for_messages(value: Any, number: str) -> None:
    assert read_number({"invnumber": value}, "invnumber") == number


@pytest.mark.parametrize("number", ["R-1", "260001", "2025.17", "A_b-3.x1", "x"])
def test_plain_numbers_travel_in_a_path(number: str) -> None:
    assert is_plain_number(number)


@pytest.mark.parametrize(
    "number", [".", "..", "R-1.", ".R-1", "R..1", "R-1.xml", "R-1.json", "R/1", "R;1", "Ü-1", "R 1", "%2e", "", "٣"]
)
def test_what_a_path_may_garble_is_not_plain(number: str) -> None:
    assert not is_plain_number(number)


def test_the_whole_list_covers_every_day_that_can_be_sent() -> None:
    assert (FIRST_DAY, LAST_DAY) == (EARLIEST_DAY, LATEST_DAY)


def test_a_key_fits_the_column_for_keys() -> None:
    assert len(normalize_number("ΐ" * 64)) <= MAX_KEY_LENGTH


@pytest.mark.parametrize(("number", "other"), [("RG-1", "rg-1"), ("Straße 7", "STRASSE 7"), ("Ü-1", "ü-1")])
def test_numbers_that_differ_in_case_have_one_key(number: str, other: str) -> None:
    assert normalize_number(number) == normalize_number(other)


@pytest.mark.parametrize(("number", "other"), [("RG-1", "RG-2"), ("1", "01"), ("RG-1", "RG_1")])
def test_other_numbers_have_other_keys(number: str, other: str) -> None:
    assert normalize_number(number) != normalize_number(other)


@pytest.mark.parametrize("number", ["K-001", "ART/77.b", "SUPPORT", "260001", "k_1", "K-none"])
def test_a_message_may_quote_a_code(number: str) -> None:
    assert quote_number(number) == number


@pytest.mark.parametrize(
    "text",
    [
        "Hans Muster",
        "Müller",
        "Muster",
        "Meier-Muster",
        "anna77@example.com",
        "CH5604835012345678009",
        "+41 44 000 00 00",
        "",
    ],
)
def test_a_message_quotes_nothing_that_may_be_personal(text: str) -> None:
    assert quote_number(text) == "of that number"
