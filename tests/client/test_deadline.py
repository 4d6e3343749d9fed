"""The time of a whole exchange is bounded, wherever the other side is slow."""

from __future__ import annotations

import http.client
import inspect
import socket
import ssl
import threading
import time
from inspect import signature
from typing import Any

import pytest
import requests
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.deadline import MAX_IDLE, WatchedAdapter, WatchedRequest
from airflow_provider_rma.client.endpoints import LIST_DEPARTMENTS
from airflow_provider_rma.client.transport import Transport
from airflow_provider_rma.exceptions import (
    ConnectionNotMadeError,
    IncompleteResponseError,
    OutcomeUnknownError,
)
from tests.support.http_client import DEPARTMENTS, SECRET, make_client, make_invoice, request_error
from tests.support.scripted_server import (
    Reply,
    ScriptedServer,
    respond,
    silent,
    trickle,
)

pytestmark = pytest.mark.usefixtures("no_secret_leaves")

#: Seconds within which a request must have been cut off: less than the 20 for which the server would go on.
PATIENCE = 15.0

#: Minor versions of urllib3 whose source was compared with what the module relies on.
CHECKED = ("2.8",)


def test_the_insides_of_urllib3_are_those_that_were_looked_at() -> None:
    """After an update: read the comment in the module, compare it with urllib3's source, then add the version."""
    assert urllib3.__version__.rpartition(".")[0] in CHECKED
    for connection in (HTTPConnection, HTTPSConnection):
        assert list(signature(connection._new_conn).parameters) == ["self"]
        assert list(signature(connection._tunnel).parameters) == ["self"]
        assert list(signature(connection.send).parameters) == ["self", "data"]
        assert isinstance(inspect.getattr_static(connection, "is_connected"), property)
    assert list(signature(HTTPConnectionPool._put_conn).parameters) == ["self", "conn"]
    assert HTTPConnection.response_class is http.client.HTTPResponse
    assert list(signature(http.client.HTTPResponse._read_status).parameters) == ["self"]
    assert (HTTPConnectionPool.ConnectionCls, HTTPSConnectionPool.ConnectionCls) == (HTTPConnection, HTTPSConnection)
    assert set(urllib3.PoolManager().pool_classes_by_scheme) == {"http", "https"}


@pytest.mark.parametrize(("max_idle", "connections"), [(0.0, 2), (MAX_IDLE, 1)])
def test_a_connection_idle_for_long_is_not_used_again(max_idle: float, connections: int) -> None:
    request = LIST_DEPARTMENTS.request("json")
    with ScriptedServer([respond(200, DEPARTMENTS, keep_alive=True)]) as server:
        with Transport(server.config(), max_idle=max_idle) as transport:
            for _ in range(2):
                transport.read(request, lambda response: response.close())
        assert server.accepted == connections


@pytest.mark.parametrize("dripping", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_a_read_that_trickles_for_ever_is_cut_off(dripping: bytes) -> None:
    with ScriptedServer([trickle(dripping)]) as server:
        client = make_client(server, read_timeout=0.1, total_deadline=0.3)
        begin = time.monotonic()
        error = request_error(client.ping)
        client.close()
    assert type(error) is IncompleteResponseError
    assert time.monotonic() - begin < PATIENCE
    assert len(server.seen) == 1


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
    with ScriptedServer([slow]) as server, make_client(server, total_deadline=0.4) as client:
        begin = time.monotonic()
        error = request_error(lambda: client.create_invoice(make_invoice()))
        took = time.monotonic() - begin
    assert type(error) is OutcomeUnknownError
    assert 0.3 < took < PATIENCE
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
            error = request_error(lambda: client.create_invoice(make_invoice()))
    assert type(error) is ConnectionNotMadeError
    assert error.retryable
    assert time.monotonic() - begin < PATIENCE


def test_nothing_is_sent_once_the_deadline_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that takes long to resolve must not lead to a late write."""
    resolve = socket.getaddrinfo

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.5)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with ScriptedServer([respond(204)]) as server, make_client(server, total_deadline=0.2) as client:
        error = request_error(lambda: client.create_invoice(make_invoice()))
    assert type(error) is ConnectionNotMadeError
    assert server.seen == []


@pytest.mark.parametrize("slow", [silent, trickle(b"HTTP/1.1 200 OK\r\nX-Long: ")])
def test_the_deadline_holds_over_tls(authority: tuple[ssl.SSLContext, str], slow: Reply) -> None:
    with (
        ScriptedServer([slow], tls=authority[0]) as server,
        make_client(server, verify=authority[1], total_deadline=0.5) as client,
    ):
        begin = time.monotonic()
        error = request_error(lambda: client.create_invoice(make_invoice()))
    assert type(error) is OutcomeUnknownError
    assert time.monotonic() - begin < PATIENCE
    assert len(server.seen) == 1


def test_a_lane_that_took_a_connection_over_is_not_cut_off_by_the_lane_before() -> None:
    """The first lane has its response, and its time is up before it has finished with it; the second one is sending."""
    has_arrived, may_reply = threading.Event(), threading.Event()

    def reply_later(client: socket.socket) -> None:
        has_arrived.set()
        may_reply.wait(PATIENCE)
        respond(204)(client)

    replies = [respond(200, DEPARTMENTS, keep_alive=True), reply_later]
    with ScriptedServer(replies) as server, requests.Session() as lanes:
        lanes.mount("http://", WatchedAdapter(1))
        first, second = WatchedRequest(PATIENCE), WatchedRequest(PATIENCE)
        statuses: list[int] = []

        def send() -> None:
            with second.enforce():
                statuses.append(lanes.post(f"{server.host}/second", data=b"x").status_code)

        with first.enforce():
            assert lanes.get(f"{server.host}/first").content == DEPARTMENTS
            lane = threading.Thread(target=send)
            lane.start()
            assert has_arrived.wait(PATIENCE)
            first.expire()
            may_reply.set()
            lane.join(PATIENCE)
        assert statuses == [204]
        assert server.accepted == 1
    assert not first.expired


@pytest.mark.parametrize("reply", [respond(204, keep_alive=True), respond(200, b"{}", keep_alive=True)])
def test_a_request_whose_response_has_arrived_does_not_expire(reply: Reply) -> None:
    with ScriptedServer([reply]) as server, requests.Session() as session:
        session.mount("http://", WatchedAdapter(1))
        exchange = WatchedRequest(PATIENCE)
        with exchange.enforce():
            assert session.post(server.host, data=b"x").ok
            exchange.expire()
        assert not exchange.expired


def test_a_request_without_a_response_expires() -> None:
    with ScriptedServer([silent]) as server, requests.Session() as session:
        session.mount("http://", WatchedAdapter(1))
        exchange = WatchedRequest(0.2)
        with exchange.enforce(), pytest.raises(requests.ConnectionError):
            session.post(server.host, data=b"x")
        assert exchange.expired
