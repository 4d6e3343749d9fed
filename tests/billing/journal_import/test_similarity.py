"""Which differences are minor, and which make it another invoice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.journal_import.similarity import compare_loosely
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument, read_invoice
from airflow_provider_rma.billing.policy import InputRules

RECORD: dict[str, Any] = {
    "invnumber": "R-1",
    "customernumber": "K-001",
    "transdate": date(2026, 6, 15),
    "description": "Beratung Juni",
    "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
    "taxentries": [{"amount": "8.10", "tax_accno": "2201"}],
}

#: The same invoice as the client reads it.
BOOKED: dict[str, Any] = {
    "invnumber": "R-1",
    "customer": {"customernumber": "K-001"},
    "transdate": date(2026, 6, 15),
    "description": "Beratung Juni",
    "currency": "CHF",
    "netamount": Decimal("100.00"),
    "amount": Decimal("108.10"),
    "incomeentries": [{"amount": Decimal("100.00"), "income_accno": "3400"}],
    "taxentries": [{"amount": Decimal("8.10"), "tax_accno": "2201"}],
}


@pytest.fixture
def document() -> InvoiceDocument:
    return read_invoice(RECORD, 1, InputRules())


def test_the_same_invoice_differs_in_nothing(document: InvoiceDocument) -> None:
    similarity = compare_loosely(document, BOOKED)
    assert similarity.is_same
    assert similarity.differences == ()


@pytest.mark.parametrize(
    ("change", "field", "is_minor", "words"),
    [
        ({"transdate": date(2026, 6, 16)}, "transdate", True, "(1 day off)"),
        ({"transdate": date(2026, 6, 17)}, "transdate", False, "(2 days off)"),
        ({"amount": Decimal("108.15")}, "gross", True, "(0.05 off)"),
        ({"amount": Decimal("108.16")}, "gross", False, "(0.06 off)"),
        ({"netamount": Decimal("99.98")}, "net", True, "(0.02 off)"),
        ({"description": "Beratung"}, "description", True, "cut after 8 characters"),
        ({"description": "Schulung"}, "description", True, "other words"),
        ({"description": ""}, "description", True, "empty in RMA"),
        ({"customer": {"customernumber": "K-901"}}, "customernumber", False, "K-901"),
    ],
)
def test_a_difference_is_weighed_by_its_field(
    document: InvoiceDocument, change: dict[str, Any], field: str, is_minor: bool, words: str
) -> None:
    (difference,) = compare_loosely(document, BOOKED | change).differences
    assert (difference.field, difference.is_minor) == (field, is_minor)
    assert words in difference.sentence


def test_one_difference_that_is_not_minor_decides(document: InvoiceDocument) -> None:
    similarity = compare_loosely(document, BOOKED | {"transdate": date(2026, 6, 20), "description": "Schulung"})
    assert not similarity.is_same
    assert not similarity.is_minor


def test_a_text_of_the_source_is_not_quoted(document: InvoiceDocument) -> None:
    similarity = compare_loosely(document, BOOKED | {"description": "Frau Beispiel"})
    assert "Beispiel" not in " ".join(difference.sentence for difference in similarity.differences)
