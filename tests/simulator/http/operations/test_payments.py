"""Payments over HTTP: what is accepted, what is refused, the payment list of each token, faults on purpose."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import requests

from tests.support.payloads import Payloads
from tests.support.simulator import SimulatorProcess

NUMBERS = count(1)


@pytest.fixture
def invoice(simulator: SimulatorProcess) -> str:
    """Number of an unpaid invoice of 648.60."""
    number = f"PAY-{next(NUMBERS)}"
    document = {
        "invnumber": number,
        "transdate": "2026-01-05",
        "customernumber": "K-001",
        "incomeentries": {"incomeentry": {"amount": "600.0", "income_accno": "3400"}},
        "taxentries": {"taxentry": {"amount": "48.6", "tax_accno": "2201"}},
    }
    assert simulator.post("/invoices", document).status_code == 204
    return number


def payment(amount: str, account: str = "1030", **further: str) -> dict[str, str]:
    return {"datepaid": "2026-01-20", "amount_paid": amount, "payment_accno": account, **further}


def pay(simulator: SimulatorProcess, number: str, given: Any, **options: str) -> requests.Response:
    return simulator.post(f"/invoices/{number}/payments", given, **options)


def postings(simulator: SimulatorProcess, number: str) -> list[tuple[str, Decimal]]:
    (document,) = simulator.documents(number)
    return [(row["accno"], Decimal(row["amount"])) for row in document["postings"] if row["transdate"] != "2026-01-05"]


@pytest.mark.parametrize("form", ["json", "xml"])
def test_documented_payments_are_accepted_as_they_stand(
    simulator: SimulatorProcess, payloads: Payloads, form: str
) -> None:
    for name, (amount, account, day) in payloads.payments.items():
        number = f"DOC-{next(NUMBERS)}"
        document = {"invnumber": number, "transdate": "2010-01-05", "customernumber": "K-001"}
        entry = {"incomeentries": {"incomeentry": {"amount": "648.0", "income_accno": "3400"}}}
        assert simulator.post("/invoices", document | entry).status_code == 204
        answer = pay(simulator, number, payloads.read(name.replace("json", form)), form=form, accept="json")
        assert answer.status_code == 200, answer.text
        posted = answer.json()
        assert (posted["invnumber"], posted["amount_paid"], posted["payment_accno"]) == (number, amount, account)
        assert (posted["datepaid"][:10], posted["flag"]) == (day.isoformat(), "NEW")
        assert simulator.get(f"/invoices/{number}").json()["paid"] == amount


def test_discount_and_charges_are_payments_on_their_accounts(simulator: SimulatorProcess, invoice: str) -> None:
    assert pay(simulator, invoice, payment("635.65")).status_code == 200
    assert simulator.get(f"/invoices/{invoice}").json()["status"] != "PAID"
    assert pay(simulator, invoice, payment("12.95", "3800", source="TX-1", memo="Skonto")).status_code == 200
    assert simulator.get(f"/invoices/{invoice}").json()["status"] == "PAID"
    assert postings(simulator, invoice) == [
        ("1100", Decimal("635.65")),
        ("1030", Decimal("-635.65")),
        ("1100", Decimal("12.95")),
        ("3800", Decimal("-12.95")),
    ]
    rows = simulator.get("/charts/3800/transactions").json()["transaction"]
    row = rows[-1] if isinstance(rows, list) else rows
    assert (row["source"], row["memo"], row["reference"]) == ("TX-1", "Skonto", invoice)


def test_too_much_may_be_paid_and_negative_payments_are_accepted(simulator: SimulatorProcess, invoice: str) -> None:
    assert pay(simulator, invoice, payment("700.0")).status_code == 200
    assert simulator.get(f"/invoices/{invoice}").json()["paid"] == "700.0"
    assert pay(simulator, invoice, payment("-700.0", "1090")).status_code == 200
    assert simulator.get(f"/invoices/{invoice}").json()["paid"] == "0.0"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"datepaid": ""}, "datepaid"),
        ({"datepaid": "gestern"}, "datepaid"),
        ({"amount_paid": ""}, "amount_paid"),
        ({"amount_paid": "viel"}, "amount_paid"),
        ({"amount_paid": "0.0"}, "amount_paid"),
        ({"payment_accno": "3400"}, "3400"),
        ({"payment_accno": "9999"}, "9999"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "Franken"}, "currency"),
        ({"exchangerate": "-1.0"}, "exchangerate"),
    ],
)
def test_what_is_refused_changes_nothing(
    simulator: SimulatorProcess, invoice: str, given: dict[str, str], field: str
) -> None:
    answer = pay(simulator, invoice, payment("10.0") | given)
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert postings(simulator, invoice) == []


def test_an_unknown_invoice_and_a_closed_period(simulator: SimulatorProcess, invoice: str) -> None:
    assert pay(simulator, "UNBEKANNT", payment("10.0")).status_code == 404
    simulator.control("PUT", "/close-date", {"day": "2026-01-31"})
    try:
        assert "abgeschlossen" in pay(simulator, invoice, payment("10.0")).json()["error"]
    finally:
        simulator.control("PUT", "/close-date", {"day": None})
    assert postings(simulator, invoice) == []


def test_a_payment_in_a_foreign_currency_has_the_rate_one_unless_it_says_otherwise(simulator: SimulatorProcess) -> None:
    for rate, clearing in (("0.97", "629.14"), (None, "648.6")):
        number = f"EUR-{next(NUMBERS)}"
        entries = {"incomeentries": [{"amount": "648.60", "income_accno": "3400"}], "taxentries": []}
        document = {"invnumber": number, "transdate": "2026-01-05", "customernumber": "K-001", "currency": "EUR"}
        simulator.control("POST", "/invoices", document | entries | {"exchangerate": "0.95", "taxincluded": False})
        given = payment("648.60", "1021") | ({"exchangerate": rate} if rate else {})
        assert pay(simulator, number, given).status_code == 200
        rows = postings(simulator, number)
        assert sum(amount for account, amount in rows if account == "1021") == -Decimal(clearing)


# ------------------------------------------------------------------ the payment list


class Feed:
    """The payment list as one token sees it."""

    def __init__(self, simulator: SimulatorProcess, token: str) -> None:
        self._simulator = simulator
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        simulator.control("POST", "/tokens", {"token": token})

    def read(self, number: str, processed: str = "") -> list[tuple[str, str]]:
        """Flag and amount of each payment of an invoice."""
        answer = requests.get(
            f"{self._simulator.base}/invoices/payment_list",
            params={"processed": processed} if processed else {},
            headers=self._headers,
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        listed = (answer.json() or {}).get("payment") or []
        rows = listed if isinstance(listed, list) else [listed]
        self.rows = [row for row in rows if row["invnumber"] == number]
        return [(row["flag"], row["amount_paid"]) for row in self.rows]

    def mark(self, *ids: str) -> requests.Response:
        """Mark payments as processed."""
        return requests.post(
            f"{self._simulator.base}/invoices/set_as_processed",
            data=[("id", number) for number in ids],
            headers=self._headers,
            timeout=30,
        )


@pytest.fixture
def feed(simulator: SimulatorProcess) -> Feed:
    return Feed(simulator, f"pat_feed_{next(NUMBERS)}")


def test_a_payment_is_new_once_then_even_until_it_is_marked(
    simulator: SimulatorProcess, invoice: str, feed: Feed
) -> None:
    pay(simulator, invoice, payment("10.0"))
    assert feed.read(invoice) == [("NEW", "10.0")]
    assert feed.read(invoice) == [("EVEN", "10.0")]
    assert feed.mark(feed.rows[0]["id"], "999999999").status_code == 204
    assert feed.read(invoice) == []
    pay(simulator, invoice, payment("20.0"))
    assert feed.read(invoice) == [("NEW", "20.0")]


def test_flags_and_marks_belong_to_the_token(simulator: SimulatorProcess, invoice: str, feed: Feed) -> None:
    pay(simulator, invoice, payment("10.0"))
    other = Feed(simulator, f"pat_other_{next(NUMBERS)}")
    assert feed.read(invoice) == [("NEW", "10.0")]
    feed.mark(feed.rows[0]["id"])
    assert other.read(invoice) == [("NEW", "10.0")]
    assert other.read(invoice) == [("EVEN", "10.0")]
    assert feed.read(invoice) == []


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_payment_that_was_changed_or_deleted_says_so(
    simulator: SimulatorProcess, invoice: str, feed: Feed, is_marked: bool
) -> None:
    for amount in ("10.0", "20.0"):
        pay(simulator, invoice, payment(amount))
    assert feed.read(invoice) == [("NEW", "10.0"), ("NEW", "20.0")]
    if is_marked:
        feed.mark(*[row["id"] for row in feed.rows])
    (document,) = simulator.documents(invoice)
    changed = [{**document["payments"][0], "amount": "15.0"}]
    simulator.control("PUT", f"/documents/{document['id']}", {**document, "payments": changed})
    assert feed.read(invoice) == [("MUTATED", "15.0"), ("DELETED", "20.0")]
    assert feed.read(invoice) == [("EVEN", "15.0"), ("DELETED", "20.0")]
    feed.mark(*[row["id"] for row in feed.rows])
    assert feed.read(invoice) == []


def test_a_document_that_is_saved_again_may_renew_its_payments(
    simulator: SimulatorProcess, invoice: str, feed: Feed
) -> None:
    pay(simulator, invoice, payment("10.0"))
    feed.read(invoice)
    (document,) = simulator.documents(invoice)
    simulator.control("PUT", f"/documents/{document['id']}?payments=renew", document)
    assert sorted(feed.read(invoice)) == [("DELETED", "10.0"), ("NEW", "10.0")]


def test_the_list_begins_at_a_minute(simulator: SimulatorProcess, invoice: str, feed: Feed) -> None:
    pay(simulator, invoice, payment("10.0"))
    now = datetime.now().astimezone()
    assert feed.read(invoice, (now + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")) == []
    assert feed.read(invoice, (now - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")) == [("NEW", "10.0")]
    for text in ("2026-01-05", "2026-01-05T10:00:00", "gestern", "2026-13-05T10:00"):
        assert simulator.get("/invoices/payment_list", processed=text).status_code == 400


def test_ids_that_are_none_are_refused(simulator: SimulatorProcess, feed: Feed) -> None:
    assert feed.mark("").status_code == 400
    assert feed.mark("x").status_code == 400
    assert simulator.post("/invoices/set_as_processed", {"id": "1"}).status_code == 415


def test_the_payment_list_is_no_invoice(simulator: SimulatorProcess) -> None:
    assert simulator.get("/invoices/payment_list", form="xml").content.startswith(b"<?xml")
    assert simulator.post("/invoices/payment_list", {}).status_code == 405


def test_state_survives_a_restart(tmp_path: Any) -> None:
    with SimulatorProcess(tmp_path / "books.db") as simulator:
        document = {"invnumber": "R-1", "transdate": "2026-01-05", "customernumber": "K-001"}
        entry = {"incomeentries": {"incomeentry": {"amount": "100.0", "income_accno": "3400"}}}
        simulator.post("/invoices", document | entry)
        pay(simulator, "R-1", payment("10.0"))
        assert Feed(simulator, "pat_kept").read("R-1") == [("NEW", "10.0")]
        simulator.stop()
        simulator.start()
        assert Feed(simulator, "pat_kept").read("R-1") == [("EVEN", "10.0")]


@pytest.mark.parametrize(("after_commit", "paid"), [(False, "0.0"), (True, "10.0")])
def test_a_reply_to_a_payment_can_be_lost(
    simulator: SimulatorProcess, invoice: str, after_commit: bool, paid: str
) -> None:
    rule = {"class": "create_payment", "fault": "lost", "after_commit": after_commit, "count": 1}
    simulator.control("POST", "/chaos", rule)
    try:
        with pytest.raises(requests.ConnectionError):
            pay(simulator, invoice, payment("10.0"))
    finally:
        simulator.control("DELETE", "/chaos")
    assert simulator.get(f"/invoices/{invoice}").json()["paid"] == paid


def test_a_payment_can_be_repeated_on_the_way(simulator: SimulatorProcess, invoice: str) -> None:
    simulator.control("POST", "/chaos", {"class": "create_payment", "fault": "repeated", "count": 1})
    assert pay(simulator, invoice, payment("10.0")).status_code == 200
    simulator.control("DELETE", "/chaos")
    assert simulator.get(f"/invoices/{invoice}").json()["paid"] == "20.0"


@pytest.mark.parametrize(
    "given",
    [
        # a shop in PHP: JSON numbers, a time with its offset, no currency
        {"datepaid": "2026-01-20T10:39:17.945+01:00", "amount_paid": 10.5, "memo": "Shop", "payment_accno": 1090},
        {"datepaid": "2026-01-20", "amount_paid": "10.50", "memo": "Shop", "payment_accno": "1090", "source": None},
        # ids and flags on write are ignored
        {
            "id": "beliebig", "invnumber": "ANDERE", "datepaid": "2026-01-20T00:00:00", "amount_paid": "10.5",
            "memo": "Shop", "payment_accno": "1090", "currency": "CHF", "exchangerate": "1.0", "flag": "NEW",
        },
    ],
)  # fmt: skip
def test_what_public_clients_send_is_accepted(simulator: SimulatorProcess, invoice: str, given: dict[str, Any]) -> None:
    answer = simulator.post(f"/invoices/{invoice}/payments/", given)
    assert answer.status_code == 200, answer.text
    posted = answer.json()
    assert (posted["invnumber"], posted["amount_paid"], posted["memo"]) == (invoice, "10.5", "Shop")
    assert (posted["currency"], posted["exchangerate"], posted["source"]) == ("CHF", "1.0", "")
    assert posted["datepaid"] == "2026-01-20T00:00:00+01:00"
    assert posted["id"].isdigit()


def test_a_cancellation_is_settled_by_two_payments_of_opposite_sign(simulator: SimulatorProcess, invoice: str) -> None:
    document = {"invnumber": f"{invoice}_STORNO", "transdate": "2026-01-19", "customernumber": "K-001"}
    entries = {"incomeentry": {"amount": "-600.0", "income_accno": "3400"}}
    taxes = {"taxentry": {"amount": "-48.6", "tax_accno": "2201"}}
    storno = document | {"incomeentries": entries, "taxentries": taxes}
    assert simulator.post("/invoices", storno).status_code == 204
    assert pay(simulator, f"{invoice}_STORNO", payment("-648.6", "1090")).status_code == 200
    assert pay(simulator, invoice, payment("648.6", "1090")).status_code == 200
    for number in (invoice, f"{invoice}_STORNO"):
        assert simulator.get(f"/invoices/{number}").json()["status"] == "PAID"
    rows = postings(simulator, invoice) + postings(simulator, f"{invoice}_STORNO")
    assert sum(amount for account, amount in rows if account == "1090") == 0
