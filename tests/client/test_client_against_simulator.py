"""The client against the simulator, which shares no code with it: over HTTP, in both content types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import AuthenticationError, NotFoundError, RejectedError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
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
