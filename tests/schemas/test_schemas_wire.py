"""Reading tolerates: lists in all forms, attributes in both spellings, unknown and missing fields."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.ledger import ChartSchema, TransactionSchema
from airflow_provider_rma.schemas.organisation import DepartmentSchema, ProjectSchema
from airflow_provider_rma.schemas.part import PartSchema

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


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"customer": {"customernumber": "K-1"}}, ["K-1"]),
        ({"customer": [{"customernumber": "K-1"}, {"customernumber": "K-2"}]}, ["K-1", "K-2"]),
        (None, []),
        ("", []),
        ({}, []),
        ({"customer": None}, []),
    ],
)
def test_a_list_answer_is_read_in_all_forms(answer: Any, expected: list[str]) -> None:
    assert [customer["customernumber"] for customer in CustomerSchema().list_from_wire(answer)] == expected


def test_a_list_answer_names_the_record_that_cannot_be_read() -> None:
    answer = {"customer": [{"customernumber": "K-1"}, {"customernumber": "K-2", "terms": "bald"}]}
    with pytest.raises(UnexpectedResponseError, match=r"customer\[1\]: terms: cannot be read as a whole number"):
        CustomerSchema().list_from_wire(answer)
    with pytest.raises(UnexpectedResponseError, match="cannot be read as a list"):
        CustomerSchema().list_from_wire("Wartung")


def test_lists_are_written_inside_one_wrapper_and_empty_ones_not_at_all() -> None:
    entity = {"invnumber": "1", "parts": [{"partnumber": "A"}, {"partnumber": "B"}], "incomeentries": []}
    assert INVOICE.to_wire(entity) == {
        "invnumber": "1",
        "parts": {"part": [{"partnumber": "A"}, {"partnumber": "B"}]},
    }


def test_unknown_fields_are_kept_and_reported() -> None:
    seen: set[str] = set()
    mapped = {
        "invnumber": "1",
        "paymentmethod": "cash",
        "@version": "2",
        "customer": {
            "customernumber": "K-1",
            "rating": "A",
            "chart": {"@accno": "1100", "@colour": "x", "taxes": {"t": "1"}},
        },
        "parts": {"@count": "2", "part": [{"partnumber": "A", "colour": "red"}, {"partnumber": "B", "colour": "red"}]},
        "notes": {"@lang": "de", "$": "Danke"},
    }
    entity = INVOICE.from_wire(mapped, unknown_fields=seen)
    assert seen == {
        "paymentmethod",
        "@version",
        "customer.rating",
        "customer.chart.@colour",
        "parts.@count",
        "parts.colour",
        "notes.@lang",
    }
    assert entity["paymentmethod"] == "cash"
    assert entity["notes"] == "Danke"
    assert entity["customer"]["rating"] == "A"
    assert entity["parts"][1]["colour"] == "red"
    assert "paymentmethod" not in INVOICE.to_wire(entity)


def test_known_fields_report_nothing() -> None:
    seen: set[str] = set()
    ChartSchema().from_wire({"@id": "1", "@accno": "1000", "description": "Kasse"}, unknown_fields=seen)
    assert seen == set()


def test_attributes_are_read_with_and_without_at_and_written_with_it() -> None:
    marked = {"@id": "7", "@accno": "1000", "@description": "Kasse", "@link": "AR_paid", "@allow_gl": "true"}
    bare = {name.lstrip("@"): value for name, value in marked.items()}
    entity = {"id": 7, "accno": "1000", "description": "Kasse", "link": "AR_paid", "allow_gl": True}
    assert ChartSchema().from_wire(marked) == entity
    assert ChartSchema().from_wire(bare) == entity
    assert ChartSchema().from_wire({**bare, **marked}) == entity
    assert ChartSchema().to_wire(entity) == marked
    assert DepartmentSchema().from_wire({"@id": "3", "@name": "Bau", "@role": "Z"}) == {
        "id": 3,
        "name": "Bau",
        "role": "Z",
    }
    assert ProjectSchema().to_wire({"id": 3, "number": "P-1"}) == {"@id": "3", "@number": "P-1"}


def test_empty_values_are_none_except_in_text() -> None:
    empty: dict[str, Any] = {
        "customernumber": "K-1",
        "terms": "",
        "created": "",
        "taxfree": "",
        "name": "",
        "notes": {},
        "city": None,
    }
    assert CustomerSchema().from_wire({**empty, "chart": ""}) == {
        "customernumber": "K-1",
        "terms": None,
        "created": None,
        "taxfree": None,
        "name": "",
        "notes": "",
        "city": None,
        "chart": None,
    }


def test_limits_are_not_applied_to_what_rma_holds() -> None:
    long = {"customernumber": "K-1", "name": "ü" * 128, "gender": "X", "notes": "a\x07b"}
    assert CustomerSchema().from_wire(long) == long


def test_real_json_numbers_and_booleans_are_read() -> None:
    entity = CustomerSchema().from_wire({"customernumber": 17, "terms": 30, "taxfree": False})
    assert entity == {"customernumber": "17", "terms": 30, "taxfree": False}


@pytest.mark.parametrize(
    ("schema", "mapped", "words"),
    [
        (CustomerSchema(), {"name": "Muster"}, "customer: customernumber is missing"),
        (CustomerSchema(), None, "customer: customernumber is missing"),
        (PartSchema(), {"partnumber": ""}, "part: partnumber is missing"),
        (CustomerSchema(), "Muster", "customer: is not a record"),
        (CustomerSchema(), {"customernumber": "1", "taxfree": "Muster"}, "taxfree: cannot be read as true or false"),
        (CustomerSchema(), {"customernumber": "1", "city": ["Muster"]}, "city: is not a single value"),
        (CustomerSchema(), {"customernumber": "1", "chart": "Muster"}, "chart: is a str, not a mapping"),
        (InvoiceSchema(), {"invnumber": "1", "parts": {"part": [{}, {"discount": "Muster"}]}}, r"parts[1].discount"),
    ],
)
def test_unreadable_answers_name_the_field_and_not_the_value(schema: Any, mapped: Any, words: str) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        schema.from_wire(mapped)
    assert words in str(caught.value)
    assert "Muster" not in str(caught.value)


def test_a_posting_line_with_its_stub_and_department() -> None:
    mapped = {
        "id": "77",
        "chart": {"@id": "0", "@accno": "1020", "@link": "", "@allow_gl": "false", "taxes": ""},
        "transdate": "2024-03-02T00:00:00+01:00",
        "amount": "-106.92",
        "entry_id": "9007199254740",
        "department": {"@id": "3", "@name": "Bau", "@role": "P"},
        "accno": "1020",
    }
    assert TransactionSchema().from_wire(mapped) == {
        "id": 77,
        "chart": {"id": 0, "accno": "1020", "link": "", "allow_gl": False, "taxes": None},
        "transdate": date(2024, 3, 2),
        "amount": Decimal("-106.92"),
        "entry_id": 9007199254740,
        "department": {"id": 3, "name": "Bau", "role": "P"},
        "accno": "1020",
    }


def test_the_writable_part_of_a_record_leaves_out_what_rma_sets() -> None:
    read = INVOICE.from_wire(
        {
            "id": "5",
            "invnumber": "R-1",
            "duedate": "",
            "amount": "10.0",
            "extra": "x",
            "customer": {"id": "1", "customernumber": "K-1", "chart": {"@accno": "1100"}, "terms": "30"},
            "parts": {"part": {"partnumber": "A", "colour": "red"}},
        }
    )
    assert INVOICE.writable(read) == {
        "invnumber": "R-1",
        "customer": {"customernumber": "K-1", "terms": 30},
        "parts": [{"partnumber": "A"}],
        "incomeentries": [],
        "taxentries": [],
    }
