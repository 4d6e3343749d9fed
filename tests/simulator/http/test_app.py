"""Tenants, forms, methods and bodies: how a request is received, and how its response leaves."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.documents import invoice_request
from tests.support.simulator import SimulatorProcess

INVOICE: dict[str, Any] = {
    "invnumber": "Z-1",
    "transdate": "2026-03-02T00:00:00+01:00",
    "customernumber": "K-001",
    "parts": {"part": {"partnumber": "ART-1", "quantity": "2.0", "sellprice": "10.0", "discount": "0.0"}},
}


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


def test_a_body_larger_than_allowed_is_refused(simulator: SimulatorProcess) -> None:
    answer = simulator.post("/customers", b" " * (33 * 1024 * 1024))
    assert answer.status_code == 413


def test_long_lists_come_in_pieces_without_length_and_short_ones_with(simulator: SimulatorProcess) -> None:
    short = simulator.get("/departments")
    assert int(short.headers["Content-Length"]) == len(short.content)
    for place in range(60):
        assert simulator.post("/invoices", invoice_request(f"S-{place:03}", "2020-02-02")).status_code == 204
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


def test_a_list_of_one_may_be_written_as_an_array(simulator: SimulatorProcess) -> None:
    customer = {"customernumber": "EINS-1", "name": "Einzige"}
    entry = {"incomeentries": {"incomeentry": {"amount": "1.0", "income_accno": "3400"}}}
    document = {"invnumber": "EINS-1", "transdate": "1999-01-05", "customer": customer} | entry
    assert simulator.post("/invoices", document).status_code == 204
    period = {"from": "1999-01-01", "to": "1999-12-31"}
    assert simulator.get("/invoices", **period).json()["invoice"]["invnumber"] == "EINS-1"
    simulator.control("PATCH", "/settings", {"list_of_one": "array"})
    try:
        (invoice,) = simulator.get("/invoices", **period).json()["invoice"]
    finally:
        simulator.control("PATCH", "/settings", {"list_of_one": "object"})
    assert invoice["incomeentries"]["incomeentry"]["amount"] == "1.0"
