"""Rules over several fields of an invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.invoice import InvoiceSchema

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
