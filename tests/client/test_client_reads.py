from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import (
    IncompleteResponseError,
    InvalidInputError,
    RejectedError,
    UnexpectedResponseError,
)
from tests.support.scripted_server import Reply, ScriptedServer, answer

INVOICE = (
    '{"invnumber": "R-1", "transdate": "2026-01-05T00:00:00+01:00", "amount": "1.0E3", "customernumber": "K-1",'
    ' "parts": {"part": {"partnumber": "A", "quantity": "1.0", "sellprice": "1000.0"}}%s}'
)


def client_of(server: ScriptedServer, **settings: Any) -> RunMyAccountsClient:
    return RunMyAccountsClient(server.config(**settings), retry=RetryPolicy(tries=2), sleep=lambda _: None)


def one(reply: Reply, **settings: Any) -> tuple[ScriptedServer, RunMyAccountsClient]:
    server = ScriptedServer([reply])
    return server, client_of(server, **settings)


def transactions(count: int, announced: int | None) -> bytes:
    rows = "".join(
        f"<transaction><id>7</id><amount>-{n}.5</amount><transdate>2026-01-05T00:00:00+01:00</transdate>"
        f"<entry_id>{n}</entry_id><accno>1000</accno></transaction>"
        for n in range(1, count + 1)
    )
    attribute = "" if announced is None else f' number_of_transaction="{announced}"'
    return f"<transactions{attribute}>{rows}</transactions>".encode()


def test_an_invoice_is_read_with_python_types() -> None:
    server, client = one(answer(200, (INVOICE % "").encode()))
    with server, client:
        invoice = client.get_invoice("r-1")
    assert invoice["transdate"] == date(2026, 1, 5)
    assert invoice["amount"] == Decimal(1000)
    assert [part["partnumber"] for part in invoice["parts"]] == ["A"]
    assert server.seen[0].target == "/api/latest/clients/demo/invoices/r-1"


def test_another_invoice_than_the_one_asked_for_is_no_answer() -> None:
    server, client = one(answer(200, (INVOICE % "").encode()))
    with server, client, pytest.raises(UnexpectedResponseError, match="another invoice"):
        client.get_invoice("R-2")


def test_a_number_stays_encoded_on_the_wire() -> None:
    server, client = one(answer(404))
    with server, client, pytest.raises(Exception, match="HTTP 404"):
        client.get_customer("K/1 #%2E")
    assert server.seen[0].target == "/api/latest/clients/demo/customers/K%2F1%20%23%252E"


def test_unknown_fields_are_kept_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    body = (INVOICE % ', "colour": "red"').encode()
    server, client = one(answer(200, body))
    with server, client, caplog.at_level(logging.WARNING):
        assert client.get_invoice("R-1")["colour"] == "red"
        client.get_invoice("R-1")
    assert client.unknown_fields == {"invoice.colour"}
    assert caplog.text.count("invoice.colour") == 1
    assert "red" not in caplog.text


def test_filters_of_invoices() -> None:
    server, client = one(answer(200, b"null"))
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


@pytest.mark.parametrize("announced", [3, None])
def test_postings_are_streamed(announced: int | None) -> None:
    server, client = one(answer(200, transactions(3, announced), "application/xml"))
    with server, client:
        stream = client.iter_transactions(
            "10xx", from_date=date(2026, 1, 1), include_openings=False, content_type="xml"
        )
        rows = list(stream)
    assert [row["amount"] for row in rows] == [Decimal("-1.5"), Decimal("-2.5"), Decimal("-3.5")]
    assert (stream.count, stream.announced) == (3, announced)
    assert server.seen[0].target.endswith("/charts/10xx/transactions?from_date=2026-01-01&include_openings=false")


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/xml", transactions(3, 4)),
        ("application/json", b'{"@number_of_transaction": "2", "transaction": {"entry_id": "1", "amount": "1.0"}}'),
        ("application/json", b'{"number_of_transaction": 1}'),
        ("application/xml", transactions(2000, 2000)[:-20]),
    ],
)
def test_an_announced_count_that_does_not_hold_is_an_incomplete_answer(media_type: str, body: bytes) -> None:
    server, client = one(answer(200, body, media_type))
    with server, client, pytest.raises(IncompleteResponseError) as caught:
        list(client.iter_transactions())
    assert caught.value.path == "/charts/x/transactions"


def test_a_stream_can_be_left_early() -> None:
    server, client = one(answer(200, transactions(3, 3), "application/xml"))
    with server, client, client.iter_transactions() as stream:
        assert next(stream)["entry_id"] == 1
        stream.close()
        assert list(stream) == []


def test_the_services_error_in_place_of_a_stream() -> None:
    server, client = one(answer(200, b"<error>Konto fehlt</error>", "application/xml"))
    with server, client, pytest.raises(RejectedError) as caught:
        client.iter_transactions(content_type="xml")
    assert caught.value.server_message == "Konto fehlt"


def test_balances_accounts_departments_projects_parts() -> None:
    bodies = [
        b"<table><row><accountnumber>1000</accountnumber><amount>41557.6500</amount></row></table>",
        b'<charts><chart id="5" accno="1000" allow_gl="true"><taxes/></chart></charts>',
        b'<departments><department id="1" name="Basel"/></departments>',
        b'<projects><project id="1" number="P1" description="x"/></projects>',
        b"<parts><part><partnumber>A</partnumber></part></parts>",
        b"<customers><customer><customernumber>K</customernumber><name>N</name></customer></customers>",
    ]
    replies = [answer(200, body, "application/xml") for body in bodies]
    with ScriptedServer(replies) as server, client_of(server, content_type="xml") as client:
        assert client.list_balances(to_date=date(2026, 1, 31))[0]["amount"] == Decimal("41557.65")
        assert client.list_charts()[0]["accno"] == "1000"
        assert client.list_departments()[0]["name"] == "Basel"
        assert client.list_projects()[0]["number"] == "P1"
        assert client.list_parts()[0]["partnumber"] == "A"
        assert client.list_customers()[0]["name"] == "N"
    assert {seen.headers["accept"] for seen in server.seen} == {"application/xml"}


def test_several_threads_share_a_client() -> None:
    server, client = one(answer(200, (INVOICE % "").encode(), keep_alive=True), max_in_flight=4)
    with server:
        with client, ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: client.get_invoice("R-1")["invnumber"], range(40)))
        assert results == ["R-1"] * 40
        assert server.accepted <= 8
