"""The button "Test" says what is wrong, over real HTTP: whatever the other side does, it answers with a sentence."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_rma.hooks.rma import RunMyAccountsHook

TOKEN = "pat_example_0123456789"
DEPARTMENTS = b'{"department":[{"id":"1","departmentnumber":"10","departmentname":"Werkstatt"}]}'


class Service:
    """A service with one response for everything, and the requests it got."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status, self.kind, self.body = 200, "application/json", DEPARTMENTS
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.command, self.path, self.headers.get("Authorization")))
                self.send_response(outer.status)
                self.send_header("Content-Type", outer.kind)
                self.send_header("Content-Length", str(len(outer.body)))
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


Test = Callable[..., tuple[bool, str]]


@pytest.fixture
def press_test(monkeypatch: pytest.MonkeyPatch) -> Test:
    """Press "Test" for a connection to a host; the sentence must hold no secret."""

    def press(host: str, *, token: str = TOKEN, **extra: Any) -> tuple[bool, str]:
        connection = {"conn_type": "rma", "host": host, "schema": "demo", "password": token, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(connection))
        good, sentence = RunMyAccountsHook().test_connection()
        assert not token or token not in sentence
        return good, sentence

    return press


def test_a_good_connection(service: Service, press_test: Test) -> None:
    good, sentence = press_test(f"http://127.0.0.1:{service.port}")
    assert good
    assert "tenant demo" in sentence
    assert "Read-only" in sentence
    assert "allow_writes" in sentence
    ((method, path, authorization),) = service.requests
    assert method == "GET"
    assert path.startswith("/api/latest/clients/demo/")
    assert authorization == f"Bearer {TOKEN}"


def test_it_says_that_writes_are_armed_and_writes_nothing(service: Service, press_test: Test) -> None:
    good, sentence = press_test(f"http://127.0.0.1:{service.port}", allow_writes=True)
    assert good
    assert "armed" in sentence
    assert [method for method, _, _ in service.requests] == ["GET"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error":"Ung\xc3\xbcltiger Schl\xc3\xbcssel"}', "refused the token"),
        (403, b'{"error":"Kein Zugriff auf diesen Mandanten"}', "another tenant"),
        (404, b'{"error":"Mandant unbekannt"}', "no tenant demo"),
        (429, b'{"error":"Zu viele Anfragen"}', "too many requests"),
        (500, b'{"error":"Interner Fehler"}', "problem of its own"),
        (200, b'{"error":"Wartung"}', "refused"),
        (200, b'{"department":[{"id":', "did not answer as it should"),
    ],
)
def test_what_the_service_refuses(service: Service, press_test: Test, status: int, body: bytes, said: str) -> None:
    service.status, service.body = status, body
    good, sentence = press_test(f"http://127.0.0.1:{service.port}")
    assert not good
    assert said in sentence
    if status != 200:
        assert f"HTTP {status}" in sentence
    assert json.loads(body)["error"] not in sentence if body.endswith(b"}") else True
    assert len(service.requests) == 1, "a person waits: one try"


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_page_answers(service: Service, press_test: Test, status: int) -> None:
    service.status, service.kind, service.body = (
        status,
        "text/html",
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
    )
    good, sentence = press_test(f"http://127.0.0.1:{service.port}")
    assert not good
    assert "not as Run my Accounts does" in sentence
    assert "Check Host" in sentence


def test_a_redirect_is_not_followed(service: Service, press_test: Test) -> None:
    service.status, service.headers = 302, {"Location": f"http://127.0.0.1:{service.port}/elsewhere"}
    good, sentence = press_test(f"http://127.0.0.1:{service.port}")
    assert not good
    assert "redirect" in sentence
    assert len(service.requests) == 1


def test_the_host_is_down(press_test: Test) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    good, sentence = press_test(f"http://127.0.0.1:{port}")
    assert not good
    assert f"No connection to http://127.0.0.1:{port}" in sentence
    assert "refused" in sentence
    assert time.monotonic() - start < 30


def test_the_host_is_unknown(press_test: Test) -> None:
    good, sentence = press_test("https://rma.invalid")
    assert not good
    assert "https://rma.invalid" in sentence
    assert "name is not known" in sentence


def test_the_certificate_is_nobodys(press_test: Test, tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    service = Service(tls)
    try:
        host = f"https://127.0.0.1:{service.port}"
        good, sentence = press_test(host)
        assert not good
        assert "certificate is not trusted" in sentence
        assert "verify" in sentence
        good, sentence = press_test(host, verify=str(certificates))
        assert good, sentence
    finally:
        service.close()


def test_a_connection_with_mistakes(press_test: Test) -> None:
    good, sentence = press_test("http://127.0.0.1:9", alow_writes=True)
    assert not good
    assert "'allow_writes'" in sentence
    good, sentence = press_test("http://127.0.0.1:9", token="")
    assert not good
    assert "token is missing" in sentence


def test_a_connection_that_does_not_exist() -> None:
    good, sentence = RunMyAccountsHook("no_such_connection").test_connection()
    assert not good
    assert "NotFound" in sentence


def test_airflow_presses_the_same_button(service: Service, press_test: Test) -> None:
    from airflow.sdk import BaseHook

    press_test(f"http://127.0.0.1:{service.port}")
    connection: Any = BaseHook.get_connection("rma_default")
    good, sentence = connection.test_connection()
    assert good, sentence
