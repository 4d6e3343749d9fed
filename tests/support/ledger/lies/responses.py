"""Lies about whole responses: emptied, cut off, of another form, of another service."""

from __future__ import annotations

import gzip
from dataclasses import replace
from itertools import combinations

from tests.support.ledger.liar import FEBRUARY, HARMLESS, TAKEN, Lie, Where, lie
from tests.support.ledger.lies.changes import body, cut, emptied, encoded, labelled, root
from tests.support.ledger.lies.requests import (
    any_balance,
    balances,
    charts,
    closing,
    either,
    everything,
    movements,
    postings,
)

MONTH = "2026-02"
LIST, BALANCE = postings(MONTH), closing(MONTH)
#: A request of each kind.
KINDS: dict[str, Where] = {"the list of a month": LIST, "the closing balances": BALANCE, "the chart": charts}
#: What can be emptied, in all months.
PARTS: dict[str, Where] = {
    "charts": charts, "balances": balances(), "movements": movements(), "lists": postings(),
}  # fmt: skip


def _emptied() -> list[Lie]:
    """Every combination of lists that are empty, with a count of 0."""
    return [
        lie(f"empty: {', '.join(names)}", either(*(PARTS[name] for name in names)), emptied)
        for number in range(1, len(PARTS) + 1)
        for names in combinations(PARTS, number)
    ]


def _cut_off() -> list[Lie]:
    """A response of each kind, cut off at several places."""
    shares = {"empty": 0.0, "after a little": 0.02, "in the middle": 0.5, "late": 0.98, "before its last byte": 1.0}
    return [
        lie(f"{kind} is cut off: {name}", where, cut(share), period=FEBRUARY)
        for kind, where in KINDS.items()
        for name, share in shares.items()
    ]


def _no_answer() -> list[Lie]:
    """Something else in place of a response of each kind."""
    html = b"<!DOCTYPE html><html><head><title>Wartung</title></head><body><p>Bitte warten</p></body></html>"
    bodies = {
        "HTML": body(html, status=200, **{"Content-Type": "text/html"}),
        "HTML under the media type of a response": body(html),
        "an error under 200": body(b"<error>Das geht nicht</error>", b'{"error":"Das geht nicht"}'),
        "no body": body(b""),
        "blanks": body(b"  \n "),
        "another root element": root("dinge", "ding"),
        "items of another name": root("transactions", "buchung"),
        "null": body(b"<null/>", b"null"),
        "a text": body(b"OK", b'"OK"'),
        "a list of texts": body(b"<transactions>viel</transactions>", b'["viel","mehr"]'),
    }
    return [
        lie(f"{name} for {kind}", where, change) for kind, where in KINDS.items() for name, change in bodies.items()
    ]


DEEP = b"<a>" * 20_000 + b"</a>" * 20_000
DEEP_JSON = b'{"transaction":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b'<transactions number_of_transaction="0">&b;</transactions>'
)
NOTHING = b'<transactions number_of_transaction="9000">' + b"<transaction/>" * 9_000 + b"</transactions>"
NOTHING_JSON = b'{"@number_of_transaction":"9000","transaction":[' + b",".join([b"{}"] * 9_000) + b"]}"


def _twice(content: bytes) -> bytes:
    return content + content


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _utf16(content: bytes) -> bytes:
    return content.decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")


def _declared_latin1(content: bytes) -> bytes:
    return content.decode().replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode("latin-1", "replace")


FORMS = [
    lie("Latin-1 bytes in lists", postings(), encoded(lambda content: content.decode().encode("latin-1"))),
    lie("Latin-1 bytes in balances", any_balance, encoded(lambda content: content.decode().encode("latin-1"))),
    lie("Latin-1 bytes in the chart", charts, encoded(lambda content: content.decode().encode("latin-1"))),
    lie("lists in declared Latin-1", postings(), encoded(_declared_latin1), HARMLESS),
    lie("lists in UTF-16", LIST, encoded(_utf16), HARMLESS),
    lie("a byte order mark", everything, encoded(lambda content: b"\xef\xbb\xbf" + content), HARMLESS),
    lie("a NUL byte", LIST, encoded(lambda content: content.replace(b"GL-", b"GL\0", 1))),
    lie("half a character", LIST, encoded(lambda content: content.replace(b"GL-", b"GL\xc3", 1))),
    lie("two responses in one", LIST, encoded(_twice)),
    lie("something behind the response", LIST, encoded(lambda content: content + b"<!-- -->}]")),
    lie("blanks behind the response", LIST, encoded(lambda content: content + b" \n\t "), TAKEN),
    lie("half a gzip stream", LIST,
        encoded(lambda content: _half(gzip.compress(content)), **{"Content-Encoding": "gzip"})),
    lie("a whole gzip stream", LIST, encoded(gzip.compress, **{"Content-Encoding": "gzip"}), TAKEN),
    lie("gzip that is none", LIST, encoded(bytes, **{"Content-Encoding": "gzip"})),
    lie("the media type of a text", LIST, labelled("text/plain"), HARMLESS),
    lie("the media type of a picture", LIST, labelled("image/png"), HARMLESS),
    lie("no media type", LIST, labelled(""), HARMLESS),
    lie("the media type of the other form", LIST,
        lambda asked: labelled(f"application/{'xml' if asked.form == 'json' else 'json'}")(asked), HARMLESS),
    lie("a status 204", LIST, labelled("application/xml", lambda _: b"", 204)),
    lie("a status 206", LIST, labelled("application/xml", status=206), HARMLESS),
    lie("a status 500", LIST, labelled("application/xml", status=500)),
    lie("a status 404 for the list", LIST, body(b"<error>Nicht gefunden</error>", b'{"error":"x"}', status=404)),
    lie("a status 404 for the balances", BALANCE, body(b"<error>Nichts</error>", b'{"error":"x"}', status=404)),
    lie("a status 404 for the chart", charts, body(b"<error>Nichts</error>", b'{"error":"x"}', status=404)),
    lie("a redirect", LIST, body(b"", status=302, Location="/anderswo")),
    lie("deeply nested lists", LIST, body(DEEP, DEEP_JSON)),
    lie("deeply nested balances", BALANCE, body(DEEP, DEEP_JSON)),
    lie("entities", LIST, body(BOMB)),
    lie("a list of nothing, announced", LIST, body(NOTHING, NOTHING_JSON)),
    lie("balances for the list", LIST, body(b"<table/>", b'{"row":[]}')),
    lie("the list for the balances", BALANCE,
        body(b'<transactions number_of_transaction="0"/>', b'{"@number_of_transaction":"0"}')),
    lie("a list inside the list", LIST,
        encoded(lambda content: content.replace(b"<transaction>", b"<transactions><transaction>", 1)
                .replace(b"</transaction>", b"</transaction></transactions>", 1)
                .replace(b'"transaction":[', b'"transaction":[[', 1)
                .replace(b"]}", b"]]}", 1))),
]  # fmt: skip

LIES: list[Lie] = [*_emptied(), *_cut_off(), *_no_answer(), *(replace(entry, period=FEBRUARY) for entry in FORMS)]
