"""Methods of the client: entities with Python types, filters, unknown fields, threads."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_rma.client import ledger
from airflow_provider_rma.exceptions import (
    InvalidInputError,
    UnexpectedResponseError,
)
from tests.support.http_client import make_client, serve
from tests.support.scripted_server import ScriptedServer, respond

INVOICE = (
    '{"invnumber": "R-1", "transdate": "2026-01-05T00:00:00+01:00", "amount": "1.0E3", "customernumber": "K-1",'
    ' "parts": {"part": {"partnumber": "A", "quantity": "1.0", "sellprice": "1000.0"}}%s}'
)


def test_an_invoice_is_read_with_python_types() -> None:
    server, client = serve(respond(200, (INVOICE % "").encode()))
    with server, client:
        invoice = client.get_invoice("r-1")
    assert invoice["transdate"] == date(2026, 1, 5)
    assert invoice["amount"] == Decimal(1000)
    assert [part["partnumber"] for part in invoice["parts"]] == ["A"]
    assert server.seen[0].target == "/api/latest/clients/demo/invoices/r-1"


def test_another_invoice_than_the_one_asked_for_is_refused() -> None:
    server, client = serve(respond(200, (INVOICE % "").encode()))
    with server, client, pytest.raises(UnexpectedResponseError, match="another invoice"):
        client.get_invoice("R-2")


def test_a_number_stays_encoded_on_the_wire() -> None:
    server, client = serve(respond(404))
    with server, client, pytest.raises(Exception, match="HTTP 404"):
        client.get_customer("K/1 #%2E")
    assert server.seen[0].target == "/api/latest/clients/demo/customers/K%2F1%20%23%252E"


def test_unknown_fields_are_kept_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    body = (INVOICE % ', "colour": "red"').encode()
    server, client = serve(respond(200, body))
    with server, client, caplog.at_level(logging.WARNING):
        assert client.get_invoice("R-1")["colour"] == "red"
        client.get_invoice("R-1")
    assert client.unknown_fields == {"invoice.colour"}
    assert caplog.text.count("invoice.colour") == 1
    assert "red" not in caplog.text


def test_names_of_unknown_fields_are_shown_only_where_they_look_like_names(caplog: pytest.LogCaptureFixture) -> None:
    names = ["a\\nINFO all well", "\\u001b[31mred", "hans@muster.example", "Frau Muster", "x" * 40, "colour"]
    body = (INVOICE % "".join(f', "{name}": "1"' for name in names)).encode()
    server, client = serve(respond(200, body))
    with server, client, caplog.at_level(logging.WARNING):
        client.get_invoice("R-1")
    (line,) = caplog.messages
    assert "invoice.colour" in line
    assert "(unusual name)" in line
    assert line.isprintable()
    for hidden in ("INFO", "31m", "uster", "xx"):
        assert hidden not in line
    assert "invoice.Frau Muster" in client.unknown_fields


def test_a_response_full_of_unknown_fields_makes_a_handful_of_warnings(caplog: pytest.LogCaptureFixture) -> None:
    listed = ", ".join(INVOICE % f', "field_{index}": 1, "other_{index}": 2' for index in range(500))
    server, client = serve(respond(200, f'{{"invoice": [{listed}]}}'.encode()))
    with server, client, caplog.at_level(logging.WARNING):
        assert len(client.list_invoices(from_date=date(2026, 1, 1))) == 500
    assert len(caplog.messages) == 5
    assert len(client.unknown_fields) == 100


def test_filters_of_invoices() -> None:
    server, client = serve(respond(200, b"null"))
    with server, client:
        assert client.list_invoices(from_date=date(1900, 1, 1)) == []
        client.list_invoices(
            from_date=date(2026, 1, 1), to_date=date(2026, 1, 31), status="OPEN", customer_number="K 1"
        )
        assert list(client.iter_invoices(from_date=date(2026, 1, 1), to_date=date(2026, 1, 2))) == []
        with pytest.raises(InvalidInputError):
            client.list_invoices(from_date=20260101)  # type: ignore[arg-type]
    assert [seen.target.partition("/invoices")[2] for seen in server.seen] == [
        "?from=1900-01-01",
        "?from=2026-01-01&to=2026-01-31&status=OPEN&customer_number=K%201",
        "?from=2026-01-01&to=2026-01-02",
    ]


def test_balances_accounts_departments_projects_parts() -> None:
    bodies = [
        b"<table><row><accountnumber>1000</accountnumber><amount>41557.6500</amount></row></table>",
        b'<charts><chart id="5" accno="1000" allow_gl="true"><taxes/></chart></charts>',
        b'<departments><department id="1" name="Basel"/></departments>',
        b'<projects><project id="1" number="P1" description="x"/></projects>',
        b"<parts><part><partnumber>A</partnumber></part></parts>",
        b"<customers><customer><customernumber>K</customernumber><name>N</name></customer></customers>",
    ]
    replies = [respond(200, body, "application/xml") for body in bodies]
    with ScriptedServer(replies) as server, make_client(server, content_type="xml") as client:
        assert client.list_balances(to_date=date(2026, 1, 31))[0]["amount"] == Decimal("41557.65")
        assert client.list_charts()[0]["accno"] == "1000"
        assert client.list_departments()[0]["name"] == "Basel"
        assert client.list_projects()[0]["number"] == "P1"
        assert client.list_parts()[0]["partnumber"] == "A"
        assert client.list_customers()[0]["name"] == "N"
    assert {seen.headers["accept"] for seen in server.seen} == {"application/xml"}


@pytest.mark.parametrize("form", ["xml", "json"])
def test_a_list_of_more_accounts_than_any_books_have_is_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_ACCOUNTS", 3)
    rows = ["<row><accountnumber>{}</accountnumber></row>", '{{"accountnumber": "{}"}}'][form == "json"]
    bodies = []
    for number in (3, 4):
        listed = [rows.format(accno) for accno in range(1000, 1000 + number)]
        bodies.append(f"<table>{''.join(listed)}</table>" if form == "xml" else f'{{"row": [{", ".join(listed)}]}}')
    replies = [respond(200, body.encode(), f"application/{form}") for body in bodies]
    with ScriptedServer(replies) as server, make_client(server, content_type=form) as client:
        assert len(client.list_balances()) == 3
        with pytest.raises(UnexpectedResponseError, match="lists more than 3 entries"):
            client.list_balances()


def test_a_list_is_refused_at_its_first_entry_that_is_none() -> None:
    """What follows is not decoded: here, it ends early."""
    body = b"<charts><chart><a/></chart>" + b'<chart accno="1000"><b/></chart>' * 100_000
    with (
        ScriptedServer([respond(200, body, "application/xml")]) as server,
        make_client(server) as client,
        pytest.raises(UnexpectedResponseError, match="accno is missing"),
    ):
        client.list_charts(content_type="xml")


def test_several_threads_share_a_client() -> None:
    server, client = serve(respond(200, (INVOICE % "").encode(), keep_alive=True), max_in_flight=4)
    with server:
        with client, ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: client.get_invoice("R-1")["invnumber"], range(40)))
        assert results == ["R-1"] * 40
        assert server.accepted <= 8


def test_importing_the_package_loads_no_library() -> None:
    code = (
        "import sys, airflow_provider_rma.client;"
        "sys.exit(bool({'requests', 'lxml', 'marshmallow', 'pendulum'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
