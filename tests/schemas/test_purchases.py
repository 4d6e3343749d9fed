"""Rules over several fields of a vendor invoice."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.purchases import PayableSchema

PAYABLE = PayableSchema()
LINE = {"partnumber": "A-1", "quantity": 1, "sellprice": "10.00"}
ENTRY = {"amount": "10.00", "expense_accno": "4400"}
TAX = {"amount": "0.81", "tax_accno": "1170"}
HEAD = {"invnumber": "MO-1", "transdate": "2025-03-31", "vendor": {"vendornumber": "L-1", "name": "Molkerei"}}


def problems(record: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        PAYABLE.from_user(record)
    assert all(problem.remedy for problem in caught.value.problems)
    return {problem.path: problem.problem for problem in caught.value.problems}


def test_a_vendor_invoice_without_anything_names_all_that_is_needed() -> None:
    assert problems({}) == {
        "payable: invnumber": "is missing",
        "payable: transdate": "is missing",
        "payable: vendor": "is missing",
        "payable: parts": "is missing: the invoice has no lines",
    }


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"parts": [LINE], "expenseentries": [ENTRY]}, "parts", "is given together with expenseentries"),
        ({"parts": [LINE], "taxentries": [TAX]}, "parts", "is given together with taxentries"),
        ({"taxentries": [TAX]}, "taxentries", "is given without expenseentries"),
        ({"parts": [LINE], "vendor": {"name": "M"}}, "vendor.vendornumber", "is missing"),
        ({"parts": [LINE], "vendor": {}}, "vendor", "is missing"),
        ({"parts": [LINE], "amount": 10}, "amount", "is set by RMA"),
        ({"parts": [LINE], "paid": 10}, "paid", "is set by RMA"),
        ({"parts": [LINE], "payment_accno": "1020"}, "payment_accno", "paymentAccno"),
        ({"expenseentries": [ENTRY | {"projectnumber": "P-1"}]}, "expenseentries[0].projectnumber", "projectNumber"),
        ({"expenseentries": [{"amount": 1}]}, "expenseentries[0].expense_accno", "is missing"),
    ],
)
def test_rules_of_a_vendor_invoice(fields: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        PAYABLE.from_user(HEAD | fields)
    found = [f"{each.problem} {each.remedy}" for each in caught.value.problems if each.path == f"payable MO-1: {path}"]
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize("lines", [{"parts": [LINE]}, {"expenseentries": [ENTRY | {"projectNumber": "P-1"}]}])
def test_both_methods_are_accepted(lines: dict[str, Any]) -> None:
    payable = PAYABLE.from_user(HEAD | lines | {"paymentAccno": 1020})
    written = PAYABLE.to_wire(payable)
    assert written["paymentAccno"] == "1020"
    assert written["vendor"] == {"vendornumber": "L-1", "name": "Molkerei"}
