"""Invoices as PDF and HTML."""

from __future__ import annotations

import re

import pytest
import requests

from airflow_provider_rma.simulator.http.invoice_files import FORM_NAMES, FilePage, write_html, write_pdf
from tests.support.simulator import SimulatorProcess

INVOICE = {
    "invnumber": "R-1 (ü\\)",
    "transdate": "2026-01-05",
    "duedate": None,
    "currency": "CHF",
    "fxamount": 648.6,
    "incomeentries": [{"amount": "600", "income_accno": "3400", "description": "Miete <Mai> & Juni"}],
}
CUSTOMER = {"name": "Käserei & Söhne", "zipcode": "7106", "city": "Tenna"}


@pytest.mark.parametrize("form", FORM_NAMES)
def test_the_pdf_is_one_that_readers_can_open(form: str) -> None:
    content = write_pdf(FilePage(form, "Steinbock AG", INVOICE, CUSTOMER)).content
    assert content.startswith(b"%PDF-1.4\n")
    assert content.endswith(b"%%EOF\n")
    start = int(re.findall(rb"startxref\n(\d+)\n", content)[0])
    assert content[start:].startswith(b"xref\n0 6\n")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", content)]
    assert [content[place:].split(b"\n")[0] for place in places] == [b"%d 0 obj" % number for number in range(1, 6)]
    length, stream = re.findall(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", content, re.DOTALL)[0]
    assert len(stream) == int(length)
    assert b"(\xfc\\\\\\)".join((b"R-1 \\", b"")) in stream
    assert (b"Total CHF 648.60" in stream) == (form in ("invoice", "remittance_voucher"))


def test_a_long_invoice_stays_on_its_page() -> None:
    entries = [{"amount": "1", "income_accno": "3400", "description": "x" * 5}] * 500
    content = write_pdf(FilePage("invoice", "Steinbock AG", INVOICE | {"incomeentries": entries}, {})).content
    assert content.count(b"Tj") == 45


def test_html_is_escaped() -> None:
    text = write_html(FilePage("invoice", "Steinbock AG", INVOICE, CUSTOMER)).content.decode()
    assert "Miete &lt;Mai&gt; &amp; Juni" in text
    assert text.endswith("</body></html>\n")


@pytest.fixture(scope="module")
def number(simulator: SimulatorProcess) -> str:
    document = {
        "invnumber": "F-1",
        "transdate": "2026-01-05",
        "customernumber": "K-001",
        "parts": {"part": {"partnumber": "ART-1", "quantity": "2.0", "sellprice": "10.0"}},
    }
    assert simulator.post("/invoices", document).status_code == 204
    return "F-1"


@pytest.mark.parametrize(("kind", "media_type"), [("pdf", "application/pdf"), ("html", "text/html; charset=utf-8")])
@pytest.mark.parametrize("accept", ["application/pdf", "text/html", "*/*", "application/json"])
def test_files_have_their_own_content_type_whatever_is_accepted(
    simulator: SimulatorProcess, number: str, kind: str, media_type: str, accept: str
) -> None:
    answer = simulator.get(f"/invoices/{number}/{kind}", form=accept, formname="packing_list", language_code="fr")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    assert "Content-Encoding" not in answer.headers
    assert b"Lieferschein F-1" in answer.content


@pytest.mark.parametrize("kind", ["pdf", "html"])
def test_what_is_not_there(simulator: SimulatorProcess, number: str, kind: str) -> None:
    assert simulator.get(f"/invoices/UNBEKANNT/{kind}", form="application/pdf").status_code == 404
    assert simulator.get(f"/invoices/{number}/{kind}", formname="poster").status_code == 400
    assert simulator.get(f"/invoices/{number}/{kind}", language_code="xx").status_code == 400


def test_a_pdf_can_be_cut_on_purpose(simulator: SimulatorProcess, number: str) -> None:
    simulator.control("POST", "/chaos", {"class": "read_invoice_pdf", "fault": "truncated", "count": 1})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        simulator.get(f"/invoices/{number}/pdf")
    simulator.control("DELETE", "/chaos")
