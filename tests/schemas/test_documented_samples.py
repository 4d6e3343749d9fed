"""Payloads in the documented shapes read as what they say, and are written as they stand."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.client.codecs.bodies import decode
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.payment import PayablePaymentSchema, PaymentSchema
from airflow_provider_rma.schemas.purchases import PayableSchema
from tests.support.payloads import OURS, Payloads

INVOICES = pytest.mark.parametrize(
    "name", ["invoice-post-parts-full-customer.json", "invoice-post-parts-customernumber.json"]
)


def test_invoice_with_full_customer(payloads: Payloads) -> None:
    seen: set[str] = set()
    invoice = InvoiceSchema().from_wire(payloads.mapped("invoice-post-parts-full-customer.json"), unknown_fields=seen)
    assert seen == set()
    facts = payloads.articles
    assert invoice["invnumber"] == facts.number
    assert invoice["transdate"] == date.fromisoformat(facts.transdate[:10])
    assert invoice["duedate"] == date.fromisoformat(facts.duedate[:10])
    assert invoice["taxincluded"] is False
    assert {name: invoice["customer"][name] for name in payloads.customer} == payloads.customer
    (line,) = invoice["parts"]
    expected = (Decimal(facts.quantity), Decimal(facts.sellprice), Decimal(facts.discount))
    assert (line["quantity"], line["sellprice"], line["discount"]) == expected
    assert line["price_update"] == date.fromisoformat(price_update(payloads)[:10])


def price_update(payloads: Payloads) -> str:
    return str(payloads.mapped("invoice-post-parts-full-customer.json")["parts"]["part"]["price_update"])


def documented(mapped: dict[str, Any]) -> dict[str, Any]:
    """The sample with its list as an array, and the one time stamp whose time of day means nothing at midnight."""
    line = mapped["parts"]["part"]
    moment = line["price_update"]
    line = line | {"price_update": f"{moment[:10]}T00:00:00{moment[-6:]}"}
    return mapped | {"parts": {"part": [line]}}


@INVOICES
def test_invoices_are_written_as_documented_in_the_documented_order(payloads: Payloads, name: str) -> None:
    mapped = payloads.mapped(name)
    written = InvoiceSchema().to_wire(InvoiceSchema().from_wire(mapped))
    assert json.dumps(written) == json.dumps(documented(mapped))


@INVOICES
def test_the_samples_are_valid_input_without_what_rma_sets(payloads: Payloads, name: str) -> None:
    schema = InvoiceSchema()
    entity = schema.writable(schema.from_wire(payloads.mapped(name)))
    assert schema.from_user(entity) == entity


SAMPLES = pytest.mark.parametrize(
    "name",
    [
        f"invoice-post-{sample}"
        for sample in (
            "parts-full-customer.json",
            "parts-full-customer.xml",
            "parts-customernumber.json",
            "parts-customernumber.xml",
            "booking-a1.1-simple.xml",
            "booking-a3.1-akonto.xml",
        )
    ],
)


@SAMPLES
def test_the_samples_are_valid_input_as_they_stand(payloads: Payloads, name: str) -> None:
    schema = InvoiceSchema()
    body = payloads.read(name)
    mapped = decode(body, "xml", "invoice") if name.endswith(".xml") else json.loads(body)
    entity = schema.from_user(mapped)
    read = schema.writable(schema.from_wire(mapped))
    assert {key: value for key, value in entity.items() if value != ""} == {
        key: value for key, value in read.items() if value != ""
    }


def test_list_of_invoices(payloads: Payloads) -> None:
    mapped = payloads.mapped("invoice-list-partial.json")
    (invoice,) = InvoiceSchema().list_from_wire(mapped)
    assert invoice["status"] == "OVERDUE"
    assert invoice["department"] == "Department 2"
    assert json.dumps(InvoiceSchema().to_wire(invoice)) == json.dumps(documented(mapped["invoice"][0]))


@pytest.mark.parametrize("name", OURS.payments)
def test_payments(payloads: Payloads, name: str) -> None:
    payment = PaymentSchema().from_wire(payloads.mapped(name))
    amount, account, day = payloads.payments[name]
    assert payment["amount_paid"] == Decimal(amount)
    assert payment["payment_accno"] == account
    assert payment["datepaid"] == day
    assert PaymentSchema().to_wire(payment)["amount_paid"] == amount


@pytest.mark.parametrize("schema", [PaymentSchema(), PayablePaymentSchema()], ids=lambda schema: type(schema).__name__)
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("name", OURS.payments)
def test_payments_are_valid_input_as_they_stand(
    payloads: Payloads, name: str, form: ContentType, schema: PaymentSchema
) -> None:
    body = payloads.read(name.replace(".json", f".{form}"))
    payment = schema.from_user(decode(body, form, "payment"))
    amount, account, day = payloads.payments[name]
    expected = (Decimal(amount), account, day)
    assert (payment["amount_paid"], payment["payment_accno"], payment["datepaid"]) == expected


def test_a_listed_payment_is_valid_input_without_what_rma_sets(
    payloads: Payloads, caplog: pytest.LogCaptureFixture
) -> None:
    listed = payloads.mapped("invoice-payment-list.json")["payment"][0] | {"id": "7", "flag": "EVEN"}
    with caplog.at_level("INFO"):
        payment = PaymentSchema().from_user(listed)
    assert not {"id", "flag"} & set(payment)
    assert "payment: id is set by RMA" in caplog.text
    assert "payment: flag is set by RMA" in caplog.text


def test_the_payable_reads_as_it_says_and_is_written_as_documented(payloads: Payloads) -> None:
    mapped = decode(payloads.read("payable-partial.xml"), "xml", "payable")
    seen: set[str] = set()
    payable = PayableSchema().from_wire(mapped, unknown_fields=seen)
    assert seen == set()
    for name in ("amount", "netamount", "paid"):
        assert payable[name] == Decimal(mapped[name])
    assert payable["paymentAccno"] == "1020"
    assert payable["transdate"] == date.fromisoformat(mapped["transdate"][:10])
    assert payable["vendor"]["terms"] == int(mapped["vendor"]["terms"])
    assert json.dumps(PayableSchema().to_wire(payable)) == json.dumps(mapped)


def test_payment_list(payloads: Payloads) -> None:
    (payment,) = PaymentSchema().list_from_wire(payloads.mapped("invoice-payment-list.json"))
    assert {name: payment[name] for name in payloads.listed_payment} == payloads.listed_payment
