"""Writing is strict, and every problem is found with its field, the value unquoted; reading tolerates."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.exceptions import InvalidInputError, UnexpectedResponseError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.ledger import ChartSchema, TransactionSchema
from airflow_provider_rma.schemas.organisation import DepartmentSchema, ProjectSchema
from airflow_provider_rma.schemas.part import PartSchema
from airflow_provider_rma.schemas.payment import PaymentSchema

CUSTOMER = CustomerSchema()
INVOICE = InvoiceSchema()
LINE = {"partnumber": "A-1", "quantity": 1, "sellprice": "10.00"}
HEAD = {"invnumber": "R-1", "transdate": "2025-03-31", "customernumber": "K-1"}


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


def test_only_given_fields_are_in_a_customer() -> None:
    record = {"customernumber": 1001, "name": "Bäckerei Grün", "zipcode": Decimal(8005), "city": None, "terms": "30",
              "taxfree": 0, "tax_accnos": [2200, "2201"], "created": "", "arap_accno": ""}  # fmt: skip
    assert CUSTOMER.from_user(record) == {
        "customernumber": "1001",
        "name": "Bäckerei Grün",
        "zipcode": "8005",
        "terms": 30,
        "taxfree": False,
        "arap_accno": "",
        "tax_accnos": "2200 2201",
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("zipcode", 8005.0, "is a float, not text"),
        ("city", True, "is a bool, not text"),
        ("city", ["Bern"], "is a list, not text"),
        ("terms", "bald", "is not a whole number"),
        ("terms", 30.5, "is not a whole number"),
        ("terms", True, "is not a whole number"),
        ("terms", float("nan"), "is not a whole number"),
        ("terms", -1, "is outside of 0 to 32767"),
        ("terms", Decimal("1E+999999"), "is not a whole number"),
        ("taxfree", "ja", "is neither true nor false"),
        ("taxfree", 2, "is neither true nor false"),
        ("taxfree", 1.0, "is neither true nor false"),
        ("gender", "x", "is not one of F, M"),
        ("arap_accno", "11 00", "is not an account number"),
        ("tax_accnos", ["2200", "22/01"], "holds something that is not an account number"),
        ("name", "", "is empty"),
        ("name", "   ", "is empty"),
        ("name", None, "is missing"),
        ("customernumber", "", "is empty"),
    ],
)
def test_each_wrong_value_is_named(name: str, value: Any, words: str) -> None:
    path, problem, remedy = customer_problem(**{name: value})
    assert path.endswith(f": {name}")
    assert words in problem
    assert remedy


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("zip_code", "zipcode"),
        ("City", "city"),
        ("adress1", "address1"),
        ("contactid", None),  # known, but read-only: no advice to write it
        ("favourite_colour", None),
    ],
)
def test_unknown_fields_are_refused_with_the_nearest_name(name: Any, hint: str | None) -> None:
    with pytest.raises(InvalidInputError) as caught:
        CUSTOMER.from_user({"customernumber": "K-1", "name": "Muster AG", name: "x"})
    (found,) = caught.value.problems
    assert found.path == f"customer K-1: {name}"
    assert found.problem == "is not a field of a customer"
    assert found.remedy == (f"did you mean '{hint}'?" if hint else "remove it or correct its name")


def test_a_strange_field_name_cannot_break_a_log_line() -> None:
    (path,) = problems(CUSTOMER, {"customernumber": "K-1", "name": "M", "a\nINFO all well": 1})
    assert "\n" not in path
    (path, *_) = problems(CUSTOMER, {"customernumber": "K\n1", "name": "M"})
    assert path == "customer: customernumber"


def test_every_problem_is_collected() -> None:
    record = {
        "invnumber": " R-1",
        "transdate": "31.03.2025",
        "customer": {"name": "x" * 65, "zip_code": "1"},
        "currency": "chf",
        "parts": [LINE, {"unit": "Stunden", "quantity": "1,5"}],
        "total": 5,
    }
    assert problems(INVOICE, record, path="invoice number 7") == {
        "invoice number 7: invnumber": "begins or ends with a blank",
        "invoice number 7: currency": "is not a currency code",
        "invoice number 7: transdate": "is not a date",
        "invoice number 7: customer.customernumber": "is missing",
        "invoice number 7: customer.name": "65 characters, RMA takes at most 64",
        "invoice number 7: customer.zip_code": "is not a field of a customer",
        "invoice number 7: parts[1].partnumber": "is missing",
        "invoice number 7: parts[1].unit": "7 characters, RMA takes at most 5",
        "invoice number 7: parts[1].quantity": "is not a number",
        "invoice number 7: parts[1].sellprice": "is missing",
        "invoice number 7: total": "is not a field of an invoice",
    }


@pytest.mark.parametrize("record", [None, "R-1", [HEAD], 5])
def test_what_is_no_record_is_refused(record: Any) -> None:
    assert "not a mapping of fields" in problems(INVOICE, record)["invoice"]


def test_a_payment_needs_day_amount_and_account() -> None:
    assert problems(PaymentSchema(), {"flag": "NEW"}) == {
        "payment: datepaid": "is missing",
        "payment: amount_paid": "is missing",
        "payment: payment_accno": "is missing",
    }


def test_messages_never_quote_values() -> None:
    secret = "Geheimstrasse\x07 99 in Bern an der Aare"
    record = dict.fromkeys(CUSTOMER.fields, secret) | {"customernumber": "K-1"}
    assert "Geheim" not in str(problems(CUSTOMER, record))


@pytest.mark.parametrize("customer", [{}, "", None])
def test_an_empty_customer_is_not_given(customer: Any) -> None:
    assert "customer" not in INVOICE.from_user({**HEAD, "customer": customer, "parts": LINE})


def test_what_rma_sets_is_left_out_with_one_remark(caplog: pytest.LogCaptureFixture) -> None:
    schema = InvoiceSchema()
    customer = {"customernumber": "K-1", "name": "Muster AG", "id": "Muster", "created": "gestern", "contactId": 0,
                "addressId": object(), "chart": {"accno": "1100"}, "paymentChart": []}  # fmt: skip
    record = {"invnumber": "R-1", "transdate": "2025-03-31", "id": "7", "customer": customer, "parts": LINE}
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            invoice = schema.from_user(record)
    assert invoice["customer"] == {"customernumber": "K-1", "name": "Muster AG"}
    assert "id" not in invoice
    told = [line for line in caplog.messages if "is set by RMA" in line]
    assert told == [
        "customer: id is set by RMA; what records say there is not sent.",
        "customer: created is set by RMA; what records say there is not sent.",
        "customer: contactId is set by RMA; what records say there is not sent.",
        "customer: addressId is set by RMA; what records say there is not sent.",
        "customer: chart is set by RMA; what records say there is not sent.",
        "invoice: id is set by RMA; what records say there is not sent.",
    ]


@pytest.mark.parametrize("name", ["amount", "netamount"])
def test_a_total_that_rma_would_ignore_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="give expected_amount"):
        INVOICE.from_user({**HEAD, "parts": LINE, name: "10.80"})


@pytest.mark.parametrize(
    ("mapped", "expected"),
    [
        ({"customer": {"customernumber": "K-1"}}, ["K-1"]),
        ({"customer": [{"customernumber": "K-1"}, {"customernumber": "K-2"}]}, ["K-1", "K-2"]),
        (None, []),
        ("", []),
        ({}, []),
        ({"customer": None}, []),
    ],
)
def test_a_list_response_is_read_in_all_forms(mapped: Any, expected: list[str]) -> None:
    assert [customer["customernumber"] for customer in CustomerSchema().list_from_wire(mapped)] == expected


def test_a_list_response_names_the_record_that_cannot_be_read() -> None:
    mapped = {"customer": [{"customernumber": "K-1"}, {"customernumber": "K-2", "terms": "bald"}]}
    with pytest.raises(UnexpectedResponseError, match=r"customer\[1\]: terms: cannot be read as a whole number"):
        CustomerSchema().list_from_wire(mapped)
    with pytest.raises(UnexpectedResponseError, match="cannot be read as a list"):
        CustomerSchema().list_from_wire("Wartung")


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
def test_unreadable_responses_name_the_field_and_not_the_value(schema: Any, mapped: Any, words: str) -> None:
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
