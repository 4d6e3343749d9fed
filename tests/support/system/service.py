"""The service's side of billing, small and fast: books in memory behind real HTTP on 127.0.0.1.

It accepts every number as often as it is sent, so that a second POST shows as a second document. What it does to a
request, and when a document comes into the books, is decided by whoever owns the books. It shares no code with the
client, so the client under test is the real one, with its own sockets, codecs and errors.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

#: Linger on, zero seconds: closing the socket resets the connection.
_RESET = struct.pack("ii", 1, 0)

PAGE = b"<html><body>Wartungsarbeiten</body></html>"


@dataclass
class Call:
    """A request as it arrived.

    :param actor: the token it came with, by which callers are told apart.
    :param kind: ``post``, ``list`` or ``get``.
    :param number: the invoice number asked for, or sent.
    """

    actor: str
    kind: str
    number: str
    query: dict[str, list[str]]
    sent: dict[str, Any] = field(default_factory=dict)


@dataclass
class Booked:
    """A document: in the books from ``due`` on.

    :param due: seconds since 1970 on the books' clock.
    :param actor: who sent it.
    """

    id: str
    number: str
    due: float
    gross: Decimal
    text: bytes
    day: str
    actor: str


@dataclass
class Reply:
    """What becomes of a request.

    :param answer: ``normal``, ``lost`` (the connection is reset), ``error`` (500), ``busy`` (429), ``page`` (HTML),
        ``refused`` (400), ``truncated`` (fewer bytes than announced) or ``cut`` (well framed, but it ends early).
    :param commit_at: when a sent document comes into the books; None if it never does.
    """

    answer: str = "normal"
    commit_at: float | None = None


@dataclass
class Books:
    """The books of one tenant.

    :param decide: called for each request, in the thread of its connection.
    :param now: the clock of the books, seconds since 1970.
    """

    decide: Callable[[Call], Reply]
    now: Callable[[], float]
    documents: list[Booked] = field(default_factory=list)
    posts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def visible(self, number: str | None = None) -> list[Booked]:
        """What the books hold now, of one number or altogether."""
        now = self.now()
        with self._lock:
            return [
                one for one in self.documents if one.due <= now and (number is None or one.number == number)
            ]  # fmt: skip

    def handle(self, call: Call) -> bytes | None:
        """The bytes of the answer; None resets the connection."""
        reply = self.decide(call)
        if call.kind == "post":
            with self._lock:
                self.posts[call.number.casefold()] += 1
                if reply.commit_at is not None:
                    self.documents.append(self._booked(call, reply.commit_at))
        return _FAULTS[reply.answer]() if reply.answer in _FAULTS else _damaged(reply.answer, self._answer(call))

    def _booked(self, call: Call, due: float) -> Booked:
        sent = call.sent
        net, tax = _sum(sent, "incomeentries", "incomeentry"), _sum(sent, "taxentries", "taxentry")
        number = str(10_001 + len(self.documents))
        booked = {
            **{name: value for name, value in sent.items() if name != "customernumber"},
            "id": number,
            "netamount": str(net),
            "amount": str(net + tax),
            "currency": sent.get("currency") or "CHF",
            "customer": {"customernumber": sent.get("customernumber", "")},
        }
        day = str(sent.get("transdate", ""))[:10]
        return Booked(number, call.number, due, net + tax, json.dumps(booked).encode(), day, call.actor)

    def _answer(self, call: Call) -> tuple[int, bytes]:
        if call.kind == "post":
            return 204, b""
        if call.kind == "get":
            found = self.visible(call.number)
            if not found:
                return 404, b'{"error": "nicht gefunden"}'
            return 200, found[0].text
        first, last = (call.query.get(name, [""])[0][:10] for name in ("from", "to"))
        texts = [one.text for one in self.visible() if first <= one.day <= last]
        return 200, b'{"invoice":[' + b",".join(texts) + b"]}"


def _sum(sent: dict[str, Any], wrapper: str, item: str) -> Decimal:
    lines = (sent.get(wrapper) or {}).get(item) or []
    lines = lines if isinstance(lines, list) else [lines]
    return sum((Decimal(str(line["amount"])) for line in lines), Decimal(0))


_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 429: "Slow Down", 500: "Error"}


def _encode(status: int, body: bytes, media: str = "application/json", announced: int | None = None) -> bytes:
    length = "" if status == 204 else f"Content-Length: {len(body) if announced is None else announced}\r\n"
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {media}\r\n{length}\r\n"
    return head.encode() + body


_FAULTS: dict[str, Callable[[], bytes | None]] = {
    "lost": lambda: None,
    "error": lambda: _encode(500, b'{"error": "Interner Fehler"}'),
    "busy": lambda: _encode(429, b""),
    "page": lambda: _encode(200, PAGE, "text/html"),
    "page_404": lambda: _encode(404, PAGE, "text/html"),
    "refused": lambda: _encode(400, b'{"error": "Die Rechnung ist nicht korrekt."}'),
}


def _damaged(how: str, answer: tuple[int, bytes]) -> bytes:
    status, body = answer
    if how == "truncated" and body:
        # The connection is closed after it, see _serve.
        return _encode(status, body[: len(body) // 2], announced=len(body))
    if how == "cut" and body:
        return _encode(status, body[: len(body) // 2])
    return _encode(status, body)


class BooksServer:
    """Serves the books of any number of tenants; a context manager.

    :ivar tenants: books by tenant.
    """

    def __init__(self) -> None:
        self.tenants: dict[str, Books] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(client):
            pending = b""
            while True:
                received = _receive(client, pending)
                if received is None:
                    break
                call, tenant, pending = received
                answer = self.tenants[tenant].handle(call)
                if answer is None:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
                client.sendall(answer)
                if not _is_whole(answer):
                    break
        self._open.discard(client)


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = head.lower().rpartition(b"content-length: ")
    return not length[1] or int(length[2].split(b"\r\n")[0]) == len(body)


def _receive(client: socket.socket, data: bytes) -> tuple[Call, str, bytes] | None:
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        body += client.recv(65536)
    method, target, _ = first.split(" ")
    address = urlsplit(target)
    # /api/latest/clients/TENANT/invoices[/NUMBER]
    parts = [unquote(part) for part in address.path.split("/")[4:]]
    actor = headers.get("authorization", "").removeprefix("Bearer ")
    if method in ("POST", "PUT"):
        sent = json.loads(body[:length])
        call = Call(actor, "post", sent.get("invnumber", ""), {}, sent)
    elif len(parts) > 2:
        call = Call(actor, "get", parts[2], {})
    else:
        call = Call(actor, "list", "", parse_qs(address.query))
    return call, parts[0], body[length:]
