"""A server on a raw socket that does exactly what a test tells it, also what no decent server does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from airflow_provider_rma.client.config import ClientConfig

Reply = Callable[[socket.socket], None]

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # linger on, zero seconds: close() resets the connection


@dataclass
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers the n-th request with the n-th reply, and every later one with the last.

    :param replies: each gets the client's socket; the connection is closed after it.
    """

    replies: list[Reply]
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.accepted = 0

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def host(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def config(self, **settings: object) -> ClientConfig:
        defaults: dict[str, object] = {
            "host": self.host,
            "tenant": "demo",
            "token": "pat_secret_example",
            "allow_writes": True,
            "connect_timeout": 2.0,
            "read_timeout": 5.0,
            "total_deadline": 5.0,
        }
        return ClientConfig(**(defaults | settings))  # type: ignore[arg-type]

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(client):
            client.settimeout(5)
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            with contextlib.closing(client):
                while True:
                    seen = _receive(client)
                    if seen is None:
                        return
                    with self._lock:
                        self.seen.append(seen)
                        reply = self.replies[min(len(self.seen), len(self.replies)) - 1]
                    reply(client)
                    if not getattr(reply, "keep_alive", False):
                        return


def _receive(client: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += client.recv(65536)
    return Seen(method, target, headers, body)


def raw(data: bytes) -> Reply:
    """Send these bytes."""

    def reply(client: socket.socket) -> None:
        client.sendall(data)

    return reply


def respond(
    status: int = 200,
    body: bytes = b"",
    media_type: str = "application/json",
    *,
    keep_alive: bool = False,
    **headers: str,
) -> Reply:
    """A proper response. Header names are given with underscores."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {media_type}"]
    if status != 204 and "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if not keep_alive:
        lines.append("Connection: close")
    reply = raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    reply.keep_alive = keep_alive  # type: ignore[attr-defined]
    return reply


def without_length(body: bytes, media_type: str = "application/json", status: int = 200) -> Reply:
    """Neither length nor chunks: the end of the connection is the end of the body."""
    return raw(f"HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nConnection: close\r\n\r\n".encode() + body)


def reset(client: socket.socket) -> None:
    """Reset the connection without a response."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def hang_up(client: socket.socket) -> None:
    """Close the connection without a response."""


def silent(client: socket.socket) -> None:
    """Say nothing until the client gives up."""
    client.settimeout(20)
    client.recv(1)


def trickle(head: bytes, drop: bytes = b"x", pause: float = 0.05) -> Reply:
    """Send a head, then one piece after the other until the client gives up."""

    def reply(client: socket.socket) -> None:
        client.sendall(head)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            client.sendall(drop)
            time.sleep(pause)

    return reply
