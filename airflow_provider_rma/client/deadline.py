"""A bound on a whole HTTP exchange, which time-outs between bytes cannot give.

A server that sends one byte a second, in the body, in a header line or in the TLS handshake, never runs into a socket's
time-out. Therefore every connection reports its socket to the exchange that uses it, and a timer shuts the socket down
when the exchange's time is up; the blocked call then returns at once. The connection also reports the moment before the
first byte of the request leaves: whether anything was sent is a fact, not a guess from an exception.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

#: Seconds for which an idle connection may be used again. Afterwards something on the way may have forgotten it, and a
#: POST lost on it would be in doubt for nothing.
MAX_IDLE = 15.0

_current = threading.local()


class WatchedRequest:
    """One request and its response, bounded in time.

    :param seconds: from now to the last byte of the response.
    :param max_idle: seconds after which an idle connection is not used for this request.
    :ivar sent: whether a byte of the request may have left.
    :ivar expired: whether the time was up before the exchange was over.
    """

    def __init__(self, seconds: float, *, max_idle: float = MAX_IDLE) -> None:
        self.seconds = seconds
        self.max_idle = max_idle
        self.sent = False
        self.expired = False
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._is_over = False
        self._timer = threading.Timer(seconds, self.expire)
        self._timer.daemon = True

    @contextlib.contextmanager
    def enforce(self) -> Iterator[WatchedRequest]:
        """Bound everything that this thread does inside."""
        _current.exchange = self
        self._timer.start()
        try:
            yield self
        finally:
            _current.exchange = None
            self._timer.cancel()
            self.let_go()

    def let_go(self) -> None:
        """Watch no socket any longer: the response has arrived, and another exchange may use the connection.

        From here on nothing that happens to the socket is this exchange's doing, so its time cannot be up any more.
        """
        with self._lock:
            self._is_over = True
            handles, self._handles = self._handles, []
        for handle in handles:
            handle.close()

    def watch(self, sock: socket.socket) -> None:
        """Shut this socket down when the time is up; at once if it is."""
        # A handle of its own: the connection may wrap or close its socket, and its number may be used again.
        handle = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._is_over = False
            self._handles.append(handle)
            if self.expired:
                _shut(handle)
        self.check()

    def check(self) -> None:
        """:raises ConnectTimeoutError: if the time is up."""
        if self.expired or time.monotonic() >= self._end:
            self.expired = True
            raise ConnectTimeoutError(None, "the exchange's time is up")

    def expire(self) -> None:
        """Shut the sockets down; the timer's call when the time is up."""
        with self._lock:
            if self._is_over:
                return
            self.expired = True
            for handle in self._handles:
                _shut(handle)


def _shut(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _current_exchange() -> WatchedRequest | None:
    return getattr(_current, "exchange", None)


# What this module relies on inside urllib3, as of 2.8 (tests/client/test_deadline.py fails if any of it is gone):
# * `HTTPConnection._new_conn` opens the TCP connection and returns its socket, over TLS too; `_tunnel` sends CONNECT;
# * `http.client` passes every byte of a request through `send`, and connects there if it has not;
# * a response is read by the connection's `response_class`, whose `_read_status` skips interim answers;
# * a connection returns to its pool through `_put_conn` alone;
# * a pool asks `is_connected` before it uses a connection again, and makes new ones with `ConnectionCls`; a pool
#   manager finds the classes of its pools in `pool_classes_by_scheme`.


class _FinalResponse(http.client.HTTPResponse):
    """A response behind its interim ones: of 1xx, http.client skips 100 only, and takes 102 and 103 for the answer."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 101 < status < 200:
                return version, status, reason
            # How many there are is bounded by the exchange's time, as for 100.
            http.client.parse_headers(self.fp)


class _WatchedConnection(HTTPConnection):
    """A connection that reports to the exchange that uses it."""

    response_class = _FinalResponse
    #: Whatever the process set for all connections: http.client would print headers, and the token is one.
    debuglevel = 0
    _tunnelling = False
    _watched_by: WatchedRequest | None = None
    _last_use = 0.0

    def _new_conn(self) -> socket.socket:
        exchange = _current_exchange()
        if exchange is not None:
            exchange.check()
        sock = super()._new_conn()
        if exchange is not None:
            self._watched_by = exchange
            try:
                exchange.watch(sock)
            except ConnectTimeoutError:
                sock.close()
                raise
        return sock

    def _tunnel(self) -> None:
        self._tunnelling = True  # what is sent now goes to the proxy and is no request of ours
        try:
            super()._tunnel()
        finally:
            self._tunnelling = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _current_exchange()
        if exchange is not None and not self._tunnelling:
            if self._watched_by is not exchange:
                self._watched_by = exchange
                exchange.watch(self.sock)
            exchange.check()
            exchange.sent = True
        self._last_use = time.monotonic()
        super().send(data)

    def let_go(self) -> None:
        """End the watch, before another exchange may use the connection."""
        exchange, self._watched_by = self._watched_by, None
        if exchange is not None:
            exchange.let_go()

    @property
    def is_connected(self) -> bool:
        exchange = _current_exchange()
        max_idle = MAX_IDLE if exchange is None else exchange.max_idle
        return super().is_connected and time.monotonic() - self._last_use < max_idle


class _WatchedHTTPSConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, _WatchedConnection):
            conn.let_go()
        super()._put_conn(conn)


class _WatchedHTTPSPool(_WatchedPool, HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPSConnection


_POOLS = {"http": _WatchedPool, "https": _WatchedHTTPSPool}


class WatchedAdapter(HTTPAdapter):
    """Pooled connections that report to exchanges; repeats nothing.

    :param connections: how many connections are kept open.
    """

    def __init__(self, connections: int) -> None:
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
