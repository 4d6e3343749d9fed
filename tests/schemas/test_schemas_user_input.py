"""Writing is strict: every problem is found before anything is sent, named with its field, the value unquoted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.payment import PaymentSchema

CUSTOMER = CustomerSchema()
INVOICE = InvoiceSchema()
LINE = {"partnumber": "A-1", "quantity": 1, "sellprice": "10.00"}
ENTRY = {"amount": "10.00", "income_accno": "3400"}
TAX = {"amount": "0.81", "tax_accno": "2201"}
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
        ("id", 5, "is set by RMA and cannot be written"),
        ("chart", {"accno": "1100"}, "is set by RMA and cannot be written"),
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


def test_an_invoice_without_anything_names_all_that_is_needed() -> None:
    assert problems(INVOICE, {}) == {
        "invoice: invnumber": "is missing",
        "invoice: transdate": "is missing",
        "invoice: customernumber": "is missing, and so is customer",
        "invoice: parts": "is missing: the invoice has no lines",
    }


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"parts": []}, "parts", "the invoice has no lines"),
        ({"parts": {"part": []}}, "parts", "the invoice has no lines"),
        ({"parts": None, "incomeentries": ""}, "parts", "the invoice has no lines"),
        ({"parts": [LINE], "incomeentries": [ENTRY]}, "parts", "is given together with incomeentries"),
        ({"parts": [LINE], "taxentries": [TAX]}, "parts", "is given together with taxentries"),
        ({"taxentries": [TAX]}, "taxentries", "is given without incomeentries"),
        ({"parts": [LINE], "customer": {"customernumber": "K", "name": "M"}}, "customernumber", "with customer"),
        ({"parts": [LINE], "customernumber": None}, "customernumber", "is missing, and so is customer"),
        ({"parts": [LINE], "customernumber": ""}, "customernumber", "is missing, and so is customer"),
        ({"parts": [LINE], "amount": 10}, "amount", "is set by RMA"),
        ({"parts": ["A-1"]}, "parts[0]", "is a str, not a mapping of fields"),
        ({"parts": "A-1"}, "parts", "is a str, not a list of part records"),
        ({"parts": {"part": LINE, "count": 1}}, "parts.count", "stands beside 'part' in the wrapper"),
        ({"parts": [LINE], "status": "Unpaid"}, "status", "is not one of OPEN, PAID, OVERDUE"),
        ({"incomeentries": [{**ENTRY, "amount": "1.005"}]}, "incomeentries[0].amount", "has 3 decimal places"),
        ({"incomeentries": [{"amount": 1}]}, "incomeentries[0].income_accno", "is missing"),
        ({"incomeentries": [ENTRY], "taxentries": [{**TAX, "tax_accno": ""}]}, "taxentries[0].tax_accno", "is empty"),
    ],
)  # fmt: skip
def test_rules_of_an_invoice(fields: dict[str, Any], path: str, words: str) -> None:
    found = {where: text for where, text in problems(INVOICE, HEAD | fields).items() if where == f"invoice R-1: {path}"}
    assert words in found[f"invoice R-1: {path}"]


@pytest.mark.parametrize("lines", [[LINE], (LINE,), LINE, {"part": LINE}, {"part": [LINE]}])
def test_lines_may_be_a_list_one_record_or_the_wrapper(lines: Any) -> None:
    entity = INVOICE.from_user({**HEAD, "parts": lines})
    assert entity["parts"] == [{"partnumber": "A-1", "quantity": Decimal(1), "sellprice": Decimal(10)}]
    assert entity["incomeentries"] == []


def test_both_methods_are_accepted() -> None:
    booked = INVOICE.from_user({**HEAD, "incomeentries": [ENTRY], "taxentries": TAX})
    assert booked["taxentries"] == [{"amount": Decimal("0.81"), "tax_accno": "2201"}]
    assert INVOICE.from_user({**HEAD, "incomeentries": [ENTRY]})["taxentries"] == []


def test_the_same_article_twice_stays_two_lines() -> None:
    assert len(INVOICE.from_user({**HEAD, "parts": [LINE, LINE]})["parts"]) == 2


def test_a_payment_needs_day_amount_and_account() -> None:
    assert problems(PaymentSchema(), {"flag": "NEW"}) == {
        "payment: datepaid": "is missing",
        "payment: amount_paid": "is missing",
        "payment: payment_accno": "is missing",
        "payment: flag": "is set by RMA and cannot be written",
    }


def test_messages_never_quote_values() -> None:
    secret = "Geheimstrasse\x07 99 in Bern an der Aare"
    record = dict.fromkeys(CUSTOMER.fields, secret) | {"customernumber": "K-1"}
    assert "Geheim" not in str(problems(CUSTOMER, record))


@pytest.mark.parametrize("customer", [{}, "", None])
def test_an_empty_customer_is_not_given(customer: Any) -> None:
    assert "customer" not in INVOICE.from_user({**HEAD, "customer": customer, "parts": LINE})
