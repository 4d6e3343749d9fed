"""Text that the wire cannot carry or RMA would cut is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema

CUSTOMER = CustomerSchema()


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
