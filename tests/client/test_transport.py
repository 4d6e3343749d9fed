from __future__ import annotations

import gzip
import logging
import pickle
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.deadline import MAX_IDLE
from airflow_provider_rma.client.endpoints import LIST_DEPARTMENTS
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.client.transport import Transport
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    IncompleteResponseError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerError,
    UnexpectedResponseError,
    WritesNotAllowedError,
)
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.scripted_server import (
    Reply,
    ScriptedServer,
    answer,
    hang_up,
    raw,
    reset,
    silent,
    trickle,
    without_length,
)

DEPARTMENTS = b'{"department": [{"@id": "1", "@name": "Basel"}, {"@id": "2", "@name": "Bern"}]}'
SECRET = "pat_secret_example"
HTML = b"<!DOCTYPE html><html><body>Login, K-1 Muster</body></html>"

OK = answer(200, DEPARTMENTS)


def invoice() -> dict[str, Any]:
    return InvoiceSchema().from_user(
        {
            "invnumber": "R-1",
            "transdate": "2026-01-05",
            "customernumber": "K-1",
            "parts": [{"partnumber": "A-1", "quantity": 1, "sellprice": "2.50"}],
        }
    )


def client_of(server: ScriptedServer, waited: list[float] | None = None, **settings: Any) -> RunMyAccountsClient:
    pauses = waited if waited is not None else []
    retry = RetryPolicy(uniform=lambda low, high: high)
    return RunMyAccountsClient(server.config(**settings), retry=retry, sleep=pauses.append)


@pytest.fixture(autouse=True)
def no_secret_leaves(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does: no secret and no query string in any log."""
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text
    assert "Muster" not in caplog.text


def failure(call: Callable[[], Any]) -> RequestError:
    """The exception of a call, checked for what every exception must fulfil."""
    with pytest.raises(RequestError) as caught:
        call()
    error = caught.value
    shown = str(error) + repr(error) + "".join(traceback.format_exception(error))
    for hidden in (SECRET, "Muster", "api_key", "from="):
        assert hidden not in shown
    assert error.advice
    assert error.method in ("GET", "POST")
    assert error.path is not None
    assert error.path.startswith("/")
    assert error.__context__ is None or error.__suppress_context__
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), again.__dict__) == (type(error), error.__dict__)
    return error


# ---------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("scheme", "header", "value"),
    [("bearer", "authorization", f"Bearer {SECRET}"), ("rma_key", "x-rma-key", SECRET)],
)
def test_the_key_goes_into_the_header_of_its_scheme(scheme: str, header: str, value: str) -> None:
    with ScriptedServer([OK]) as server, client_of(server, auth_scheme=scheme) as client:
        client.ping()
    (seen,) = server.seen
    assert seen.headers[header] == value
    assert seen.target == "/api/latest/clients/demo/departments"
    assert SECRET not in repr(client)
    assert SECRET not in repr(client.config)


def test_the_key_in_the_query_reaches_the_server_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    token = "legacy&key"
    with ScriptedServer([OK, reset]) as server:
        client = client_of(server, auth_scheme="query", allow_key_in_url=True, token=token)
        client.ping()
        assert server.seen[0].target.endswith("/departments?api_key=legacy%26key")
        assert "authorization" not in server.seen[0].headers
        failure(client.ping)
        client.close()
    assert "legacy" not in caplog.text


def test_what_every_request_says() -> None:
    with ScriptedServer([OK, answer(204)]) as server, client_of(server) as client:
        client.list_departments(content_type="json")
        client.create_invoice(invoice(), content_type="xml")
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
    with ScriptedServer([OK]) as server, client_of(server) as client:
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


def test_a_proxy_that_gives_no_tunnel_means_nothing_was_sent() -> None:
    with ScriptedServer([answer(407, HTML, "text/html")]) as proxy:
        config = ClientConfig(
            host="https://rma.invalid", tenant="demo", token=SECRET, allow_writes=True, proxies={"https": proxy.host}
        )
        with RunMyAccountsClient(config) as client:
            error = failure(lambda: client.create_invoice(invoice()))
    assert type(error) is ConnectionNotMadeError
    assert "proxies" in str(error)
    assert [seen.method for seen in proxy.seen] == ["CONNECT"]
    assert SECRET not in str(proxy.seen)


def test_connections_are_pooled_and_cookies_forgotten() -> None:
    keep = answer(200, DEPARTMENTS, keep_alive=True, Set_Cookie="session=1; Path=/")
    with ScriptedServer([keep]) as server, client_of(server) as client:
        for _ in range(3):
            client.ping()
    assert server.accepted == 1
    assert all("cookie" not in seen.headers for seen in server.seen)


@pytest.mark.parametrize(("max_idle", "connections"), [(0.0, 2), (MAX_IDLE, 1)])
def test_a_connection_idle_for_long_is_not_used_again(max_idle: float, connections: int) -> None:
    request = LIST_DEPARTMENTS.request("json")
    with ScriptedServer([answer(200, DEPARTMENTS, keep_alive=True)]) as server:
        with Transport(server.config(), max_idle=max_idle) as transport:
            for _ in range(2):
                transport.read(request, lambda response: response.close())
        assert server.accepted == connections


# ---------------------------------------------------------------------- reads: retries


@pytest.mark.parametrize(
    "bad",
    [
        answer(500, b"x", "text/plain"),
        answer(503, HTML, "text/html"),
        answer(429),
        hang_up,
        reset,
        answer(200, DEPARTMENTS, Content_Length="200"),
        without_length(DEPARTMENTS[:-3]),
        answer(200, gzip.compress(DEPARTMENTS)[:-4], Content_Encoding="gzip"),
        answer(200, b"3\r\n{ }\r\n", Transfer_Encoding="chunked"),
        answer(200, b"40\r\n{", Transfer_Encoding="chunked"),
        answer(200, b""),
        answer(204),
    ],
)
def test_a_read_is_tried_again(bad: Reply) -> None:
    waited: list[float] = []
    with ScriptedServer([bad, bad, OK]) as server, client_of(server, waited) as client:
        assert [department["name"] for department in client.list_departments()] == ["Basel", "Bern"]
    assert len(server.seen) == 3
    assert waited == [1.0, 2.0]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (answer(500, b'{ "error": "Muster" }'), ServerError),
        (answer(429, b"", Retry_After="3"), RateLimitedError),
        (hang_up, IncompleteResponseError),
        (answer(200, DEPARTMENTS, Content_Length="200"), IncompleteResponseError),
        (answer(200, gzip.compress(DEPARTMENTS)[:-1], Content_Encoding="gzip"), IncompleteResponseError),
        (answer(200, b"damaged", Content_Encoding="gzip"), IncompleteResponseError),
    ],
)
def test_tries_are_bounded(bad: Reply, kind: type[RequestError], caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer([bad]) as server, client_of(server) as client:
        error = failure(lambda: client.list_departments())
    assert type(error) is kind
    assert error.retryable
    assert len(server.seen) == 4
    assert "Try 4 of 4" in caplog.text


def test_retry_after_is_honoured_in_both_forms_up_to_a_bound() -> None:
    waited: list[float] = []
    replies = [
        answer(429, b"", Retry_After="7"),
        answer(429, b"", Retry_After="9999"),
        answer(503, b"", Retry_After="x"),
        OK,
    ]
    with ScriptedServer(replies) as server, client_of(server, waited) as client:
        client.ping()
    assert waited == [7.0, 120.0, 4.0]


@pytest.mark.parametrize(
    ("bad", "kind", "word"),
    [
        (answer(200, HTML, "text/html"), UnexpectedResponseError, "HTML"),
        (answer(200, HTML), UnexpectedResponseError, "HTML"),
        (answer(200, b'{"message": "Muster"}'), UnexpectedResponseError, "something else"),
        (answer(200, b"<customers/>", "application/xml"), UnexpectedResponseError, "<departments>"),
        (answer(200, DEPARTMENTS, Content_Encoding="br"), UnexpectedResponseError, "compressed"),
        (answer(400, b'{ "error": "Muster" }'), RejectedError, "refused"),
        (answer(400, HTML, "text/html"), RejectedError, "refused"),
        (answer(200, b'{ "error": "Muster" }'), RejectedError, "refused"),
        (answer(401, b""), AuthenticationError, "token"),
        (answer(403, HTML, "text/html"), AuthenticationError, "token"),
        (answer(404, b'{ "error": "Muster" }'), NotFoundError, "nothing"),
        (answer(404, b"<error>Muster</error>", "application/xml"), NotFoundError, "nothing"),
        (answer(404, b""), NotFoundError, "nothing"),
        (answer(404, HTML, "text/html"), UnexpectedResponseError, "does not come from the service"),
        (answer(404, b'{"message": "no route"}'), UnexpectedResponseError, "does not come from the service"),
        (answer(404, b"not found", "text/plain"), UnexpectedResponseError, "does not come from the service"),
        (answer(302, b"", Location="https://login.invalid/?x=1"), UnexpectedResponseError, "redirect"),
        (answer(301, b"", Location="::::"), UnexpectedResponseError, "redirect"),
        (answer(418, b""), UnexpectedResponseError, "not documented"),
    ],
)
def test_an_answer_has_one_meaning_for_a_read(bad: Reply, kind: type[RequestError], word: str) -> None:
    with ScriptedServer([bad]) as server, client_of(server) as client:
        error = failure(lambda: client.list_departments())
    assert type(error) is kind
    assert word in str(error)
    assert error.status is not None
    assert not error.retryable
    assert len(server.seen) == 1


def test_the_servers_text_is_kept_apart_and_without_the_key() -> None:
    body = f'{{ "error": "Schlüssel {SECRET} gehört Muster" }}'.encode()
    with ScriptedServer([answer(403, body)]) as server, client_of(server) as client:
        error = failure(client.ping)
    assert error.server_message == "Schlüssel *** gehört Muster"


def test_an_answer_without_length_is_fine() -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DEPARTMENTS), DEPARTMENTS)
    zipped = gzip.compress(DEPARTMENTS[:20]) + gzip.compress(DEPARTMENTS[20:])
    replies = [
        without_length(DEPARTMENTS),
        answer(200, chunked, Transfer_Encoding="chunked"),
        answer(200, zipped, Content_Encoding="gzip"),
    ]
    with ScriptedServer(replies) as server, client_of(server) as client:
        assert [len(client.list_departments()) for _ in replies] == [2, 2, 2]


def test_the_answers_own_content_type_decides() -> None:
    body = b'<departments><department id="1" name="Basel" role="P"/></departments>'
    with ScriptedServer([answer(200, body, "application/xml;charset=UTF-8")]) as server, client_of(server) as client:
        assert client.list_departments()[0]["name"] == "Basel"


@pytest.mark.parametrize("dripping", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_a_read_that_trickles_for_ever_is_cut_off(dripping: bytes) -> None:
    with ScriptedServer([trickle(dripping)]) as server:
        client = client_of(server, read_timeout=0.1, total_deadline=0.3)
        begin = time.monotonic()
        error = failure(client.ping)
        client.close()
    assert type(error) is IncompleteResponseError
    assert time.monotonic() - begin < 3
    assert len(server.seen) == 1


# ---------------------------------------------------------------------- writes: once


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (hang_up, OutcomeUnknownError),
        (reset, OutcomeUnknownError),
        (raw(b"HTTP/1.1 20"), OutcomeUnknownError),
        (raw(b"garbage\r\n\r\n"), OutcomeUnknownError),
        (answer(500, b""), OutcomeUnknownError),
        (answer(500, b'{ "error": "Muster" }'), OutcomeUnknownError),
        (answer(502, HTML, "text/html"), OutcomeUnknownError),
        (answer(429, b"", Retry_After="5"), OutcomeUnknownError),
        (answer(408, b""), OutcomeUnknownError),
        (answer(200, HTML, "text/html"), OutcomeUnknownError),
        (answer(200, b'{"a": "', Content_Length="50"), OutcomeUnknownError),
        (without_length(b'{"error": "Must'), OutcomeUnknownError),
        (answer(200, b"x", Content_Encoding="gzip"), OutcomeUnknownError),
        (answer(307, b"", Location="/elsewhere"), OutcomeUnknownError),
        (answer(200, b'{ "error": "Muster" }'), RejectedError),
        (answer(400, b'{ "error": "Muster" }'), RejectedError),
        (answer(400, HTML, "text/html"), RejectedError),
        (answer(404, b""), RejectedError),
        (answer(409, b""), RejectedError),
        (answer(413, b""), RejectedError),
        (answer(415, b""), RejectedError),
        (answer(401, b'{ "error": "Muster" }'), AuthenticationError),
        (answer(403, b""), AuthenticationError),
    ],
)
@pytest.mark.parametrize("content_type", ["json", "xml"])
def test_a_write_is_sent_once_whatever_happens(bad: Reply, kind: type[RequestError], content_type: Any) -> None:
    waited: list[float] = []
    with ScriptedServer([bad, answer(204)]) as server, client_of(server, waited) as client:
        error = failure(lambda: client.create_invoice(invoice(), content_type=content_type))
    assert type(error) is kind
    assert len(server.seen) == 1
    assert waited == []
    if kind is OutcomeUnknownError:
        assert error.retryable
        assert "read" in str(error)


@pytest.mark.parametrize("good", [answer(204), answer(200), answer(200, b'{"id": "1"}'), answer(201, b"<invoice/>")])
def test_a_write_succeeds_with_or_without_content(good: Reply) -> None:
    with ScriptedServer([good]) as server, client_of(server) as client:
        client.create_invoice(invoice())
    assert len(server.seen) == 1


def test_a_write_that_is_asked_to_slow_down_says_for_how_long() -> None:
    with ScriptedServer([answer(429, b"", Retry_After="5")]) as server, client_of(server) as client:
        error = failure(lambda: client.create_invoice(invoice()))
    assert isinstance(error, OutcomeUnknownError)
    assert (error.retry_after, error.status) == (5.0, 429)


@pytest.mark.parametrize(
    "slow",
    [
        silent,
        trickle(b""),
        trickle(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=0.1),
        trickle(b"HTTP/1.1 200 OK\r\nX-Long: "),
        trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        trickle(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        trickle(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_a_write_is_cut_off_at_its_deadline(slow: Reply) -> None:
    with ScriptedServer([slow]) as server, client_of(server, total_deadline=0.4) as client:
        begin = time.monotonic()
        error = failure(lambda: client.create_invoice(invoice()))
        took = time.monotonic() - begin
    assert type(error) is OutcomeUnknownError
    assert 0.3 < took < 2
    assert len(server.seen) == 1


def test_a_tls_handshake_that_never_ends_means_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = ClientConfig(
            host=f"https://127.0.0.1:{listener.getsockname()[1]}",
            tenant="demo",
            token=SECRET,
            allow_writes=True,
            total_deadline=0.4,
        )
        with RunMyAccountsClient(config) as client:
            begin = time.monotonic()
            error = failure(lambda: client.create_invoice(invoice()))
    assert type(error) is ConnectionNotMadeError
    assert error.retryable
    assert time.monotonic() - begin < 2


def test_nothing_is_sent_once_the_deadline_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that takes long to resolve must not lead to a late write."""
    resolve = socket.getaddrinfo

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.5)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with ScriptedServer([answer(204)]) as server, client_of(server, total_deadline=0.2) as client:
        error = failure(lambda: client.create_invoice(invoice()))
    assert type(error) is ConnectionNotMadeError
    assert server.seen == []


def test_a_read_only_connection_sends_no_write() -> None:
    with ScriptedServer([answer(204)]) as server, client_of(server, allow_writes=False) as client:
        for call in (lambda: client.create_invoice(invoice()), lambda: client.save_customer({"customernumber": "K-1"})):
            with pytest.raises(WritesNotAllowedError, match="allow_writes"):
                call()
    assert server.accepted == 0


# ---------------------------------------------------------------------- no connection


def test_a_host_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    waited: list[float] = []
    config = ClientConfig(host=f"http://127.0.0.1:{port}", tenant="demo", token=SECRET, allow_writes=True)
    with RunMyAccountsClient(config, sleep=waited.append) as client:
        error = failure(lambda: client.create_invoice(invoice()))
        assert type(error) is ConnectionNotMadeError
        assert "refused" in str(error)
        assert waited == []
        assert type(failure(client.ping)) is ConnectionNotMadeError
        assert len(waited) == 3


def test_a_host_without_an_address() -> None:
    config = ClientConfig(host="rma.invalid", tenant="demo", token=SECRET)
    with RunMyAccountsClient(config, retry=RetryPolicy(tries=1)) as client:
        error = failure(client.ping)
    assert type(error) is ConnectionNotMadeError
    assert "name is not known" in str(error)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return context, str(path)


def test_an_untrusted_certificate_is_no_doubt_and_says_what_to_do(authority: tuple[ssl.SSLContext, str]) -> None:
    waited: list[float] = []
    with ScriptedServer([OK], tls=authority[0]) as server, client_of(server, waited) as client:
        for call in (client.ping, lambda: client.create_invoice(invoice())):
            error = failure(call)
            assert type(error) is ConnectionNotMadeError
            assert "certificate" in str(error)
            assert "`verify`" in str(error)
            assert not error.retryable
    assert (server.seen, waited) == ([], [])


def test_a_certificate_authority_can_be_named(authority: tuple[ssl.SSLContext, str]) -> None:
    with ScriptedServer([OK, answer(204)], tls=authority[0]) as server:
        with client_of(server, verify=authority[1]) as client:
            client.ping()
            client.create_invoice(invoice())
        assert len(server.seen) == 2


@pytest.mark.parametrize("slow", [silent, trickle(b"HTTP/1.1 200 OK\r\nX-Long: ")])
def test_the_deadline_holds_over_tls(authority: tuple[ssl.SSLContext, str], slow: Reply) -> None:
    with (
        ScriptedServer([slow], tls=authority[0]) as server,
        client_of(server, verify=authority[1], total_deadline=0.5) as client,
    ):
        begin = time.monotonic()
        error = failure(lambda: client.create_invoice(invoice()))
    assert type(error) is OutcomeUnknownError
    assert time.monotonic() - begin < 3
    assert len(server.seen) == 1


def test_a_missing_authority_file_is_a_matter_of_configuration() -> None:
    config = ClientConfig(tenant="demo", token=SECRET, verify="/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match="verify"):
        RunMyAccountsClient(config)


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
            error = failure(client.ping)
        thread.join(5)
    assert type(error) is ConnectionNotMadeError
    assert "TLS" in str(error)


# ---------------------------------------------------------------------- the service's clock


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Fri, 20 Nov 2026 13:00:00 GMT", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 13:00:00 -0000", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_the_service_s_clock_is_read_where_it_can_be(header: str, moment: datetime | None) -> None:
    with ScriptedServer([answer(200, DEPARTMENTS, Date=header), OK]) as server, client_of(server) as client:
        assert client.ping() == moment
        assert client.ping() is None
