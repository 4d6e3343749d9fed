"""Reads are tried again, writes are sent once, nothing comes from the environment."""

from __future__ import annotations

import gzip
import ssl
from pathlib import Path

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import (
    ConfigurationError,
    IncompleteResponseError,
    RateLimitedError,
    RequestError,
    ServerError,
    WritesNotAllowedError,
)
from tests.support.http_client import DEPARTMENTS, HTML, OK, SECRET, make_client, make_invoice, request_error
from tests.support.scripted_server import (
    Reply,
    ScriptedServer,
    hang_up,
    reset,
    respond,
    without_length,
)

pytestmark = pytest.mark.usefixtures("no_secret_leaves")


def test_what_every_request_says() -> None:
    with ScriptedServer([OK, respond(204)]) as server, make_client(server) as client:
        client.list_departments(content_type="json")
        client.create_invoice(make_invoice(), content_type="xml")
    read, write = server.seen
    assert read.headers["user-agent"].startswith("airflow-provider-rma")
    assert read.headers["accept"] == "application/json"
    assert read.headers["accept-encoding"] == "gzip"
    assert write.headers["content-type"] == "application/xml"
    assert b"<invnumber>R-1</invnumber>" in write.body


def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with ScriptedServer([OK]) as server, make_client(server) as client:
        client.ping()
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"


def test_a_proxy_of_the_connection_is_used() -> None:
    with ScriptedServer([OK]) as proxy:
        config = ClientConfig(
            host="http://rma.invalid", allow_http=True, tenant="demo", token=SECRET, proxies={"http": proxy.host}
        )
        with RunMyAccountsClient(config) as client:
            client.ping()
    assert proxy.seen[0].target == "http://rma.invalid/api/latest/clients/demo/departments"


def test_connections_are_pooled_and_cookies_forgotten() -> None:
    keep = respond(200, DEPARTMENTS, keep_alive=True, Set_Cookie="session=1; Path=/")
    with ScriptedServer([keep]) as server, make_client(server) as client:
        for _ in range(3):
            client.ping()
    assert server.accepted == 1
    assert all("cookie" not in seen.headers for seen in server.seen)


@pytest.mark.parametrize(
    "bad",
    [
        respond(500, b"x", "text/plain"),
        respond(503, HTML, "text/html"),
        respond(429),
        hang_up,
        reset,
        respond(200, DEPARTMENTS, Content_Length="200"),
        without_length(DEPARTMENTS[:-3]),
        respond(200, gzip.compress(DEPARTMENTS)[:-4], Content_Encoding="gzip"),
        respond(200, b"3\r\n{ }\r\n", Transfer_Encoding="chunked"),
        respond(200, b"40\r\n{", Transfer_Encoding="chunked"),
        respond(200, b""),
        respond(204),
    ],
)
def test_a_read_is_tried_again(bad: Reply) -> None:
    waited: list[float] = []
    with ScriptedServer([bad, bad, OK]) as server, make_client(server, waited) as client:
        assert [department["name"] for department in client.list_departments()] == ["Basel", "Bern"]
    assert len(server.seen) == 3
    assert waited == [1.0, 2.0]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (respond(500, b'{ "error": "Muster" }'), ServerError),
        (respond(429, b"", Retry_After="3"), RateLimitedError),
        (hang_up, IncompleteResponseError),
        (respond(200, DEPARTMENTS, Content_Length="200"), IncompleteResponseError),
        (respond(200, gzip.compress(DEPARTMENTS)[:-1], Content_Encoding="gzip"), IncompleteResponseError),
        (respond(200, b"damaged", Content_Encoding="gzip"), IncompleteResponseError),
    ],
)
def test_tries_are_bounded(bad: Reply, kind: type[RequestError], caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer([bad]) as server, make_client(server) as client:
        error = request_error(lambda: client.list_departments())
    assert type(error) is kind
    assert error.retryable
    assert len(server.seen) == 4
    assert "Try 4 of 4" in caplog.text


def test_retry_after_is_honoured_in_both_forms_up_to_a_bound() -> None:
    waited: list[float] = []
    replies = [
        respond(429, b"", Retry_After="7"),
        respond(429, b"", Retry_After="9999"),
        respond(503, b"", Retry_After="x"),
        OK,
    ]
    with ScriptedServer(replies) as server, make_client(server, waited) as client:
        client.ping()
    assert waited == [7.0, 120.0, 4.0]


@pytest.mark.parametrize(
    "good", [respond(204), respond(200), respond(200, b'{"id": "1"}'), respond(201, b"<invoice/>")]
)
def test_a_write_succeeds_with_or_without_content(good: Reply) -> None:
    with ScriptedServer([good]) as server, make_client(server) as client:
        client.create_invoice(make_invoice())
    assert len(server.seen) == 1


def test_a_read_only_connection_sends_no_write() -> None:
    with ScriptedServer([respond(204)]) as server, make_client(server, allow_writes=False) as client:
        for call in (
            lambda: client.create_invoice(make_invoice()),
            lambda: client.save_customer({"customernumber": "K-1"}),
        ):
            with pytest.raises(WritesNotAllowedError, match="allow_writes"):
                call()
    assert server.accepted == 0


def test_a_certificate_authority_can_be_named(authority: tuple[ssl.SSLContext, str]) -> None:
    with ScriptedServer([OK, respond(204)], tls=authority[0]) as server:
        with make_client(server, verify=authority[1]) as client:
            client.ping()
            client.create_invoice(make_invoice())
        assert len(server.seen) == 2


def test_a_missing_authority_file_is_a_matter_of_configuration() -> None:
    config = ClientConfig(tenant="demo", token=SECRET, verify="/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match="verify"):
        RunMyAccountsClient(config)
