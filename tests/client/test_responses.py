"""A response is read to its proven end; its headers are parsed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from airflow_provider_rma.client.responses import parse_retry_after
from tests.support.http_client import DEPARTMENTS, OK, make_client
from tests.support.scripted_server import (
    ScriptedServer,
    respond,
    without_length,
)

pytestmark = pytest.mark.usefixtures("no_secret_leaves")


def test_a_response_without_length_is_fine() -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DEPARTMENTS), DEPARTMENTS)
    zipped = gzip.compress(DEPARTMENTS[:20]) + gzip.compress(DEPARTMENTS[20:])
    replies = [
        without_length(DEPARTMENTS),
        respond(200, chunked, Transfer_Encoding="chunked"),
        respond(200, zipped, Content_Encoding="gzip"),
    ]
    with ScriptedServer(replies) as server, make_client(server) as client:
        assert [len(client.list_departments()) for _ in replies] == [2, 2, 2]


def test_the_response_s_own_content_type_decides() -> None:
    body = b'<departments><department id="1" name="Basel" role="P"/></departments>'
    with ScriptedServer([respond(200, body, "application/xml;charset=UTF-8")]) as server, make_client(server) as client:
        assert client.list_departments()[0]["name"] == "Basel"


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Fri, 20 Nov 2026 13:00:00 GMT", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 13:00:00 -0000", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_the_service_s_clock_is_read_where_it_can_be(header: str, moment: datetime | None) -> None:
    with ScriptedServer([respond(200, DEPARTMENTS, Date=header), OK]) as server, make_client(server) as client:
        assert client.ping() == moment
        assert client.ping() is None


NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0.0),
        ("Mon, 05 Jan 2026 12:00:30 -0000", 30.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        (None, None),
    ],
)
def test_parse_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds
