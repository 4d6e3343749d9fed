"""Numbers are compared in one normal form, which is stable, bounded, and never empty for what is accepted."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.keys import MAX_KEY_LENGTH, find_number_problem, normalize_key
from tests.support.any_object import OBJECTS

SCHEMA = CustomerSchema()
ANY_TEXT = st.text(st.characters(codec=None))
NUMBERS = st.one_of(
    st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), max_size=64),
    st.text(st.sampled_from("ﷺΐßﬃİıſK１２a\u0301\u0308 .-/％"), max_size=64),
)


@pytest.mark.parametrize(
    "spellings",
    [
        ("R-1", "r-1", " R-1 ", "R-1\u00a0", "R\u200b-1", "\ufeffR-1", "R-1\u2069", "Ｒ－１", "R-\u00ad1", "R-1\n"),
        ("260001", "２６０００１", "260001\ufe0f", "\u202e260001", "260001\ud83d"),
        ("Ü-77", "U\u0308-77", "ü-77", "u\u0308\u200d-77", "u\u200b\u0308-77"),
        ("STRASSE 1", "straße 1", "Straße  1", "STRASSE\u30001", "straße\t1"),
        ("ΐ" * 64, "\u03b9\u0308\u0301" * 64, "\u1fd3" * 64),
        ("①", "1"),
        ("ﬁ-1", "fi-1", "FI-1"),
    ],
)
def test_spellings_of_one_number_have_one_key(spellings: tuple[str, ...]) -> None:
    assert len({normalize_key(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize("pair", [("R-1", "R1"), ("R 1", "R1"), ("Ü-77", "U-77"), ("1", "l"), ("R-1", "R_1")])
def test_different_numbers_have_different_keys(pair: tuple[str, str]) -> None:
    assert normalize_key(pair[0]) != normalize_key(pair[1])


def test_every_character_has_a_stable_key_that_is_not_empty_where_it_is_accepted() -> None:
    assigned = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Co"))
    for character in assigned:
        for text in (character, f"a{character}"):
            key = normalize_key(text)
            assert normalize_key(key) == key
            assert key or find_number_problem(text) is not None


@given(ANY_TEXT)
@example("\u0345\u0308")
@example("\u00a8")
def test_the_key_of_a_key_is_itself(text: str) -> None:
    key = normalize_key(text)
    assert normalize_key(key) == key
    key.encode()
    assert key == key.strip()


@given(ANY_TEXT)
def test_equivalent_texts_have_one_key(text: str) -> None:
    keys = {normalize_key(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert keys == {normalize_key(text)}
    assert normalize_key(f" {text}\u200b ") == normalize_key(text)


@given(st.one_of(NUMBERS, OBJECTS))
def test_an_accepted_number_has_a_key_that_fits_its_column(number: Any) -> None:
    record = {"name": "Muster", "customernumber": number}
    try:
        accepted = SCHEMA.from_user(record)["customernumber"]
    except InvalidInputError:
        return
    assert 0 < len(normalize_key(accepted)) <= MAX_KEY_LENGTH
    assert SCHEMA.from_user(record | {"customernumber": accepted})["customernumber"] == accepted


@pytest.mark.parametrize("number", ["ΐ" * 64, "ß" * 64, "ﬃ" * 64, "ﷺ" * 14])
def test_the_longest_keys_of_accepted_numbers(number: str) -> None:
    line = {"partnumber": "A", "quantity": 1, "sellprice": 1}
    record = {"invnumber": number, "transdate": "2025-03-31", "customernumber": "K", "parts": line}
    assert InvoiceSchema().from_user(record)["invnumber"] == number
    assert len(normalize_key(number)) <= MAX_KEY_LENGTH
