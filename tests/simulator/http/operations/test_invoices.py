"""Invoices over HTTP: filters and defaults of the list, numbers in the path, what is accepted and refused."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.support.documents import invoice_request
from tests.support.simulator import SimulatorProcess, xml_root

TODAY = "2026-06-15"


INVOICE: dict[str, Any] = {
    "invnumber": "Z-1",
    "transdate": "2026-03-02T00:00:00+01:00",
    "customernumber": "K-001",
    "parts": {"part": {"partnumber": "ART-1", "quantity": "2.0", "sellprice": "10.0", "discount": "0.0"}},
}


ENTRY = {"amount": "10.0", "income_accno": "3400"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("lists") / "books.db") as process:
        process.control("PATCH", "/settings", {"today": TODAY})
        for number, day, due in [
            ("L-1", "2024-12-31", "2025-01-30"),
            ("L-2", "2025-01-01", "2025-01-31"),
            ("L-3", "2026-06-14", "2026-06-15"),
            ("L-4", "2026-06-15", "2026-06-14"),
            ("L-5", "2026-06-16", "2026-07-16"),
        ]:
            assert process.post("/invoices", invoice_request(number, day, due=due)).status_code == 204
        assert process.post("/invoices", invoice_request("L-6", "2026-06-10", due="2026-07-10", customer="K-901")).ok
        paid = process.documents("L-2")[0]["id"]
        process.control("POST", f"/documents/{paid}/payments", {"amount": "100", "datepaid": "2025-01-20"})
        yield process


def numbers(simulator: SimulatorProcess, **query: str) -> list[str]:
    """Numbers of the listed invoices, from both forms."""
    found = simulator.get("/invoices", **query).json() or {}
    listed = found.get("invoice", [])
    from_json = [one["invnumber"] for one in (listed if isinstance(listed, list) else [listed])]
    root = xml_root(simulator.get("/invoices", form="xml", **query).content)
    assert [one.findtext("invnumber") for one in root] == from_json
    return from_json


def test_dates_are_inclusive_and_the_last_day_is_today_unless_told(simulator: SimulatorProcess) -> None:
    assert numbers(simulator) == ["L-1", "L-2", "L-6", "L-3", "L-4"]
    assert numbers(simulator, to="2026-06-16") == ["L-1", "L-2", "L-6", "L-3", "L-4", "L-5"]
    assert numbers(simulator, **{"from": "2025-01-01", "to": "2026-06-14"}) == ["L-2", "L-6", "L-3"]
    assert numbers(simulator, **{"from": "today", "to": "tomorrow"}) == ["L-4", "L-5"]
    assert numbers(simulator, **{"from": "yesterday", "to": "yesterday"}) == ["L-3"]
    assert simulator.get("/invoices", **{"from": "2026-06-14T00:00:00"}).status_code == 400


def test_first_day_is_the_close_date_unless_told(simulator: SimulatorProcess) -> None:
    simulator.control("PUT", "/close-date", {"day": "2025-01-01"})
    try:
        assert numbers(simulator) == ["L-2", "L-6", "L-3", "L-4"]
        assert numbers(simulator, **{"from": "1900-01-01"})[0] == "L-1"
    finally:
        simulator.control("PUT", "/close-date", {"day": None})


def test_status_and_customer_filters(simulator: SimulatorProcess) -> None:
    assert numbers(simulator, status="PAID") == ["L-2"]
    assert numbers(simulator, status="OPEN") == ["L-1", "L-6", "L-3", "L-4"], "open includes overdue"
    assert numbers(simulator, status="OVERDUE") == ["L-1", "L-4"]
    assert simulator.get("/invoices", status="Unpaid").status_code == 400
    assert numbers(simulator, customer_number="K-901") == ["L-6"]
    assert numbers(simulator, customer_number="K-404") == []
    states = {number: simulator.get(f"/invoices/{number}").json()["status"] for number in ("L-1", "L-2", "L-3")}
    assert states == {"L-1": "OVERDUE", "L-2": "PAID", "L-3": "OPEN"}
    assert simulator.get("/invoices/L-2").json()["paid"] == "100.0"


def test_a_list_of_one_is_an_object_in_json(simulator: SimulatorProcess) -> None:
    assert isinstance(simulator.get("/invoices", status="PAID").json()["invoice"], dict)


def test_every_form_of_an_empty_list_can_be_switched(simulator: SimulatorProcess) -> None:
    for form, text in [("object", "{}"), ("text", '""'), ("missing", "{}"), ("null", "null")]:
        simulator.control("PATCH", "/settings", {"empty_list": form})
        assert simulator.get("/invoices", customer_number="K-404").text == text
    assert simulator.get("/invoices", form="xml", customer_number="K-404").text.endswith("<invoices/>")


def test_numbers_match_exactly(simulator: SimulatorProcess) -> None:
    assert simulator.get("/invoices/L-1").status_code == 200
    assert simulator.get("/invoices/l-1").status_code == 404
    assert simulator.get("/invoices/L-1%20").status_code == 404


@pytest.mark.parametrize("number", ["2026/07 #1", "Ä-1 +&?", "a%2Fb", "100%", ".."])
def test_any_number_can_be_read_back_percent_encoded(simulator: SimulatorProcess, number: str) -> None:
    assert simulator.post("/invoices", invoice_request(number, "2026-06-01")).status_code == 204
    address = urlsplit(simulator.base)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    encoded = quote(number, safe="").replace(".", "%2E")
    headers = {"Authorization": f"Bearer {simulator.token}", "Accept": "application/json"}
    connection.request("GET", f"{address.path}/invoices/{encoded}", headers=headers)
    answer = connection.getresponse()
    assert json.loads(answer.read())["invnumber"] == number
    connection.close()


def test_duplicate_numbers_are_refused_or_accepted_by_a_switch(simulator: SimulatorProcess) -> None:
    first, second = invoice_request("D-1", "2026-05-01", price="1.0"), invoice_request("D-1", "2026-05-02", price="2.0")
    assert simulator.post("/invoices", first).status_code == 204
    answer = simulator.post("/invoices", second)
    assert answer.status_code == 400
    assert "D-1" in answer.json()["error"]
    simulator.control("PATCH", "/settings", {"duplicates": "accept"})
    try:
        assert simulator.post("/invoices", second).status_code == 204
    finally:
        simulator.control("PATCH", "/settings", {"duplicates": "refuse"})
    assert [one["amount"] for one in simulator.documents("D-1")] == ["1", "2"]
    assert simulator.get("/invoices/D-1").json()["amount"] == "1.0", "the one posted first"


def test_of_repeated_wrappers_only_the_last_position_is_imported(simulator: SimulatorProcess) -> None:
    part = invoice_request("W-1", "2026-05-01")["parts"]["part"]
    several = invoice_request("W-1", "2026-05-01") | {
        "parts": [{"part": part}, {"part": part | {"sellprice": "7.0"}}],
    }
    assert simulator.post("/invoices", several).status_code == 204
    assert simulator.get("/invoices/W-1").json()["amount"] == "7.0"


def test_full_customer_wins_over_a_number(simulator: SimulatorProcess) -> None:
    given = invoice_request("F-1", "2026-05-01") | {"customer": {"customernumber": "K-55", "name": "Neu AG"}}
    assert simulator.post("/invoices", given | {"status": "Unpaid", "paymentmethod": "x"}).status_code == 204
    read = simulator.get("/invoices/F-1").json()
    assert (read["customer"]["customernumber"], read["customer"]["name"]) == ("K-55", "Neu AG")
    assert read["status"] != "Unpaid"


def test_numbers_and_booleans_may_be_real_ones_in_json(simulator: SimulatorProcess) -> None:
    given = invoice_request("N-1", "2026-05-01") | {"taxincluded": False}
    given["parts"]["part"] |= {"quantity": 3, "sellprice": 0.125, "discount": 0}
    assert simulator.post("/invoices", given).status_code == 204
    read = simulator.get("/invoices/N-1").json()
    assert (read["parts"]["part"]["quantity"], read["parts"]["part"]["sellprice"]) == ("3.0", "0.125")
    assert read["amount"] == "0.38"


def test_a_customer_inside_an_invoice_is_not_saved_without_the_invoice(simulator: SimulatorProcess) -> None:
    document = invoice_request("L-77", "2026-06-01")
    document["customer"] = {"customernumber": "K-077", "name": "Halb AG", "arap_accno": "9876"}
    refused = simulator.post("/invoices", document)
    assert refused.status_code == 400
    assert "9876" in refused.text
    assert simulator.get("/customers/K-077").status_code == 404
    document["customer"]["arap_accno"] = "1100"
    assert simulator.post("/invoices", document).status_code == 204
    assert simulator.get("/customers/K-077").status_code == 200


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in INVOICE.items() if key != name}


def _with_part(**values: str) -> dict[str, Any]:
    return INVOICE | {"parts": {"part": INVOICE["parts"]["part"] | values}}


@pytest.mark.parametrize(
    ("invoice", "text"),
    [
        (_without("invnumber"), "Rechnungsnummer"),
        (_without("transdate"), "transdate"),
        (_without("customernumber"), "Kunde fehlt"),
        (_without("parts"), "keine Positionen"),
        (INVOICE | {"parts": None}, "keine Positionen"),
        (INVOICE | {"transdate": "02.03.2026"}, "Datum"),
        (INVOICE | {"customernumber": "K-404"}, "K-404"),
        (INVOICE | {"customernumber": "k-001"}, "k-001"),
        (INVOICE | {"ar_accno": "9999"}, "9999"),
        (INVOICE | {"payment_accno": "9999"}, "9999"),
        (INVOICE | {"currency": "FRANKEN"}, "currency"),
        (INVOICE | {"language_code": "rm"}, "'rm' ist unbekannt"),
        (INVOICE | {"department": "Nirgends"}, "Nirgends"),
        (INVOICE | {"taxincluded": "vielleicht"}, "taxincluded"),
        (INVOICE | {"incomeentries": {"incomeentry": ENTRY}}, "nicht beides"),
        (INVOICE | {"customer": {"customernumber": "K-7"}}, "name"),
        (INVOICE | {"customer": {"customernumber": "K-7", "name": "n" * 65}}, "name"),
        (_with_part(partnumber="ART-404"), "ART-404"),
        (_with_part(unit="Stueck"), "unit"),
        (_with_part(quantity="1,5"), "quantity"),
        (_with_part(sellprice="gratis"), "sellprice"),
        (_with_part(income_accno="9999"), "9999"),
        (_without("parts") | {"incomeentries": {"incomeentry": ENTRY | {"income_accno": "9999"}}}, "9999"),
        (_without("parts") | {"incomeentries": {"incomeentry": {"income_accno": "3400"}}}, "amount"),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_nothing_behind(
    simulator: SimulatorProcess, invoice: dict[str, Any], text: str
) -> None:
    answer = simulator.post("/invoices", invoice)
    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert simulator.documents("Z-1") == []
    assert simulator.get("/customers/K-7").status_code == 404
