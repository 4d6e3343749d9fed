"""Responses that no service sends, made to cost time and memory: they are refused at the price of their bytes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_rma.client import stream
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.stream import Stopwatch
from airflow_provider_rma.exceptions import RequestError, UnexpectedResponseError
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.decode.reader import PostingReader
from airflow_provider_rma.ledger.windows import MonthLoad
from tests.support.ledger.responses import WINDOW, json_posting, read_response, xml_document, xml_posting
from tests.support.scripted_server import ScriptedServer, respond

#: Bytes of a body, some ten million.
SIZE = 10_000_000


def repeated(begin: bytes, piece: bytes, end: bytes = b"", between: bytes = b"") -> bytes:
    """A body of about :data:`SIZE` bytes."""
    return begin + (piece + between) * (SIZE // len(piece + between)) + piece + end


def numbered(begin: bytes, piece: bytes, end: bytes, between: bytes = b"") -> bytes:
    return begin + between.join(piece % number for number in range(SIZE // (len(piece) + 4))) + end


XML, LIST = b"<transactions>", b'{"transaction":['
BODIES: dict[str, Callable[[], bytes]] = {
    "objects": lambda: repeated(LIST, b"{}", b"]}", b","),
    "lists": lambda: repeated(LIST, b"[]", b"]}", b","),
    "objects cut off": lambda: repeated(LIST, b"{}", b"", b","),
    "objects as an error": lambda: repeated(b'{"error":[', b"{}", b"]}", b","),
    "objects in a member": lambda: repeated(b'{"transaction":[{"chart":[', b"{}", b"]}]}", b","),
    "nested lists": lambda: LIST + b"[" * SIZE,
    "nested objects": lambda: repeated(LIST, b'{"a":'),
    "nulls": lambda: repeated(LIST, b"null", b"]}", b","),
    "members": lambda: numbered(b"{", b'"@a%d":""', b"}", b","),
    "members of a posting": lambda: numbered(b'{"transaction":[{', b'"a%d":""', b"}]}", b","),
    "blanks": lambda: LIST + b" " * SIZE + b"]}",
    "one text": lambda: b'{"transaction":[{"memo":"' + b"x" * SIZE + b'"}]}',
    "rows among blanks": lambda: repeated(LIST, b"{ }" + b" \n" * 20, b"]}", b","),
    "empty elements": lambda: repeated(XML, b"<transaction/>", b"</transactions>"),
    "elements of blanks": lambda: repeated(XML, b"<transaction>" + b" \n" * 20 + b"</transaction>", b"</transactions>"),
    "nested elements": lambda: repeated(XML, b"<a>"),
    "one attribute": lambda: b'<transactions a="' + b"x" * SIZE + b'"/>',
    "attributes of the root": lambda: numbered(b"<transactions", b' a%d=""', b"/>"),
    "attributes of a posting": lambda: numbered(XML + b"<transaction", b' a%d=""', b"/></transactions>"),
    "one text in an element": lambda: XML + b"<transaction><memo>" + b"x" * SIZE,
    "elements in a posting": lambda: numbered(XML + b"<transaction>", b"<a%d/>", b"</transaction></transactions>"),
    "blanks in the root": lambda: XML + b" " * SIZE + b"</transactions>",
    "comments": lambda: repeated(XML, b"<!-- -->", b"</transactions>"),
    "references": lambda: repeated(XML, b"&amp;", b"</transactions>"),
}


def refuse(name: str) -> str:
    """Read a body both as a month's postings and as a whole list. Returns what is said of it, empty if it is taken."""
    body = BODIES[name]()
    media_type = "application/json" if body.startswith(b"{") else "application/xml"
    outcome = read_response(body, media_type)
    root, item = ("table", "row")
    whole = body.replace(b"transactions", root.encode(), 1).replace(b"transaction", item.encode())
    try:
        read_balances(whole, media_type)
    except RequestError:
        return outcome.error[1] if outcome.error else ""
    return outcome.error[1] if outcome.error else "" if outcome.rows == [] else "taken"


def read_balances(body: bytes, media_type: str) -> list[Any]:
    from airflow_provider_rma.client.endpoints import LIST_BALANCES

    mapped = LIST_BALANCES.decode_list(body, "json" if "json" in media_type else "xml")
    return [LIST_BALANCES.schema.from_wire(record) for record in mapped]


#: Those that say nothing and are lists of nothing.
HARMLESS = {"blanks", "comments"}

_CHILD = """
import resource, sys
from tests.ledger.postings.decode.test_hostile_responses import BODIES, refuse

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

before = peak()
for name in sys.argv[1].split("; "):
    said = refuse(name)
    print(name, peak() - before, said, sep="\\t", flush=True)
"""


def test_memory_is_bounded_and_every_body_is_refused_or_nothing() -> None:
    """Some tens of megabytes are copies of the body itself: it is made, replaced, read and decoded."""
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, "; ".join(BODIES)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    lines = [line.split("\t") for line in child.stdout.splitlines()]
    assert [line[0] for line in lines] == [*BODIES]
    peaks = {name: int(peak) for name, peak, _ in lines}
    assert max(peaks.values()) < 260, peaks
    assert {name for name, _, said in lines if not said} == HARMLESS
    assert "taken" not in {said for _, _, said in lines}


def test_a_list_that_expands_a_thousandfold_is_no_list() -> None:
    bomb = gzip.compress(bytes(100_000_000), 9)
    assert len(bomb) < 200_000
    with (
        ScriptedServer([respond(200, bomb, Content_Encoding="gzip")]) as server,
        RunMyAccountsClient(server.config(read_timeout=60.0, total_deadline=60.0)) as client,
    ):
        with pytest.raises(UnexpectedResponseError, match="compressed more than 400 times"):
            client.open_transactions()
        assert len(server.seen) == 1


# ---------------------------------------------------------------------- the time of decoding


class Clock:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stream, "time", clock)
    return clock


BOTH: dict[str, tuple[bytes, str]] = {
    "xml": (xml_document(*[xml_posting()] * 30_000), "application/xml"),
    "json": (json.dumps({"transaction": [json_posting()] * 30_000}).encode(), "application/json"),
}


def read(form: str, seconds: float, *, strict: bool = False) -> Iterator[Any]:
    body, media_type = BOTH[form]
    server = ScriptedServer([respond(200, body, media_type)])
    with server, RunMyAccountsClient(server.config(read_timeout=600.0)) as client, client.open_transactions() as source:
        source.stopwatch = Stopwatch(seconds)
        yield from PostingReader(source, PostingBatches(MonthLoad("demo", WINDOW, "load-1"), {}), strict=strict)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("form", ["xml", "json"])
def test_the_deadline_holds_while_decoding(clock: Clock, form: str, strict: bool) -> None:
    with pytest.raises(UnexpectedResponseError, match="could not be decoded within 4 s.*shorter period"):
        [*read(form, 4, strict=strict)]


def test_the_time_that_the_warehouse_takes_does_not_count(clock: Clock) -> None:
    rows = 0
    for batch in read("xml", 40):
        clock.now += 1_000
        rows += batch.num_rows
    assert rows == 30_000


def test_the_deadline_is_the_one_of_a_read() -> None:
    with ScriptedServer([respond(200, xml_document(), "application/xml")]) as server:
        config = server.config(read_timeout=3.0, total_deadline=5.0)
        with RunMyAccountsClient(config) as client, client.open_transactions() as source:
            source.stopwatch.check()
            assert config.read_deadline == 12
            assert source.seconds == 12
