"""A response has one meaning, for a read and for a write; so has a request without one."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.endpoints import CREATE_INVOICE, GET_INVOICE
from airflow_provider_rma.client.errors import error_for
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConnectionNotMadeError,
    IncompleteResponseError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    RequestError,
    UnexpectedResponseError,
)
from tests.support.http_client import DEPARTMENTS, HTML, OK, SECRET, make_client, make_invoice, request_error
from tests.support.scripted_server import (
    Reply,
    ScriptedServer,
    hang_up,
    raw,
    reset,
    respond,
    without_length,
)

pytestmark = pytest.mark.usefixtures("no_secret_leaves")


def test_a_proxy_that_gives_no_tunnel_means_nothing_was_sent() -> None:
    with ScriptedServer([respond(407, HTML, "text/html")]) as proxy:
        config = ClientConfig(
            host="https://rma.invalid", tenant="demo", token=SECRET, allow_writes=True, proxies={"https": proxy.host}
        )
        with RunMyAccountsClient(config) as client:
            error = request_error(lambda: client.create_invoice(make_invoice()))
    assert type(error) is ConnectionNotMadeError
    assert "proxies" in str(error)
    assert [seen.method for seen in proxy.seen] == ["CONNECT"]
    assert SECRET not in str(proxy.seen)


@pytest.mark.parametrize(
    ("bad", "kind", "word"),
    [
        (respond(200, HTML, "text/html"), UnexpectedResponseError, "HTML"),
        (respond(200, HTML), UnexpectedResponseError, "HTML"),
        (respond(200, b'{"message": "Muster"}'), UnexpectedResponseError, "something else"),
        (respond(200, b"<customers/>", "application/xml"), UnexpectedResponseError, "<departments>"),
        (respond(200, DEPARTMENTS, Content_Encoding="br"), UnexpectedResponseError, "compressed"),
        (respond(400, b'{ "error": "Muster" }'), RejectedError, "refused"),
        (respond(400, b"<error>Muster</error>", "application/xml"), RejectedError, "refused"),
        (respond(400, b""), RejectedError, "refused"),
        (respond(400, HTML, "text/html"), UnexpectedResponseError, "not documented"),
        (respond(400, b'{"message": "Muster"}'), UnexpectedResponseError, "not documented"),
        (respond(200, b'{ "error": "Muster" }'), RejectedError, "refused"),
        (respond(200, b'{ "error": "Muster", "path": "/x" }'), UnexpectedResponseError, "something else"),
        (respond(401, b""), AuthenticationError, "token"),
        (respond(403, HTML, "text/html"), AuthenticationError, "token"),
        (respond(404, b'{ "error": "Muster" }'), NotFoundError, "nothing"),
        (respond(404, b"<error>Muster</error>", "application/xml"), NotFoundError, "nothing"),
        (respond(404, b""), NotFoundError, "nothing"),
        (respond(404, HTML, "text/html"), UnexpectedResponseError, "does not come from the service"),
        (respond(404, b'{"message": "no route"}'), UnexpectedResponseError, "does not come from the service"),
        (respond(404, b"not found", "text/plain"), UnexpectedResponseError, "does not come from the service"),
        (respond(302, b"", Location="https://login.invalid/?x=1"), UnexpectedResponseError, "redirect"),
        (respond(301, b"", Location="::::"), UnexpectedResponseError, "redirect"),
        (respond(418, b""), UnexpectedResponseError, "not documented"),
    ],
)
def test_a_response_has_one_meaning_for_a_read(bad: Reply, kind: type[RequestError], word: str) -> None:
    with ScriptedServer([bad]) as server, make_client(server) as client:
        error = request_error(lambda: client.list_departments())
    assert type(error) is kind
    assert word in str(error)
    assert error.status is not None
    assert not error.retryable
    assert len(server.seen) == 1


def test_the_servers_text_is_kept_apart_and_without_the_key() -> None:
    body = f'{{ "error": "Schlüssel {SECRET} gehört Muster" }}'.encode()
    with ScriptedServer([respond(403, body)]) as server, make_client(server) as client:
        error = request_error(client.ping)
    assert error.server_message == "Schlüssel *** gehört Muster"


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (hang_up, OutcomeUnknownError),
        (reset, OutcomeUnknownError),
        (raw(b"HTTP/1.1 20"), OutcomeUnknownError),
        (raw(b"garbage\r\n\r\n"), OutcomeUnknownError),
        (respond(500, b""), OutcomeUnknownError),
        (respond(500, b'{ "error": "Muster" }'), OutcomeUnknownError),
        (respond(502, HTML, "text/html"), OutcomeUnknownError),
        (respond(429, b"", Retry_After="5"), OutcomeUnknownError),
        (respond(408, b""), OutcomeUnknownError),
        (respond(200, HTML, "text/html"), OutcomeUnknownError),
        (respond(200, b'{"a": "', Content_Length="50"), OutcomeUnknownError),
        (without_length(b'{"error": "Must'), OutcomeUnknownError),
        (respond(200, b"x", Content_Encoding="gzip"), OutcomeUnknownError),
        (respond(307, b"", Location="/elsewhere"), OutcomeUnknownError),
        (respond(200, b'{ "error": "Muster" }'), RejectedError),
        (respond(400, b'{ "error": "Muster" }'), RejectedError),
        (respond(400, HTML, "text/html"), OutcomeUnknownError),
        (respond(404, b"not found", "text/plain"), OutcomeUnknownError),
        (respond(409, b'{"message": "Muster"}'), OutcomeUnknownError),
        (respond(400, b'{"error": "Bad Request", "status": "400"}'), OutcomeUnknownError),
        (respond(451, HTML, "text/html"), OutcomeUnknownError),
        (respond(202, b""), OutcomeUnknownError),
        (respond(203, b'{"id": "1"}'), OutcomeUnknownError),
        (respond(206, b'{"id": "1"}'), OutcomeUnknownError),
        (respond(404, b""), RejectedError),
        (respond(409, b""), RejectedError),
        (respond(413, b""), RejectedError),
        (respond(415, b""), RejectedError),
        (respond(401, b'{ "error": "Muster" }'), AuthenticationError),
        (respond(403, b""), AuthenticationError),
        (respond(403, HTML, "text/html"), AuthenticationError),
    ],
)
@pytest.mark.parametrize("content_type", ["json", "xml"])
def test_a_write_is_sent_once_whatever_happens(bad: Reply, kind: type[RequestError], content_type: Any) -> None:
    waited: list[float] = []
    with ScriptedServer([bad, respond(204)]) as server, make_client(server, waited) as client:
        error = request_error(lambda: client.create_invoice(make_invoice(), content_type=content_type))
    assert type(error) is kind
    assert len(server.seen) == 1
    assert waited == []
    if kind is OutcomeUnknownError:
        assert error.retryable
        assert "read" in str(error)


def test_a_write_that_is_asked_to_slow_down_says_for_how_long() -> None:
    with ScriptedServer([respond(429, b"", Retry_After="5")]) as server, make_client(server) as client:
        error = request_error(lambda: client.create_invoice(make_invoice()))
    assert isinstance(error, OutcomeUnknownError)
    assert (error.retry_after, error.status) == (5.0, 429)


def test_a_host_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    waited: list[float] = []
    config = ClientConfig(host=f"http://127.0.0.1:{port}", tenant="demo", token=SECRET, allow_writes=True)
    with RunMyAccountsClient(config, sleep=waited.append) as client:
        error = request_error(lambda: client.create_invoice(make_invoice()))
        assert type(error) is ConnectionNotMadeError
        assert "refused" in str(error)
        assert waited == []
        assert type(request_error(client.ping)) is ConnectionNotMadeError
        assert len(waited) == 3


def test_a_host_without_an_address() -> None:
    config = ClientConfig(host="rma.invalid", tenant="demo", token=SECRET)
    with RunMyAccountsClient(config, retry=RetryPolicy(tries=1)) as client:
        error = request_error(client.ping)
    assert type(error) is ConnectionNotMadeError
    assert "name is not known" in str(error)


def test_an_untrusted_certificate_is_no_doubt_and_says_what_to_do(authority: tuple[ssl.SSLContext, str]) -> None:
    waited: list[float] = []
    with ScriptedServer([OK], tls=authority[0]) as server, make_client(server, waited) as client:
        for call in (client.ping, lambda: client.create_invoice(make_invoice())):
            error = request_error(call)
            assert type(error) is ConnectionNotMadeError
            assert "certificate" in str(error)
            assert "`verify`" in str(error)
            assert not error.retryable
    assert (server.seen, waited) == ([], [])


def test_https_to_a_server_that_speaks_http() -> None:
    def reply() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=reply)
        thread.start()
        config = ClientConfig(host=f"https://127.0.0.1:{listener.getsockname()[1]}", tenant="demo", token=SECRET)
        with RunMyAccountsClient(config, retry=RetryPolicy(tries=1)) as client:
            error = request_error(client.ping)
        thread.join(5)
    assert type(error) is ConnectionNotMadeError
    assert "TLS" in str(error)


# ---------------------------------------------------------------------- without a server


@dataclass(frozen=True)
class Facts:
    """The facts of a response on which its meaning depends."""

    status: int
    body: str = ""
    retry_after: float | None = None

    def is_html(self) -> bool:
        return self.body == "html"

    def is_empty(self) -> bool:
        return not self.body

    def is_readable(self) -> bool:
        return self.body in ("data", "error")

    def error_text(self) -> str | None:
        return "Schlüssel geheim" if self.body == "error" else None


READ, WRITE = GET_INVOICE.request("json", {"invnumber": "R-1"}), CREATE_INVOICE.request("json", entity={})


@pytest.mark.parametrize("body", ["", "data", "error", "html", "text"])
@pytest.mark.parametrize("status", [*range(200, 300), 302, *range(400, 500), 500, 503, 599, 101])
def test_a_write_is_refused_or_done_only_where_that_is_certain(status: int, body: str) -> None:
    error = error_for(Facts(status, body), WRITE, "geheim")
    if 200 <= status < 300:
        expected = {"": None, "data": None, "error": RejectedError}.get(body, OutcomeUnknownError)
        if expected is None and status in (202, 203, 206):
            expected = OutcomeUnknownError
    elif status in (401, 403):
        expected = AuthenticationError
    elif 400 <= status < 500 and status not in (408, 425, 429, 499) and body in ("", "error"):
        expected = RejectedError
    else:
        expected = OutcomeUnknownError
    assert (None if error is None else type(error)) is expected
    if isinstance(error, RejectedError):
        assert error.is_final == (body == "error" and status in (400, 404, 409, 413, 415))
    if isinstance(error, AuthenticationError):
        assert error.is_final == (body == "error")
    if error is not None:
        assert (error.method, error.path, error.status) == ("POST", "/invoices", status)
        assert error.server_message == ("Schlüssel ***" if body == "error" else None)


@pytest.mark.parametrize("body", ["", "data", "error", "html", "text"])
def test_only_the_service_s_own_404_says_that_something_is_absent(body: str) -> None:
    error = error_for(Facts(404, body), READ, "geheim")
    assert isinstance(error, NotFoundError) == (body in ("", "error"))


@pytest.mark.parametrize("body", ["", "data", "html", "text"])
def test_a_part_is_no_whole_answer_to_a_read(body: str) -> None:
    assert isinstance(error_for(Facts(206, body), READ, "geheim"), IncompleteResponseError)


@pytest.mark.parametrize(
    "body",
    [
        '{ "error": "Ungültige Währung" }'.encode("latin-1"),
        '{ "error": "Ungültige Währung" }'.encode(),
        '<?xml version="1.0" encoding="ISO-8859-1"?><error>Ungültige Währung</error>'.encode("latin-1"),
        "<invoices><error>Ungültige Währung</error></invoices>".encode(),
    ],
)
@pytest.mark.parametrize("content_type", ["json", "xml"])
def test_the_services_own_error_form_is_known_in_any_encoding_and_form(body: bytes, content_type: Any) -> None:
    with ScriptedServer([respond(400, body, "text/plain")]) as server, make_client(server) as client:
        error = request_error(lambda: client.create_invoice(make_invoice(), content_type=content_type))
    assert isinstance(error, RejectedError)
    assert error.is_final
    assert error.server_message == "Ungültige Währung"


@pytest.mark.parametrize("status", [101, 201, 200, 204])
@pytest.mark.parametrize("interim", [100, 102, 103, 199])
def test_interim_answers_are_skipped(status: int, interim: int) -> None:
    early = f"HTTP/1.1 {interim} Early\r\nLink: </x>; rel=preload\r\n\r\n".encode()
    final = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    with ScriptedServer([raw(early * 3 + final)]) as server, make_client(server) as client:
        if status == 101:
            assert isinstance(request_error(lambda: client.create_invoice(make_invoice())), OutcomeUnknownError)
        else:
            client.create_invoice(make_invoice())
    assert len(server.seen) == 1


def test_an_interim_answer_to_a_read_is_skipped_too() -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(DEPARTMENTS), DEPARTMENTS)
    with (
        ScriptedServer([raw(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + body)]) as server,
        make_client(server) as client,
    ):
        assert len(client.list_departments()) == 2


def test_interim_answers_without_a_final_one_leave_a_doubt() -> None:
    with ScriptedServer([raw(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")]) as server, make_client(server) as client:
        assert isinstance(request_error(lambda: client.create_invoice(make_invoice())), OutcomeUnknownError)
