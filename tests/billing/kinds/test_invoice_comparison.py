"""An invoice beside what is booked under its number."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.kinds.base import Comparison
from airflow_provider_rma.billing.kinds.invoice_comparison import compare_invoice
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument, read_invoice
from airflow_provider_rma.billing.policy import InputRules
from tests.support.invoices import make_invoice

RULES = InputRules(currencies={"CHF", "EUR"})
PART = {"partnumber": "ART-1", "quantity": "2", "sellprice": "50.00"}


def compare(record: dict[str, Any], **changes: Any) -> Comparison[InvoiceDocument]:
    """Compare an invoice with itself as RMA would show it, but for changes."""
    document = read_invoice(record, 1, RULES)
    totals = document.totals
    shown = {"id": "77", "currency": document.currency, "netamount": totals.net, "amount": totals.gross}
    return compare_invoice(document, {**document.invoice, **shown, **changes})


def test_the_same_invoice_differs_in_nothing() -> None:
    comparison = compare(make_invoice(duedate="2026-10-15", ar_accno="1100", notes="Danke"))
    assert (comparison.differences, comparison.texts, comparison.unchecked) == ((), (), ())
    assert comparison.booked.document_id == "77"


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"customernumber": "K-002"}, "customernumber: meant K-001, booked K-002"),
        ({"transdate": date(2026, 9, 16)}, "transdate: meant 2026-09-15, booked 2026-09-16"),
        ({"duedate": date(2026, 11, 1)}, "duedate: meant 2026-10-15, booked 2026-11-01"),
        ({"currency": "EUR"}, "currency: meant CHF, booked EUR"),
        ({"ar_accno": "1101"}, "ar_accno: meant 1100, booked 1101"),
        ({"netamount": Decimal("99.95")}, "net: meant 100.00, booked 99.95"),
        ({"amount": Decimal("108.15")}, "gross: meant 108.10, booked 108.15"),
        (
            {"incomeentries": [{"amount": Decimal(100), "income_accno": "3200"}]},
            "incomeentries: 1 meant, 1 booked, or other values",
        ),
        ({"taxentries": []}, "taxentries: 1 meant, 0 booked, or other values"),
    ],
)
def test_each_field_that_decides_what_is_owed_is_compared(changes: dict[str, Any], difference: str) -> None:
    record = make_invoice(duedate="2026-10-15", ar_accno="1100")
    assert compare(record, **changes).differences == (difference,)


@pytest.mark.parametrize("field", ["ordnumber", "description", "notes"])
def test_a_text_that_differs_is_named_and_no_difference(field: str) -> None:
    comparison = compare(make_invoice(**{field: "Danke  für den Auftrag"}), **{field: "Merci"})
    assert (comparison.differences, comparison.texts) == ((), (field,))
    assert compare(make_invoice(**{field: "Danke  für den Auftrag"}), **{field: "Danke für den Auftrag"}).texts == ()


def test_what_rma_does_not_state_is_unchecked() -> None:
    comparison = compare(make_invoice(), transdate=None, amount=None, currency="")
    assert (comparison.differences, comparison.unchecked) == ((), ("transdate", "currency", "gross"))


def test_totals_in_a_foreign_currency_are_not_compared() -> None:
    comparison = compare(make_invoice(currency="EUR"), netamount=Decimal(1), amount=Decimal(1))
    assert (comparison.differences, comparison.unchecked) == ((), ("net", "gross"))


def test_lines_are_compared_without_regard_to_their_order() -> None:
    record = make_invoice(incomeentries=None, taxentries=None, parts=[PART, PART | {"quantity": "1"}])
    parts = read_invoice(record, 1, RULES).invoice["parts"]
    assert compare(record, parts=parts[::-1]).differences == ()
    assert compare(record, parts=parts[:1] * 2).differences == ("parts: 2 meant, 2 booked, or other values",)


def test_no_discount_is_a_discount_of_zero() -> None:
    record = make_invoice(incomeentries=None, taxentries=None, parts=[PART])
    (part,) = read_invoice(record, 1, RULES).invoice["parts"]
    assert compare(record, parts=[part | {"discount": Decimal("0.0")}]).differences == ()
    assert compare(record, parts=[part | {"discount": Decimal("5")}]).differences


def test_lines_that_rma_does_not_show_are_unchecked() -> None:
    comparison = compare(make_invoice(), incomeentries=[], taxentries=[])
    assert (comparison.differences, comparison.unchecked) == ((), ("incomeentries", "taxentries"))


def test_entries_that_include_tax_are_unchecked() -> None:
    comparison = compare(make_invoice(taxincluded=True), incomeentries=[{"amount": Decimal(1)}])
    assert (comparison.differences, comparison.unchecked) == ((), ("incomeentries", "taxentries"))


def test_entries_of_zero_are_left_out_as_the_ledger_leaves_them_out() -> None:
    record = make_invoice(taxentries=[{"amount": "0", "tax_accno": "2201"}, {"amount": "8.10", "tax_accno": "2202"}])
    taxes = read_invoice(record, 1, RULES).invoice["taxentries"]
    assert compare(record, taxentries=taxes[1:]).differences == ()
