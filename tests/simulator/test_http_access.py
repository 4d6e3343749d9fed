"""Keys, tenants, forms, methods and bodies: who is let in, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.simulator import SimulatorProcess

INVOICE: dict[str, Any] = {
    "invnumber": "Z-1",
    "transdate": "2026-03-02T00:00:00+01:00",
    "customernumber": "K-001",
    "parts": {"part": {"partnumber": "ART-1", "quantity": "2.0", "sellprice": "10.0", "discount": "0.0"}},
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("access") / "books.db") as process:
        yield process


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    db = tmp_path_factory.mktemp("legacy") / "books.db"
    with SimulatorProcess(db, token="old_example", args=["--legacy-auth"]) as process:
        yield process


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer pat_demo"}, 200),
        ({"Authorization": "bearer pat_demo"}, 200),
        ({}, 401),
        ({"Authorization": "pat_demo"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic cGF0X2RlbW8="}, 401),
        ({"Authorization": "Bearer pat_wrong"}, 403),
        ({"X-RMA-KEY": "pat_demo"}, 401),
    ],
)
def test_bearer_is_the_only_way_in(simulator: SimulatorProcess, headers: dict[str, str], status: int) -> None:
    answer = requests.get(f"{simulator.base}/departments", headers=headers, timeout=10)
    assert answer.status_code == status
    assert (status == 200) is ("<error>" not in answer.text)


def test_a_current_key_is_never_accepted_in_the_address(simulator: SimulatorProcess) -> None:
    assert requests.get(f"{simulator.base}/departments?api_key=pat_demo", timeout=10).status_code == 401


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"X-RMA-KEY": "old_example"}, "", 200),
        ({}, "?api_key=old_example", 200),
        ({"X-RMA-KEY": "wrong"}, "", 403),
        ({}, "?api_key=wrong", 403),
        ({"Authorization": "Bearer old_example"}, "", 403),
        ({}, "", 401),
    ],
)
def test_old_keys_open_by_header_and_address(
    legacy: SimulatorProcess, headers: dict[str, str], query: str, status: int
) -> None:
    assert requests.get(f"{legacy.base}/departments{query}", headers=headers, timeout=10).status_code == status


def test_current_key_with_legacy_switch_opens_by_header_but_not_by_address(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp("both") / "books.db", args=["--legacy-auth"]) as both:
        address = f"{both.base}/departments"
        assert requests.get(address, headers={"X-RMA-KEY": "pat_demo"}, timeout=10).status_code == 200
        assert requests.get(f"{address}?api_key=pat_demo", timeout=10).status_code == 403
        assert requests.get(address, headers={"Authorization": "Bearer pat_demo"}, timeout=10).status_code == 200


def test_another_tenant_is_not_opened(simulator: SimulatorProcess) -> None:
    address = f"{simulator.url}/api/latest/clients/other/departments"
    headers = {"Authorization": "Bearer pat_demo", "Accept": "application/json"}
    assert requests.get(address, headers=headers, timeout=10).status_code == 403
    simulator.control("PATCH", "/settings", {"unknown_tenant": 404})
    answer = requests.get(address, headers=headers, timeout=10)
    simulator.control("PATCH", "/settings", {"unknown_tenant": 403})
    assert (answer.status_code, answer.text) == (404, '{ "error": "Der Mandant wurde nicht gefunden." }')


def test_answers_are_xml_unless_json_is_asked_for(simulator: SimulatorProcess) -> None:
    for accept, media, start in [
        ("*/*", "application/xml", "<?xml"),
        ("application/xml", "application/xml", "<?xml"),
        ("application/json", "application/json", "{"),
    ]:
        answer = simulator.get("/departments", form=accept)
        assert answer.headers["Content-Type"] == media
        assert answer.text.startswith(start)
        assert answer.encoding in (None, "utf-8")
    assert simulator.get("/departments", form="text/html").status_code == 406


def test_errors_follow_the_accepted_form(simulator: SimulatorProcess) -> None:
    answer = simulator.get("/invoices/none")
    assert (answer.status_code, answer.text) == (404, '{ "error": "Die Rechnung \'none\' wurde nicht gefunden." }')
    answer = simulator.get("/customers/none", form="xml")
    assert answer.status_code == 404
    assert answer.text.endswith("<error>Der Kunde 'none' wurde nicht gefunden.</error>")


def test_unknown_resources_methods_and_versions(simulator: SimulatorProcess) -> None:
    assert simulator.get("/nothing").status_code == 404
    assert simulator.get("/invoices/a/b").status_code == 404
    answer = simulator.post("/parts", {})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    headers = {"Authorization": "Bearer pat_demo"}
    address = f"{simulator.url}/api/v9/clients/demo/departments"
    assert requests.get(address, headers=headers, timeout=10).status_code == 404
    assert requests.delete(f"{simulator.base}/invoices/Z-1", headers=headers, timeout=10).status_code == 405
    assert requests.get(f"{simulator.url}/elsewhere", headers=headers, timeout=10).status_code == 404


def test_a_trailing_slash_does_no_harm(simulator: SimulatorProcess) -> None:
    assert simulator.get("/departments/").json() == simulator.get("/departments").json()


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_post_needs_json_or_xml(simulator: SimulatorProcess, media: str) -> None:
    answer = simulator.post("/invoices", INVOICE, form=media or "/", accept="json")
    assert answer.status_code == 415
    assert "Content-Type" in answer.json()["error"]
    assert simulator.documents("Z-1") == []


@pytest.mark.parametrize(
    ("body", "form", "text"),
    [
        ("{", "json", "fehlerhaft"),
        ("[]", "json", "kein gültiges Objekt"),
        ("", "json", "fehlerhaft"),
        ('{"invnumber": "a\\u0001"}', "json", "unzulässiges Zeichen"),
        ('{"invnumber": NaN}', "json", "keine Zahl"),
        ("<invoice>", "xml", "fehlerhaft"),
        ("<customer/>", "xml", "Unerwartetes Element"),
        ("<!DOCTYPE invoice><invoice/>", "xml", "DOCTYPE"),
    ],
)
def test_unreadable_bodies_are_refused(simulator: SimulatorProcess, body: str, form: str, text: str) -> None:
    answer = simulator.post("/invoices", body, form=form, accept="json")
    assert answer.status_code == 400
    assert text in answer.json()["error"]


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in INVOICE.items() if key != name}


def _with_part(**values: str) -> dict[str, Any]:
    return INVOICE | {"parts": {"part": INVOICE["parts"]["part"] | values}}


ENTRY = {"amount": "10.0", "income_accno": "3400"}


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


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"customernumber": ""}, "customernumber"),
        ({"name": ""}, "name"),
        ({"customernumber": "K" * 33}, "customernumber"),
        ({"zipcode": "12345678901"}, "zipcode"),
        ({"bank_bic": "ABCDEFGHIJKL"}, "bank_bic"),
        ({"language_code": "xx"}, "language|Sprache"),
        ({"terms": "30 Tage"}, "terms"),
        ({"created": "gestern"}, "created"),
        ({"name": ["Einer", "Zweiter"] * 20, "email": {"x": {}}, "zipcode": "12345678901"}, "zipcode"),
    ],
)
def test_customers_beyond_the_documented_limits_are_refused(
    simulator: SimulatorProcess, values: dict[str, Any], text: str
) -> None:
    customer = {"customernumber": "K-8", "name": "Beispiel"} | values
    answer = simulator.post("/customers", customer)
    assert answer.status_code == 400
    assert any(part in answer.json()["error"] for part in text.split("|"))
    assert simulator.get("/customers/K-8").status_code == 404


def test_customers_are_created_and_overwritten_in_both_forms(simulator: SimulatorProcess) -> None:
    xml = (
        "<customer><customernumber>K-20</customernumber><name>Käse &amp; Co</name><terms>10</terms><email/></customer>"
    )
    answer = simulator.post("/customers", xml, form="xml")
    assert (answer.status_code, answer.content) == (204, b"")
    read = simulator.get("/customers/K-20").json()
    assert (read["name"], read["terms"], read["email"], read["arap_accno"]) == ("Käse & Co", "10", "", "1100")
    assert read["tax_accnos"] == "2201 2202"
    assert (
        simulator.post(
            "/customers",
            {"customernumber": "K-20", "name": "Neu", "taxfree": True, "tax_accnos": "2201", "surprise": 1},
        ).status_code
        == 204
    )
    again = simulator.get("/customers/K-20").json()
    assert again["id"] == read["id"]
    assert (again["name"], again["tax_accnos"], again["taxfree"]) == ("Neu", "2201", "true")
    assert "terms" not in again, "what is not sent is emptied"
    assert len([one for one in simulator.get("/customers").json()["customer"] if one["customernumber"] == "K-20"]) == 1


def test_a_body_larger_than_allowed_is_refused(simulator: SimulatorProcess) -> None:
    answer = simulator.post("/customers", b" " * (33 * 1024 * 1024))
    assert answer.status_code == 413
