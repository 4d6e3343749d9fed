"""Lists in a wrapper are read in all their forms and written in one."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.schemas.invoice import InvoiceSchema

INVOICE = InvoiceSchema()
ONE, TWO = {"partnumber": "A-1", "quantity": "1.0"}, {"partnumber": "A-2", "quantity": "2.0"}


def numbers(parts: Any) -> list[str]:
    return [line.get("partnumber") for line in INVOICE.from_wire({"invnumber": "1", "parts": parts})["parts"]]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"part": ONE}, ["A-1"]),
        ({"part": [ONE, TWO]}, ["A-1", "A-2"]),
        ({"part": [ONE]}, ["A-1"]),
        ([{"part": ONE}, {"part": [TWO, ONE]}], ["A-1", "A-2", "A-1"]),
        ([ONE, TWO], ["A-1", "A-2"]),
        ({"part": [ONE, ""]}, ["A-1", None]),
        (None, []),
        ("", []),
        (" \n ", []),
        ({}, []),
        ([], []),
        ({"part": None}, []),
        ({"part": ""}, []),
        ({"part": {}}, []),
        ({"part": []}, []),
    ],
)
def test_a_list_in_a_wrapper_is_a_list(parts: Any, expected: list[str]) -> None:
    assert numbers(parts) == expected


def test_a_missing_list_is_an_empty_list() -> None:
    assert INVOICE.from_wire({"invnumber": "1"}) == {
        "invnumber": "1",
        "parts": [],
        "incomeentries": [],
        "taxentries": [],
    }


@pytest.mark.parametrize("parts", ["Muster", {"part": "Muster"}, {"part": ["Muster"]}, {"part": [["Muster"]]}])
def test_what_is_no_list_is_an_error(parts: Any) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        numbers(parts)
    assert "invoice: parts" in str(caught.value)
    assert "Muster" not in str(caught.value)


def test_lists_are_written_inside_one_wrapper_and_empty_ones_not_at_all() -> None:
    entity = {"invnumber": "1", "parts": [{"partnumber": "A"}, {"partnumber": "B"}], "incomeentries": []}
    assert INVOICE.to_wire(entity) == {
        "invnumber": "1",
        "parts": {"part": [{"partnumber": "A"}, {"partnumber": "B"}]},
    }
