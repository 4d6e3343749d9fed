"""Reading invoices: filters, defaults, lists of none and one, numbers in the path, long lists in pieces."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.support.simulator import SimulatorProcess, xml_root

TODAY = "2026-06-15"


def invoice(number: str, day: str, *, due: str = "", customer: str = "K-001", price: str = "100.0") -> dict[str, Any]:
    """An invoice over one article without tax trouble."""
    return {
        "invnumber": number,
        "transdate": day,
        "duedate": due,
        "customernumber": customer,
        "parts": {"part": {"partnumber": "DL-302", "quantity": "1.0", "sellprice": price, "discount": "0.0"}},
    }


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
            assert process.post("/invoices", invoice(number, day, due=due)).status_code == 204
        assert process.post("/invoices", invoice("L-6", "2026-06-10", due="2026-07-10", customer="K-901")).ok
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
    assert simulator.post("/invoices", invoice(number, "2026-06-01")).status_code == 204
    address = urlsplit(simulator.base)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    encoded = quote(number, safe="").replace(".", "%2E")
    headers = {"Authorization": f"Bearer {simulator.token}", "Accept": "application/json"}
    connection.request("GET", f"{address.path}/invoices/{encoded}", headers=headers)
    answer = connection.getresponse()
    assert json.loads(answer.read())["invnumber"] == number
    connection.close()


def test_duplicate_numbers_are_refused_or_accepted_by_a_switch(simulator: SimulatorProcess) -> None:
    first, second = invoice("D-1", "2026-05-01", price="1.0"), invoice("D-1", "2026-05-02", price="2.0")
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
    part = invoice("W-1", "2026-05-01")["parts"]["part"]
    several = invoice("W-1", "2026-05-01") | {
        "parts": [{"part": part}, {"part": part | {"sellprice": "7.0"}}],
    }
    assert simulator.post("/invoices", several).status_code == 204
    assert simulator.get("/invoices/W-1").json()["amount"] == "7.0"


def test_full_customer_wins_over_a_number(simulator: SimulatorProcess) -> None:
    given = invoice("F-1", "2026-05-01") | {"customer": {"customernumber": "K-55", "name": "Neu AG"}}
    assert simulator.post("/invoices", given | {"status": "Unpaid", "paymentmethod": "x"}).status_code == 204
    read = simulator.get("/invoices/F-1").json()
    assert (read["customer"]["customernumber"], read["customer"]["name"]) == ("K-55", "Neu AG")
    assert read["status"] != "Unpaid"


def test_numbers_and_booleans_may_be_real_ones_in_json(simulator: SimulatorProcess) -> None:
    given = invoice("N-1", "2026-05-01") | {"taxincluded": False}
    given["parts"]["part"] |= {"quantity": 3, "sellprice": 0.125, "discount": 0}
    assert simulator.post("/invoices", given).status_code == 204
    read = simulator.get("/invoices/N-1").json()
    assert (read["parts"]["part"]["quantity"], read["parts"]["part"]["sellprice"]) == ("3.0", "0.125")
    assert read["amount"] == "0.38"


def test_long_lists_come_in_pieces_without_length_and_short_ones_with(simulator: SimulatorProcess) -> None:
    short = simulator.get("/departments")
    assert int(short.headers["Content-Length"]) == len(short.content)
    for place in range(60):
        assert simulator.post("/invoices", invoice(f"S-{place:03}", "2020-02-02")).status_code == 204
    for form in ("json", "xml"):
        answer = simulator.get("/invoices", form=form, **{"from": "2020-02-02", "to": "2020-02-02"})
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in answer.headers
        assert answer.text.count("S-0") == 60
    assert len(answer.content) > 64 * 1024


def test_gzip_can_be_switched_on(simulator: SimulatorProcess) -> None:
    plain = simulator.get("/charts")
    assert "Content-Encoding" not in plain.headers
    simulator.control("PATCH", "/settings", {"compress": True})
    try:
        squeezed = simulator.get("/charts")
    finally:
        simulator.control("PATCH", "/settings", {"compress": False})
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert squeezed.json() == plain.json()


def test_a_customer_inside_an_invoice_is_not_saved_without_the_invoice(simulator: SimulatorProcess) -> None:
    document = invoice("L-77", "2026-06-01")
    document["customer"] = {"customernumber": "K-077", "name": "Halb AG", "arap_accno": "9876"}
    refused = simulator.post("/invoices", document)
    assert refused.status_code == 400
    assert "9876" in refused.text
    assert simulator.get("/customers/K-077").status_code == 404
    document["customer"]["arap_accno"] = "1100"
    assert simulator.post("/invoices", document).status_code == 204
    assert simulator.get("/customers/K-077").status_code == 200
