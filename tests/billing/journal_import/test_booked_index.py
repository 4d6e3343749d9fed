"""Invoices of the books, found by number, by date and by what makes two of them look the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.booked import BookedInvoice
from airflow_provider_rma.billing.journal_import.booked_index import BookedIndex
from airflow_provider_rma.billing.journal_import.similarity import FieldDifference, Similarity
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument, read_invoice
from airflow_provider_rma.billing.policy import InputRules

INVOICE = BookedInvoice(
    "R-1",
    "7",
    Decimal("100.00"),
    Decimal("108.1"),
    "CHF",
    transdate=date(2026, 6, 15),
    customernumber="K-001",
)


@pytest.fixture
def index() -> Iterator[BookedIndex]:
    with BookedIndex() as index:
        yield index


def document(**fields: Any) -> InvoiceDocument:
    record = {
        "invnumber": "NEW-1",
        "customernumber": "K-001",
        "transdate": date(2026, 6, 15),
        "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
        "taxentries": [{"amount": "8.10", "tax_accno": "2201"}],
    }
    return read_invoice(record | fields, 1, InputRules(currencies={"CHF", "EUR"}))


def test_an_invoice_comes_back_as_it_was_kept(index: BookedIndex) -> None:
    similarity = Similarity((FieldDifference("transdate", "transdate: 1 day off", is_minor=True),), ("net",))
    index.add(INVOICE, similarity)
    (found,) = index.find("r-1")
    assert (found.booked, found.similarity) == (INVOICE, similarity)
    assert index.find("r-2") == []


def test_keys_of_a_period_come_by_date_and_number_each_once(index: BookedIndex) -> None:
    for number, day in (("B", 2), ("A", 2), ("C", 1), ("a", 3), ("D", 4)):
        index.add(replace(INVOICE, number=number, transdate=date(2026, 6, day)), None)
    assert list(index.keys_between(date(2026, 6, 1), date(2026, 6, 3))) == ["c", "a", "b"]


def test_a_twin_has_another_number_and_the_same_customer_date_and_gross(index: BookedIndex) -> None:
    for number, change in {
        "TWIN": {},
        "NEW-1": {},
        "CUSTOMER": {"customernumber": "K-901"},
        "DAY": {"transdate": date(2026, 6, 16)},
        "GROSS": {"gross": Decimal("108.11")},
        "CURRENCY": {"currency": "EUR"},
    }.items():
        index.add(replace(INVOICE, number=number, **change), None)
    assert [twin.booked.number for twin in index.find_twins(document())] == ["TWIN"]


def test_totals_in_foreign_currency_are_not_compared(index: BookedIndex) -> None:
    index.add(replace(INVOICE, number="TWIN", currency="EUR", gross=Decimal("1.00")), None)
    assert [twin.booked.number for twin in index.find_twins(document(currency="EUR"))] == ["TWIN"]


def test_what_is_set_aside_is_known_and_not_found(index: BookedIndex) -> None:
    index.set_aside("r-9")
    assert index.is_aside("r-9")
    assert not index.is_aside("r-8")
    assert index.find("r-9") == []
