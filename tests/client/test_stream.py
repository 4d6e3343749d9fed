"""A long list as entities, one at a time, or as the bytes of a whole response."""

from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_rma.exceptions import (
    IncompleteResponseError,
    RejectedError,
    UnexpectedResponseError,
)
from tests.support.http_client import serve
from tests.support.scripted_server import Reply, respond


def transactions(count: int, announced: int | None) -> bytes:
    rows = "".join(
        f"<transaction><id>7</id><amount>-{n}.5</amount><transdate>2026-01-05T00:00:00+01:00</transdate>"
        f"<entry_id>{n}</entry_id><accno>1000</accno></transaction>"
        for n in range(1, count + 1)
    )
    attribute = "" if announced is None else f' number_of_transaction="{announced}"'
    return f"<transactions{attribute}>{rows}</transactions>".encode()


@pytest.mark.parametrize("announced", [3, None])
def test_postings_are_streamed(announced: int | None) -> None:
    server, client = serve(respond(200, transactions(3, announced), "application/xml"))
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
def test_an_announced_count_that_does_not_hold_is_an_incomplete_response(media_type: str, body: bytes) -> None:
    server, client = serve(respond(200, body, media_type))
    with server, client, pytest.raises(IncompleteResponseError) as caught:
        list(client.iter_transactions())
    assert caught.value.path == "/charts/x/transactions"


def test_a_stream_can_be_left_early() -> None:
    server, client = serve(respond(200, transactions(3, 3), "application/xml"))
    with server, client, client.iter_transactions() as stream:
        assert next(stream)["entry_id"] == 1
        stream.close()
        assert list(stream) == []


def test_the_services_error_in_place_of_a_stream() -> None:
    server, client = serve(respond(200, b"<error>Konto fehlt</error>", "application/xml"))
    with server, client, pytest.raises(RejectedError) as caught:
        client.iter_transactions(content_type="xml")
    assert caught.value.server_message == "Konto fehlt"


POSTING = (
    b"<transaction><id>7</id><amount>-1.5</amount><transdate>2026-01-05T00:00:00+01:00</transdate>"
    b"<entry_id>%d</entry_id><accno>1000</accno></transaction>"
)


def document(count: int) -> bytes:
    postings = b"".join(POSTING % number for number in range(count))
    return b'<transactions number_of_transaction="%d">%b</transactions>' % (count, postings)


@pytest.mark.parametrize("count", [3, 60_000], ids=["in memory", "in a file"])
@pytest.mark.parametrize("zipped", [False, True])
def test_everybody_reads_at_a_place_of_his_own(count: int, zipped: bool) -> None:
    body = document(count)
    headers = {"Content_Encoding": "gzip"} if zipped else {}
    reply = respond(200, gzip.compress(body, 1) if zipped else body, Content_Type="application/xml", **headers)
    server, client = serve(reply)
    with server, client, client.open_transactions(content_type="xml") as opened:
        assert opened.content_type == "xml"
        assert opened.size == len(body)
        with opened.reader() as first, opened.reader() as second:
            assert first.read(20) == body[:20]
            assert second.read() == body
            assert first.read(20) == body[20:40]
            assert b"".join(opened.chunks()) == body
            assert first.read() == body[40:]
        path = opened.path()
        if path is not None:
            with open(path, "rb") as file:
                assert file.read() == body
        assert (path is None) or count > 3
        late = opened.reader()
    with late:
        assert late.read() == body, "a reader outlives the response"


def test_the_request_is_that_of_the_stream() -> None:
    server, client = serve(respond(200, document(1), Content_Type="application/xml"))
    with server, client, client.open_transactions("1xxx", include_openings=False, content_type="xml"):
        pass
    assert server.seen[0].target == "/api/latest/clients/demo/charts/1xxx/transactions?include_openings=false"


def test_some_entities_can_be_left_out() -> None:
    server, client = serve(respond(200, document(5), Content_Type="application/xml"))
    with server, client, client.open_transactions() as opened:
        stream = opened.entities(skip=3)
        assert [posting["entry_id"] for posting in stream] == [3, 4]
        assert stream.count == stream.announced == 5


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (respond(200, gzip.compress(document(2))[:-9], Content_Encoding="gzip"), IncompleteResponseError),
        (respond(200, gzip.compress(document(2))[:40], Content_Encoding="gzip"), IncompleteResponseError),
        (respond(200, document(2)[:-9], Content_Length=str(len(document(2)))), IncompleteResponseError),
        (respond(200, b"<html></html>", Content_Type="text/html"), UnexpectedResponseError),
        (respond(400, b"<error>Konto fehlt</error>", Content_Type="application/xml"), RejectedError),
    ],
)
def test_what_the_transport_refuses_is_not_opened(reply: Reply, error: type[Exception]) -> None:
    server, client = serve(reply)
    with server, client, pytest.raises(error):
        client.open_transactions()
