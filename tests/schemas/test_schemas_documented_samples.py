"""The documented payloads read as what they say, and are written as they stand."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.payment import PaymentSchema

PAYMENTS = {
    "payment-post-transferkonto.json": ("648.0", "1090"),
    "payment-post-bankspesen-1-zahlung.json": ("644.0", "1030"),
    "payment-post-bankspesen-2-spesen.json": ("4.0", "6940"),
    "payment-post-preisnachlass-1-zahlung.json": ("448.0", "1030"),
    "payment-post-preisnachlass-2-nachlass.json": ("200.0", "3801"),
}


@pytest.fixture
def sample(shared_dir: Path) -> Any:
    return lambda name: json.loads((shared_dir / "rma-api" / "examples" / name).read_text(encoding="utf-8"))


def test_invoice_with_full_customer(sample: Any) -> None:
    mapped = sample("invoice-post-parts-full-customer.json")
    seen: set[str] = set()
    invoice = InvoiceSchema().from_wire(mapped, unknown_fields=seen)
    assert seen == set()
    assert invoice["invnumber"] == "R-002"
    assert invoice["transdate"] == date(2012, 8, 6)
    assert invoice["taxincluded"] is False
    assert invoice["customer"]["id"] == 10199
    assert invoice["customer"]["created"] == date(2012, 2, 21)
    assert invoice["customer"]["bank_bic"] == "CRESCHZZ80L"
    (line,) = invoice["parts"]
    assert (line["quantity"], line["sellprice"], line["discount"]) == (Decimal(5), Decimal(99), Decimal(0))
    assert line["price_update"] == date(2012, 8, 6)


def documented(mapped: dict[str, Any]) -> dict[str, Any]:
    """The sample with its list as an array, and the one time stamp whose time of day means nothing at midnight."""
    line = mapped["parts"]["part"] | {"price_update": "2012-08-06T00:00:00+02:00"}
    return mapped | {"parts": {"part": [line]}}


@pytest.mark.parametrize("name", ["invoice-post-parts-full-customer.json", "invoice-post-parts-customernumber.json"])
def test_invoices_are_written_as_documented_in_the_documented_order(sample: Any, name: str) -> None:
    mapped = sample(name)
    written = InvoiceSchema().to_wire(InvoiceSchema().from_wire(mapped))
    assert json.dumps(written) == json.dumps(documented(mapped))


@pytest.mark.parametrize("name", ["invoice-post-parts-full-customer.json", "invoice-post-parts-customernumber.json"])
def test_the_samples_are_valid_input_without_what_rma_sets(sample: Any, name: str) -> None:
    schema = InvoiceSchema()
    entity = schema.writable(schema.from_wire(sample(name)))
    assert schema.from_user(entity) == entity


def test_list_of_invoices(sample: Any) -> None:
    mapped = sample("invoice-list-partial.json")
    (invoice,) = InvoiceSchema().list_from_wire(mapped)
    assert invoice["status"] == "OVERDUE"
    assert invoice["department"] == "Department 2"
    assert json.dumps(InvoiceSchema().to_wire(invoice)) == json.dumps(documented(mapped["invoice"][0]))


@pytest.mark.parametrize("name", PAYMENTS)
def test_payments(sample: Any, name: str) -> None:
    payment = PaymentSchema().from_wire(sample(name))
    amount, account = PAYMENTS[name]
    assert payment["amount_paid"] == Decimal(amount)
    assert payment["payment_accno"] == account
    assert payment["datepaid"] == date(2011, 11, 23)
    assert PaymentSchema().to_wire(payment)["amount_paid"] == amount


def test_payment_list(sample: Any) -> None:
    (payment,) = PaymentSchema().list_from_wire(sample("invoice-payment-list.json"))
    assert payment["exchangerate"] == Decimal(1)
    assert payment["datepaid"] == date(2011, 10, 24)
