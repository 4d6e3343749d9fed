"""Whatever bytes come: a response or one of our errors, soon, in little memory, and nothing that is not well-formed.

``make fuzz`` runs the same with many more examples.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_rma.client.codecs.bodies import decode, encode, error_text, is_readable, iter_decode, list_items
from airflow_provider_rma.exceptions import RequestError
from tests.support.ledger.strategies import TEXTS, damaged
from tests.support.wellformed import is_well_formed

Kind = Literal["json", "xml"]
KINDS = pytest.mark.parametrize("kind", ["json", "xml"])
ROWS = [{"a": "1 ü & <b>", "@id": "7", "part": [{"c": "x"}, {"c": "y"}]}, {"a": "", "part": {"c": "null"}}]
TABLES: dict[Kind, bytes] = {kind: encode({"@count": "2", "row": ROWS}, kind, "table") for kind in ("json", "xml")}
#: Tags, brackets and what stands between them, in any order.
PIECES = st.one_of(
    st.sampled_from(
        [b"<table>", b"</table>", b"<row>", b"</row>", b"<row/>", b"<a b='1'>", b"</a>", b"<!--", b"-->", b"<![CDATA[",
         b"]]>", b"<?x y?>", b"<?xml version='1.0'?>", b"&amp;", b"&#65;", b"&#0;", b"&x;", b"<error>", b"</error>",
         b"<!DOCTYPE table>", b"xmlns:q='u'", b"<q:a/>", b"{", b"}", b"[", b"]", b",", b":", b'"row"', b'"a"', b'"$"',
         b'"@id"', b"null", b"1e5", b"-", b"0", b"NaN", b"true", b'"\\ud800"', b'"\\u00e4"', b"\xef\xbb\xbf", b"\xff"]
    ),
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
)  # fmt: skip
ANYTHING = st.one_of(
    st.binary(max_size=80),
    st.lists(PIECES, max_size=12).map(b"".join),
    damaged(TABLES["json"]),
    damaged(TABLES["xml"]),
)


def outcome(read: Callable[[], Any]) -> Any:
    """What comes of reading: a value, or None for one of our errors; any other error is a failure."""
    try:
        return read()
    except RequestError:
        return None


@KINDS
@settings(deadline=None)
@given(body=ANYTHING)
def test_whatever_comes_is_a_response_or_an_error_of_ours(kind: Kind, body: bytes) -> None:
    found = outcome(lambda: decode(body, kind, "table"))
    assert found is None or is_well_formed(body, kind)
    error_text(body)
    is_readable(body)


@KINDS
@settings(deadline=None)
@given(body=ANYTHING, sizes=st.lists(st.integers(1, 30), max_size=8))
def test_streamed_in_any_pieces_it_is_the_same_response(kind: Kind, body: bytes, sizes: list[int]) -> None:
    chunks, rest = [], body
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    whole = outcome(lambda: list_items(decode(body, kind, "table"), "row"))
    streamed = outcome(lambda: list(iter_decode([*chunks, rest], kind, "table", "row")))
    assert streamed == whole


@KINDS
@settings(deadline=None)
@given(body=ANYTHING, tail=st.binary(min_size=1, max_size=4))
def test_nothing_may_follow_a_whole_response(kind: Kind, body: bytes, tail: bytes) -> None:
    if outcome(lambda: decode(body, kind, "table")) is not None:
        assert outcome(lambda: decode(body + tail, kind, "table")) is None or is_well_formed(body + tail, kind)


MANY = 200_000
#: Bodies of about a megabyte that have cost parsers minutes or gigabytes.
HOSTILE: dict[str, tuple[Kind, bytes]] = {
    "depth": ("xml", b"<table>" + b"<a>" * MANY),
    "attributes": ("xml", b"<table " + b" ".join(b"a%d='1'" % n for n in range(MANY // 2)) + b"/>"),
    "namespaces": ("xml", b"<table " + b" ".join(b"xmlns:a%d='u'" % n for n in range(MANY // 4)) + b"/>"),
    "a long name": ("xml", b"<table><" + b"a" * 5 * MANY + b"/></table>"),
    "a long text": ("xml", b"<table><row>" + b"x" * 5 * MANY + b"</row></table>"),
    "references": ("xml", b"<table><row>" + b"&#65;" * MANY + b"</row></table>"),
    "a reference without end": ("xml", b"<table><row>&#" + b"6" * 5 * MANY),
    "comments": ("xml", b"<table>" + b"<!---->" * MANY + b"</table>"),
    "a comment without end": ("xml", b"<table><!-- " + b"- " * 2 * MANY),
    "instructions": ("xml", b"<table>" + b"<?a?>" * MANY + b"</table>"),
    "character data": ("xml", b"<table><row>" + b"<![CDATA[]]>" * (MANY // 2) + b"</row></table>"),
    "empty elements": ("xml", b"<table><row>" + b"<a/>" * MANY + b"</row></table>"),
    "brackets": ("json", b'{"row":' + b"[" * 5 * MANY),
    "braces": ("json", b'{"row":' * (MANY // 2)),
    "a long number": ("json", b'{"row":' + b"1" * 5 * MANY + b"}"),
    "a large exponent": ("json", b'{"row":1e' + b"9" * 5 * MANY + b"}"),
    "members": ("json", b"{" + b",".join(b'"a%d":1' % n for n in range(MANY // 2)) + b"}"),
    "escapes": ("json", b'{"row":"' + b"\\u0041" * MANY + b'"}'),
    "a text without end": ("json", b'{"row":"' + b"\\\\" * 2 * MANY),
    "blanks": ("json", b" " * 5 * MANY),
    "commas": ("json", b'{"row":[' + b"," * 5 * MANY),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_costs_little_time_and_memory(name: str) -> None:
    kind, body = HOSTILE[name]
    before, begun = _memory(since_now=True), time.process_time()
    for read in (
        lambda: decode(body, kind, "table"),
        lambda: list(iter_decode([body[place : place + 65_536] for place in range(0, len(body), 65_536)],
                                 kind, "table", "row")),
        lambda: error_text(body),
    ):  # fmt: skip
        found = outcome(read)
        assert found is None or is_well_formed(body, kind)
    assert time.process_time() - begun < 5
    assert _memory() - before < 150_000


def _memory(*, since_now: bool = False) -> int:
    """The largest memory of this process so far, in kB; 0 where the system does not tell (it is Linux that does).

    :param since_now: forget what was before.
    """
    try:
        if since_now:
            Path("/proc/self/clear_refs").write_text("5")
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
