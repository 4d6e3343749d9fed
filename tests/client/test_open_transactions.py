"""The bytes of an answer with postings: whole, checked as far as the transport can, read from several places."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import IncompleteResponseError, RejectedError, UnexpectedResponseError
from tests.support.scripted_server import Reply, ScriptedServer, answer

POSTING = (
    b"<transaction><id>7</id><amount>-1.5</amount><transdate>2026-01-05T00:00:00+01:00</transdate>"
    b"<entry_id>%d</entry_id><accno>1000</accno></transaction>"
)


def document(count: int) -> bytes:
    postings = b"".join(POSTING % number for number in range(count))
    return b'<transactions number_of_transaction="%d">%b</transactions>' % (count, postings)


def one(reply: Reply, **settings: Any) -> tuple[ScriptedServer, RunMyAccountsClient]:
    server = ScriptedServer([reply])
    return server, RunMyAccountsClient(server.config(**settings), retry=RetryPolicy(tries=1), sleep=lambda _: None)


@pytest.mark.parametrize("count", [3, 60_000], ids=["in memory", "in a file"])
@pytest.mark.parametrize("zipped", [False, True])
def test_everybody_reads_at_a_place_of_his_own(count: int, zipped: bool) -> None:
    body = document(count)
    headers = {"Content_Encoding": "gzip"} if zipped else {}
    reply = answer(200, gzip.compress(body, 1) if zipped else body, Content_Type="application/xml", **headers)
    server, client = one(reply)
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
        assert late.read() == body, "a reader outlives the answer"


def test_the_request_is_that_of_the_stream() -> None:
    server, client = one(answer(200, document(1), Content_Type="application/xml"))
    with server, client, client.open_transactions("1xxx", include_openings=False, content_type="xml"):
        pass
    assert server.seen[0].target == "/api/latest/clients/demo/charts/1xxx/transactions?include_openings=false"


def test_some_entities_can_be_left_out() -> None:
    server, client = one(answer(200, document(5), Content_Type="application/xml"))
    with server, client, client.open_transactions() as opened:
        stream = opened.entities(skip=3)
        assert [posting["entry_id"] for posting in stream] == [3, 4]
        assert stream.count == stream.announced == 5


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(200, gzip.compress(document(2))[:-9], Content_Encoding="gzip"), IncompleteResponseError),
        (answer(200, gzip.compress(document(2))[:40], Content_Encoding="gzip"), IncompleteResponseError),
        (answer(200, document(2)[:-9], Content_Length=str(len(document(2)))), IncompleteResponseError),
        (answer(200, b"<html></html>", Content_Type="text/html"), UnexpectedResponseError),
        (answer(400, b"<error>Konto fehlt</error>", Content_Type="application/xml"), RejectedError),
    ],
)
def test_what_the_transport_refuses_is_not_opened(reply: Reply, error: type[Exception]) -> None:
    server, client = one(reply)
    with server, client, pytest.raises(error):
        client.open_transactions()
