"""The client against the simulator, which shares no code with it: over HTTP, in both content types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
)
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.payment import PayablePaymentSchema, PaymentSchema
from airflow_provider_rma.schemas.purchases import PayableSchema, VendorSchema
from tests.support.simulator import SimulatorProcess

FORMS = pytest.mark.parametrize("form", ["json", "xml"])


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("books") / "books.sqlite") as process:
        yield process


def make_client(simulator: SimulatorProcess, **settings: Any) -> RunMyAccountsClient:
    given = {"host": simulator.url, "tenant": "demo", "token": simulator.token, "allow_writes": True} | settings
    return RunMyAccountsClient(ClientConfig(**given), retry=RetryPolicy(tries=1))


@pytest.fixture
def client(simulator: SimulatorProcess) -> Iterator[RunMyAccountsClient]:
    with make_client(simulator) as made:
        yield made
    assert made.unknown_fields == set()


def customer(number: str) -> dict[str, Any]:
    return {
        "customernumber": number,
        "name": "Gipfelbäckerei & Söhne <GmbH>",
        "address1": "Grätli 7",
        "zipcode": "7106",
        "city": "Tenna",
        "terms": 30,
        "bank_iban": "CH9300762011623852957",
    }


@FORMS
def test_a_customer_is_created_read_and_overwritten(client: RunMyAccountsClient, form: Any) -> None:
    number = f"N-{form}"
    with pytest.raises(NotFoundError):
        client.get_customer(number, content_type=form)
    client.save_customer(CustomerSchema().from_user(customer(number)), content_type=form)
    read = client.get_customer(number, content_type=form)
    assert {name: read[name] for name in customer(number)} == customer(number)
    client.save_customer(CustomerSchema().from_user(customer(number) | {"city": "Chur"}), content_type=form)
    assert client.get_customer(number, content_type=form)["city"] == "Chur"
    numbers = [each["customernumber"] for each in client.list_customers(content_type=form)]
    assert numbers.count(number) == 1


def test_both_forms_read_the_same(client: RunMyAccountsClient) -> None:
    for read in (client.list_parts, client.list_charts, client.list_departments, client.list_customers):
        in_json, in_xml = read(content_type="json"), read(content_type="xml")
        assert in_json == in_xml
        assert in_json


@FORMS
def test_an_invoice_by_articles(client: RunMyAccountsClient, form: Any) -> None:
    number = f"A-{form}"
    given = {
        "invnumber": number,
        "transdate": date(2026, 1, 5),
        "duedate": date(2026, 2, 4),
        "customernumber": "K-001",
        "description": "Decken für Hütte «Gletscherblick» & Co.",
        "parts": [
            {"partnumber": "ART-1", "quantity": 3, "sellprice": "10.35"},
            {"partnumber": "ART-1", "quantity": "-1", "sellprice": "0.125", "discount": "10"},
        ],
    }
    with pytest.raises(NotFoundError):
        client.get_invoice(number, content_type=form)
    client.create_invoice(InvoiceSchema().from_user(given), content_type=form)
    read = client.get_invoice(number, content_type=form)
    assert (read["transdate"], read["duedate"]) == (date(2026, 1, 5), date(2026, 2, 4))
    assert read["description"] == given["description"]
    assert [(line["quantity"], line["sellprice"]) for line in read["parts"]] == [
        (Decimal(3), Decimal("10.35")),
        (Decimal(-1), Decimal("0.125")),
    ]
    assert read["netamount"] == Decimal("30.94")
    assert read["amount"] == Decimal("33.45")


@FORMS
def test_an_invoice_by_booking(client: RunMyAccountsClient, form: Any) -> None:
    number = f"B/{form} 1"
    given = {
        "invnumber": number,
        "transdate": "2026-01-06",
        "customernumber": "K-001",
        "incomeentries": [{"amount": "99.00", "income_accno": "3400", "description": "Beratung"}],
        "taxentries": [{"amount": "7.92", "tax_accno": "2201"}],
    }
    client.create_invoice(InvoiceSchema().from_user(given), content_type=form)
    found = [
        each
        for each in client.iter_invoices(from_date=date(2026, 1, 6), to_date=date(2026, 1, 6), content_type=form)
        if each["invnumber"] == number
    ]
    assert [each["amount"] for each in found] == [Decimal("106.92")]
    assert client.get_invoice(number, content_type=form)["netamount"] == Decimal(99)
    assert client.list_invoices(from_date=date(1900, 1, 1), to_date=date(1900, 12, 31), content_type=form) == []


@FORMS
def test_what_the_service_refuses_is_rejected_with_its_text(client: RunMyAccountsClient, form: Any) -> None:
    given = {
        "invnumber": f"X-{form}",
        "transdate": "2026-01-06",
        "customernumber": "K-001",
        "parts": [{"partnumber": "UNBEKANNT", "quantity": 1, "sellprice": "1.00"}],
    }
    with pytest.raises(RejectedError) as caught:
        client.create_invoice(InvoiceSchema().from_user(given), content_type=form)
    assert caught.value.server_message
    assert caught.value.server_message not in str(caught.value)


@FORMS
def test_postings_and_balances_agree(client: RunMyAccountsClient, form: Any) -> None:
    period = {"from_date": date(2026, 1, 1), "to_date": date(2026, 1, 31)}
    with client.iter_transactions("x", **period, content_type=form) as rows:  # type: ignore[arg-type]
        postings = list(rows)
        assert rows.announced == len(postings)
    assert sum((row["amount"] for row in postings), Decimal(0)) == 0
    income = sum((row["amount"] for row in postings if row["accno"] == "3400"), Decimal(0))
    (balance,) = client.list_balances(accno="3400", **period, content_type=form)  # type: ignore[arg-type]
    assert abs(balance["amount"]) == abs(income)


@pytest.mark.parametrize("settings", [{"token": "pat_wrong"}, {"tenant": "elsewhere"}])
def test_a_wrong_key_or_tenant(simulator: SimulatorProcess, settings: dict[str, str]) -> None:
    with make_client(simulator, **settings) as client, pytest.raises(AuthenticationError):
        client.ping()


def test_ping_gives_the_service_s_clock(client: RunMyAccountsClient) -> None:
    clock = client.ping()
    assert clock is not None
    assert abs((clock - datetime.now(UTC)).total_seconds()) < 30


def make_invoice(client: RunMyAccountsClient, number: str, form: Any) -> None:
    given = {
        "invnumber": number,
        "transdate": "2026-01-06",
        "customernumber": "K-001",
        "incomeentries": [{"amount": "600.00", "income_accno": "3400"}],
        "taxentries": [{"amount": "48.60", "tax_accno": "2201"}],
    }
    client.create_invoice(InvoiceSchema().from_user(given), content_type=form)


def make_payment(amount: str, account: str = "1030", **further: Any) -> dict[str, Any]:
    given = {"datepaid": "2026-01-20T10:39:17.945+01:00", "amount_paid": amount, "payment_accno": account, **further}
    return PaymentSchema().from_user(given)


@FORMS
def test_a_payment_with_discount_is_posted_listed_and_marked(client: RunMyAccountsClient, form: Any) -> None:
    number = f"P/{form} 1"
    make_invoice(client, number, form)
    money = client.create_invoice_payment(number, make_payment("635.65", source="TX-7"), content_type=form)
    discount = client.create_invoice_payment(number, make_payment("12.95", "3800", memo="Skonto"), content_type=form)
    assert money is not None
    assert discount is not None
    assert (money["invnumber"], money["amount_paid"], money["source"]) == (number, Decimal("635.65"), "TX-7")
    assert (discount["payment_accno"], discount["memo"]) == ("3800", "Skonto")
    assert money["datepaid"] == date(2026, 1, 20)
    read = client.get_invoice(number, content_type=form)
    assert (read["paid"], read["status"]) == (Decimal("648.60"), "PAID")
    since = datetime.now(UTC) - timedelta(hours=1)

    def flags() -> dict[int, str]:
        listed = client.list_payments(processed=since, content_type=form)
        return {payment["id"]: payment["flag"] for payment in listed if payment["invnumber"] == number}

    assert flags() == {money["id"]: "NEW", discount["id"]: "NEW"}
    client.set_as_processed([money["id"]], content_type=form)
    assert flags() == {discount["id"]: "EVEN"}


@FORMS
def test_a_payment_that_the_service_refuses(client: RunMyAccountsClient, form: Any) -> None:
    make_invoice(client, f"Q-{form}", form)
    with pytest.raises(RejectedError) as caught:
        client.create_invoice_payment(f"Q-{form}", make_payment("1.00", "3400"), content_type=form)
    assert caught.value.is_final
    with pytest.raises(RejectedError) as caught:
        client.create_invoice_payment("UNBEKANNT", make_payment("1.00"), content_type=form)
    assert (caught.value.status, caught.value.is_final) == (404, True)


@pytest.mark.parametrize(
    ("fault", "paid"),
    [
        ({"fault": "lost", "after_commit": True}, "10.00"),
        ({"fault": "lost"}, "0"),
        ({"fault": "error", "after_commit": True}, "10.00"),
        ({"fault": "html", "after_commit": True}, "10.00"),
        ({"fault": "truncated", "framing": "content_length"}, "10.00"),
        ({"fault": "truncated", "framing": "intact"}, "10.00"),
        ({"fault": "partial"}, "10.00"),
    ],
)
def test_whatever_becomes_of_the_reply_a_payment_is_sent_once(
    simulator: SimulatorProcess, client: RunMyAccountsClient, fault: dict[str, Any], paid: str
) -> None:
    number = f"C-{fault['fault']}-{fault.get('after_commit')}-{fault.get('framing')}"
    make_invoice(client, number, "json")
    simulator.control("DELETE", "/requests")
    simulator.control("POST", "/chaos", {"class": "create_payment", **fault})
    try:
        with pytest.raises(OutcomeUnknownError):
            client.create_invoice_payment(number, make_payment("10.00"))
    finally:
        simulator.control("DELETE", "/chaos")
    received = simulator.control("GET", "/requests")["received"]
    assert received["POST /invoices/{number}/payments"] == 1
    assert client.get_invoice(number)["paid"] == Decimal(paid)


@FORMS
def test_vendors_and_vendor_invoices_are_written_read_and_paid(client: RunMyAccountsClient, form: Any) -> None:
    vendor = {"vendornumber": f"L-{form}", "name": "Molkerei Oberalp & Söhne", "terms": 30, "city": "Sedrun"}
    client.save_vendor(VendorSchema().from_user(vendor), experimental=True, content_type=form)
    read = client.get_vendor(f"L-{form}", content_type=form)
    assert {name: read[name] for name in vendor} == vendor
    assert read["created"] is not None
    number = f"MO-{form}"
    given = {
        "invnumber": number,
        "transdate": "2026-01-05",
        "duedate": "2026-02-04",
        "vendor": vendor,
        "expenseentries": [{"amount": "100.00", "expense_accno": "4000", "projectNumber": "2501"}],
        "taxentries": [{"amount": "8.10", "tax_accno": "1170"}],
    }
    client.create_payable(PayableSchema().from_user(given), experimental=True, content_type=form)
    payable = client.get_payable(number, content_type=form)
    assert (payable["amount"], payable["netamount"], payable["paid"]) == (Decimal("108.10"), Decimal(100), 0)
    assert payable["expenseentries"][0]["projectNumber"] == "2501"
    assert payable["paymentAccno"] == "1020"
    period = {"from_date": date(2026, 1, 5), "to_date": date(2026, 1, 5)}
    assert payable in client.list_payables(**period, content_type=form)  # type: ignore[arg-type]
    payment = {"datepaid": "2026-01-20", "amount_paid": "108.10", "payment_accno": "1020"}
    posted = client.create_payable_payment(number, PayablePaymentSchema().from_user(payment), content_type=form)
    assert posted is not None
    assert (posted["amount_paid"], posted["datepaid"]) == (Decimal("108.10"), date(2026, 1, 20))
    (paid,) = [
        each
        for each in client.iter_payables(**period, content_type=form)  # type: ignore[arg-type]
        if each["invnumber"] == number
    ]
    assert (paid["paid"], paid["status"]) == (Decimal("108.10"), "PAID")
    assert f"L-{form}" in [each["vendornumber"] for each in client.list_vendors(content_type=form)]


def test_an_invoice_as_pdf_and_html(client: RunMyAccountsClient) -> None:
    make_invoice(client, "D/1 ü", "json")
    with client.open_invoice_pdf("D/1 ü", formname="invoice", language_code="de") as document:
        content = document.read()
    assert content.startswith(b"%PDF-")
    assert "D/1 ü".encode("cp1252") in content
    with client.open_invoice_html("D/1 ü") as document:
        assert "Rechnung D/1 ü" in document.read().decode()
    with pytest.raises(NotFoundError):
        client.open_invoice_pdf("UNBEKANNT")
    with pytest.raises(RejectedError):
        client.open_invoice_html("D/1 ü", formname="poster")


@FORMS
def test_a_receipt_is_uploaded_once(simulator: SimulatorProcess, client: RunMyAccountsClient, form: Any) -> None:
    content = b"%PDF-1.4\r\n\x00\xff\r" + form.encode() + b"\n%%EOF"
    first = client.upload_receipt(content, "Beleg für März.pdf", comment="Büro", content_type=form)
    assert first.entity is not None
    assert (first.is_known, first.entity["comment"]) == (False, "Büro")
    assert first.entity["checksum"] == str(first.checksum)
    assert first.entity["file_name"] == "Beleg für März.pdf"
    again = client.upload_receipt(content, "anders.pdf", content_type=form)
    assert (again.is_known, again.checksum) == (True, first.checksum)
    kept = simulator.control("GET", "/uploads")["uploads"][-1]
    assert (kept["size"], kept["media_type"]) == (len(content), "application/pdf")


def test_the_two_versions_of_balances_agree(client: RunMyAccountsClient) -> None:
    period = {"from_date": date(1900, 1, 1), "to_date": date(2999, 12, 31)}
    first = client.list_balances_v1(**period, content_type="json")  # type: ignore[arg-type]
    assert first == client.list_balances_v1(**period, content_type="xml")  # type: ignore[arg-type]
    assert first == client.list_balances(**period)  # type: ignore[arg-type]
    assert first
