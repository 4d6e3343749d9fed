"""Text that the wire cannot carry or RMA would cut is refused before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from numbers import Integral
from typing import Any

import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema

CUSTOMER = CustomerSchema()
INVOICE = InvoiceSchema()
HEAD = {
    "invnumber": "R-1",
    "transdate": "2025-03-31",
    "customernumber": "K-1",
    "parts": [{"partnumber": "A-1", "quantity": 1, "sellprice": "10.00"}],
}


class Int64:
    """An integer of another library, as numpy's: registered as integral, no subclass of int."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value


Integral.register(Int64)


def problems(schema: Any, record: Any, **options: str) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        schema.from_user(record, **options)
    assert all(problem.remedy for problem in caught.value.problems)
    return {problem.path: problem.problem for problem in caught.value.problems}


def customer_problem(**fields: Any) -> tuple[str, str, str]:
    with pytest.raises(InvalidInputError) as caught:
        CUSTOMER.from_user({"customernumber": "K-1", "name": "Muster AG", **fields})
    (problem,) = caught.value.problems
    return problem.path, problem.problem, problem.remedy


def test_too_long_says_length_and_limit_and_not_the_text() -> None:
    path, problem, remedy = customer_problem(address1="Lange Strasse " + "x" * 22)
    assert path == "customer K-1: address1"
    assert problem == "36 characters, RMA takes at most 32"
    assert remedy == "shorten it to 32"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\x07b", "contains a control character, U+0007 at position 2"),
        ("a\x00", "U+0000"),
        ("\x7f", "U+007F"),
        ("a\x85b", "U+0085"),
        ("a\ud800", "half a character (a lone surrogate), U+D800 at position 2"),
        ("\uffff", "a character that XML cannot carry, U+FFFF"),
        ("a\nb", "contains a line break or tab"),
        ("a\tb", "contains a line break or tab"),
    ],
)
def test_characters_the_wire_cannot_carry_are_refused(text: str, words: str) -> None:
    path, problem, _ = customer_problem(city=text)
    assert path == "customer K-1: city"
    assert words in problem
    problem.encode()


def test_notes_may_have_lines() -> None:
    entity = CUSTOMER.from_user({"customernumber": "K-1", "name": "Muster", "notes": "eins\r\nzwei\rdrei\n\tvier"})
    assert entity["notes"] == "eins\nzwei\ndrei\n\tvier"
    assert "U+000B" in customer_problem(notes="a\x0bb")[1]


def test_emoji_and_accents_count_as_characters() -> None:
    assert CUSTOMER.from_user({"customernumber": "K-1", "name": "😀" * 64})["name"] == "😀" * 64
    assert "65 characters" in problems(CUSTOMER, {"customernumber": "K", "name": "é" * 65})["customer K: name"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Decimal("260001"), "260001"),
        (Decimal("260001.00"), "260001"),
        (Decimal("2.60001E+5"), "260001"),
        (260001.0, "260001"),
        (260001, "260001"),
        (Int64(260001), "260001"),
        (0, "0"),
        (-0.0, "0"),
        ("0260001", "0260001"),
        ("25E001", "25E001"),
        ("2025/17", "2025/17"),
        ("2025.10", "2025.10"),
        ("R 1", "R 1"),
        ("Ü-77", "Ü-77"),
        ("U\u0308-77", "U\u0308-77"),
        ("２６０００１", "２６０００１"),
        ("ΐ" * 64, "ΐ" * 64),
        ("ß" * 64, "ß" * 64),
        (".R-1", ".R-1"),
        ("...", "..."),
    ],
)
def test_a_number_of_any_integral_type_is_its_plain_digits(value: Any, number: str) -> None:
    assert INVOICE.from_user({**HEAD, "invnumber": value})["invnumber"] == number


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "is a bool"),
        (260001.5, "is a float"),
        (1e300, "is a float too large to be exact"),
        (float(2**53), "is a float too large to be exact"),
        (float("nan"), "empty cell"),
        (float("inf"), "is a float"),
        (Decimal("260001.5"), "is a Decimal"),
        (Decimal("NaN"), "is a Decimal"),
        (Decimal("sNaN"), "is a Decimal"),
        (Decimal("1E+999999"), "is a Decimal"),
        pytest.param(10**5000, "has too many digits", id="huge"),
        (b"260001", "is a bytes"),
        ("2.60001E+05", "as a spreadsheet writes it"),
        ("2,60001E+05", "as a spreadsheet writes it"),
        ("2.60001e5", "as a spreadsheet writes it"),
        ("1E+16", "as a spreadsheet writes it"),
        ("260001.0", "as a spreadsheet writes it"),
        ("260001,00", "as a spreadsheet writes it"),
        ("２６０００１．０", "as a spreadsheet writes it"),
        ("nan", "missing or failed value"),
        ("#N/A", "missing or failed value"),
        ("########", "missing or failed value"),
        ("None", "missing or failed value"),
        ("TB\u200b-1", "contains an invisible character, U+200B at position 3"),
        ("TB\u00ad-1", "U+00AD"),
        ("\ufeffTB-1", "U+FEFF"),
        ("\u202eTB-1", "U+202E"),
        ("TB-1\ufe0f", "U+FE0F"),
        ("TB-1\U000e0101", "U+E0101"),
        ("TB-1\U000e0041", "U+E0041"),
        ("T\u034fB", "U+034F"),
        ("T\u3164B", "U+3164"),
        ("T\u2800B", "U+2800"),
        ("T\u180eB", "U+180E"),
        ("T\u2028B", "a line break, U+2028"),
        ("T\u00a0B", "a blank that is not the plain one, U+00A0"),
        ("T\nB", "a control character, U+000A"),
        ("T\ud83d", "half a character (a lone surrogate), U+D83D"),
        ("T\ue000", "a private character"),
        ("T\u0378", "a character that Unicode does not know"),
        ("TB-1 ", "begins or ends with a blank"),
        ("\u3000TB-1", "begins or ends with a blank"),
        (".", "as a part of a path"),
        ("..", "as a part of a path"),
        ("．．", "as a part of a path"),
        ("%2e%2E", "as a part of a path"),
        ("%252e", "as a part of a path"),
        ("../R-1", "as a part of a path"),
        ("R/./1", "as a part of a path"),
        ("R\\..", "as a part of a path"),
        ("..;R-1", "as a part of a path"),
        ("ﷺ" * 64, "its normal form has 1152 characters"),
        ("x" * 65, "65 characters, RMA takes at most 64"),
        pytest.param("x" * 10**6, "characters, RMA takes at most 64", id="long"),
    ],
)
def test_what_cannot_identify_a_document_is_refused(value: Any, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        INVOICE.from_user({**HEAD, "invnumber": value}, path="record 1")
    (problem,) = caught.value.problems
    assert problem.path == "record 1: invnumber"
    assert words in problem.problem
    assert problem.remedy
    str(problem).encode()


@pytest.mark.parametrize("value", [".", "..", "TB\u200b-1", "2.60001E+05", True, "nan"])
def test_customers_and_articles_are_judged_like_invoices(value: Any) -> None:
    assert list(problems(CUSTOMER, {"customernumber": value, "name": "M"}, path="r")) == ["r: customernumber"]
    line = HEAD["parts"][0] | {"partnumber": value}
    assert list(problems(INVOICE, HEAD | {"parts": line}, path="r")) == ["r: parts[0].partnumber"]
    assert list(problems(INVOICE, HEAD | {"customernumber": value}, path="r")) == ["r: customernumber"]


@pytest.mark.parametrize("value", [3400, "3400", Decimal("3400.00"), 3400.0])
def test_an_account_of_a_numeric_column_is_its_plain_digits(value: Any) -> None:
    assert CUSTOMER.from_user({"customernumber": 1, "name": "M", "arap_accno": value})["arap_accno"] == "3400"
    assert CUSTOMER.from_user({"customernumber": 1, "name": "M", "tax_accnos": [value]})["tax_accnos"] == "3400"


@pytest.mark.parametrize("value", ["3400.0", "3.4E+03", True])
def test_an_account_as_a_spreadsheet_writes_it_is_refused(value: Any) -> None:
    assert customer_problem(arap_accno=value)
    assert customer_problem(tax_accnos=[value])
