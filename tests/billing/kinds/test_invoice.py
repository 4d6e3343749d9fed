"""Invoices as a kind of document."""

from __future__ import annotations

from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.policy import Policy
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice


def test_reading_back_by_day_counts_a_document_once_that_the_list_holds_twice() -> None:
    client = FakeClient()
    kind = InvoiceKind(client.as_client(), Policy())
    document = kind.read(make_invoice(invnumber="R 1/a"), 1)
    client.create_invoice(document.invoice)
    client.invoices += client.invoices
    assert len(kind.find_booked(document)) == 1
    client.create_invoice(document.invoice)
    assert len(kind.find_booked(document)) == 2
