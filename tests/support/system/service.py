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
from http import HTTPStatus
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
    :param kind: ``post``, ``list``, ``day`` (the list of one day) or ``get``.
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

    :param answer: ``normal``, or one of

        - ``lost``: the connection is reset;
        - ``error`` (500), ``busy`` (429), ``accepted`` (202), ``partial`` (206, of a body the first half);
        - ``refused`` (400), ``refused_xml`` (400) and ``token`` (401): refusals in the service's own form;
        - ``page``: HTML with status 200; ``firewall``: HTML with ``status``; ``empty_refusal``: ``status``, no body;
        - ``truncated``: fewer bytes than announced; ``cut``: well framed, but it ends early;
        - ``hint`` and ``continue``: an interim answer (103, 100) before the normal one; ``hint_lost``: only that.
    :param status: of ``firewall`` and ``empty_refusal``.
    :param commit_at: when a sent document comes into the books; None if it never does.
    :param repeat_at: when it comes into the books again, because something on the way delivered it twice.
    :param hidden: ids of documents that a list lacks, though the books hold them.
    """

    answer: str = "normal"
    commit_at: float | None = None
    status: int = 0
    repeat_at: float | None = None
    hidden: frozenset[str] = frozenset()


@dataclass
class Books:
    """The books of one tenant.

    :param decide: called for each request, in the thread of its connection.
    :param now: the clock of the books, seconds since 1970.
    :ivar posts: how often each number was sent.
    :ivar sent: who has sent which number.
    """

    decide: Callable[[Call], Reply]
    now: Callable[[], float]
    documents: list[Booked] = field(default_factory=list)
    posts: Counter[str] = field(default_factory=Counter)
    sent: set[tuple[str, str]] = field(default_factory=set)
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
                self.sent.add((call.actor, call.number.casefold()))
                for due in (reply.commit_at, reply.repeat_at):
                    if due is not None:
                        self.documents.append(self._booked(call, due))
        if reply.answer in _FAULTS:
            return _FAULTS[reply.answer](reply.status)
        return _deliver(reply.answer, *self._answer(call, reply.hidden))

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

    def _answer(self, call: Call, hidden: frozenset[str]) -> tuple[int, bytes, str]:
        if call.kind == "post":
            return 204, b"", _JSON
        if call.kind == "get":
            found = self.visible(call.number)
            if not found:
                return 404, b'{"error": "nicht gefunden"}', _JSON
            return 200, found[0].text, _JSON
        first, last = (call.query.get(name, [""])[0][:10] for name in ("from", "to"))
        texts = [one.text for one in self.visible() if first <= one.day <= last and one.id not in hidden]
        if not texts:
            return 200, b"<invoices/>", "application/xml"
        return 200, b'{"invoice":[' + b",".join(texts) + b"]}", _JSON


def _sum(sent: dict[str, Any], wrapper: str, item: str) -> Decimal:
    lines = (sent.get(wrapper) or {}).get(item) or []
    lines = lines if isinstance(lines, list) else [lines]
    return sum((Decimal(str(line["amount"])) for line in lines), Decimal(0))


_JSON = "application/json"


def _encode(status: int, body: bytes, media: str = _JSON, announced: int | None = None) -> bytes:
    length = "" if status == 204 else f"Content-Length: {len(body) if announced is None else announced}\r\n"
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {media}\r\n{length}\r\n"
    return head.encode() + body


_HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_FAULTS: dict[str, Callable[[int], bytes | None]] = {
    "lost": lambda _: None,
    "hint_lost": lambda _: _HINT,
    "error": lambda _: _encode(500, b'{"error": "Interner Fehler"}'),
    "busy": lambda _: _encode(429, b""),
    "accepted": lambda _: _encode(202, b""),
    "token": lambda _: _encode(401, b'{"error": "Unbekannter Zugang"}'),
    "page": lambda _: _encode(200, PAGE, "text/html"),
    "firewall": lambda status: _encode(status, PAGE, "text/html"),
    "empty_refusal": lambda status: _encode(status, b""),
    "refused": lambda _: _encode(400, b'{"error": "Die Rechnung ist nicht korrekt."}'),
    "refused_xml": lambda _: _encode(400, b"<error>Die Rechnung ist nicht korrekt.</error>", "application/xml"),
}


def _deliver(how: str, status: int, body: bytes, media: str) -> bytes:
    half = body[: len(body) // 2]
    if how == "truncated" and body:
        # The connection is closed after it, see _serve.
        return _encode(status, half, media, announced=len(body))
    if how == "cut" and body:
        return _encode(status, half, media)
    if how == "partial":
        return _encode(206, half, media)
    interim = {"hint": _HINT, "continue": _CONTINUE}.get(how, b"")
    return interim + _encode(status, body, media)


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
    for interim in (_HINT, _CONTINUE):
        answer = answer.removeprefix(interim)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return False
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
        query = parse_qs(address.query)
        call = Call(actor, "day" if query.get("from") == query.get("to") else "list", "", query)
    return call, parts[0], body[length:]
