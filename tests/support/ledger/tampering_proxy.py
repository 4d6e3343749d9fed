"""A proxy in front of the simulator that does to answers what a test tells it."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import requests


@dataclass
class Reply:
    """What the client gets.

    :param headers: in addition, or in the place of those made here.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Change = Callable[[Reply], Reply | None]


class TamperingProxy:
    """Passes everything on; answers whose path and query match a pattern are changed first. A context manager.

    :param upstream: address of the simulator.
    :ivar targets: path and query of every request, in order.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.targets: list[str] = []
        self._rules: list[tuple[re.Pattern[str], Change]] = []
        self._session = requests.Session()
        self._session.trust_env = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def change(self, pattern: str, change: Change) -> None:
        """Change the answers to requests whose path and query hold the pattern; None leaves one as it is."""
        self._rules.append((re.compile(pattern), change))

    def leave(self) -> None:
        """Change nothing any more."""
        self._rules.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
        self._session.close()

    def fetch(self, target: str, headers: dict[str, str]) -> Reply:
        """The answer of the simulator itself."""
        passed = {name: headers[name] for name in ("Authorization", "Accept") if name in headers}
        passed["Accept-Encoding"] = "identity"
        answer = self._session.get(self.upstream + target, headers=passed, timeout=30)
        return Reply(answer.content, answer.status_code, {"Content-Type": answer.headers.get("Content-Type", "")})

    def _answer(self, target: str, headers: dict[str, str]) -> Reply:
        self.targets.append(target)
        reply = self.fetch(target, headers)
        for pattern, change in self._rules:
            if pattern.search(target):
                reply = change(reply) or reply
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: else the client's kernel waits 40 ms with its receipt.
            wbufsize = -1

            def do_GET(self) -> None:
                reply = proxy._answer(self.path, dict(self.headers))
                self.send_response(reply.status)
                for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


POSTING = re.compile(rb"<transaction>.*?</transaction>", re.S)


def replaced(old: bytes, new: bytes, count: int = -1) -> Change:
    """Other bytes for some bytes, which must be there."""

    def change(reply: Reply) -> Reply:
        assert old in reply.body, f"{old!r} is not in the answer"
        return Reply(reply.body.replace(old, new, count), reply.status, reply.headers)

    return change


def other_postings(select: Callable[[list[bytes]], list[bytes]]) -> Change:
    """Other postings, with their number announced rightly."""

    def change(reply: Reply) -> Reply:
        found = select(POSTING.findall(reply.body))
        body = b'<?xml version="1.0"?><transactions number_of_transaction="%d">%s</transactions>'
        return Reply(body % (len(found), b"".join(found)), headers=reply.headers)

    return change


def body(content: bytes, **headers: str) -> Change:
    """Another body altogether."""
    return lambda reply: Reply(content, headers=reply.headers | headers)


def half_gzip(reply: Reply) -> Reply:
    """A gzip stream that breaks off."""
    packed = gzip.compress(reply.body)
    return Reply(packed[: len(packed) // 2], headers=reply.headers | {"Content-Encoding": "gzip"})


def amounts(turn: Callable[[str, str], str]) -> Change:
    """Other amounts in the balances: ``turn(accno, amount)``."""

    def change(reply: Reply) -> Reply:
        text = re.sub(
            r"(<accountnumber>(.*?)</accountnumber>.*?<amount>)(.*?)(</amount>)",
            lambda row: row[1] + turn(row[2], row[3]) + row[4],
            reply.body.decode(),
            flags=re.S,
        )
        return Reply(text.encode(), headers=reply.headers)

    return change
