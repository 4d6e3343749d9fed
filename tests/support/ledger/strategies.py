"""Postings of every kind: ordinary, odd but legal, and wrong."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.support.ledger.responses import MEMBERS, json_posting

_ODD = "\t\n\r \x7f\x85\xa0  ﻿äß€𝄞😀�&<>\"'][=:;{},\\/"
_FORBIDDEN = "\x00\x01\x08\x0b\x1f￾￿"

TEXTS = st.one_of(
    st.text(alphabet="abc XYZ012-.äöü", max_size=12),
    st.text(alphabet=_ODD, max_size=8),
    st.text(max_size=8),
    st.sampled_from(["]]>", "]]]", "a]]b", "a > b", "<b>", "&amp;", "x" * 5000, "null", '":', "},{", "\\u003a"]),
)
AMOUNTS = st.one_of(
    st.decimals(-(10**12), 10**12, places=2).map(str),
    st.floats(-1e9, 1e9).map(repr),
    st.sampled_from(
        ["1.0E7", "-106.92", "41557.6500", "33.019999999999996", "-0.0", "0", "+5", ".5", "5.", " 7.25\n", "1e-9",
         "1.23456785", "1.234567895", "9999999999999999.99999999", "99999999999999999999", "1E24", "1E25", "1e999",
         "12a", "1,5", "--1", "NaN", "Infinity", "0x1F", "١٢", "", " ", "1_000", "-"]
    ),
)  # fmt: skip
DAYS = st.one_of(
    st.integers(1, 31).map(lambda day: f"2026-03-{day:02}T00:00:00+01:00"),
    st.sampled_from(
        ["2026-03-01", "2026-03-31T23:59:59-11:00", "2026-03-15Z", " 2026-03-02 ", "2026-03-02+14:00", "2026-02-28",
         "2026-04-01T00:00:00+02:00", "2026-02-30", "2026-03-011", "2026-3-1", "20260301", "", " ", "x", "２026-03-01"]
    ),
)  # fmt: skip
WHOLES = st.one_of(
    st.integers(-5, 10**9).map(str),
    st.sampled_from(
        [
            "007",
            "-0",
            "+5",
            "5.0",
            "5.",
            " 5 ",
            "999999999999999999",
            "1000000000000000000",
            "5.5",
            "x",
            "",
            " ",
            "0x1F",
        ]
    ),
)
BOOLEANS = st.sampled_from(["true", "false", "TRUE", "1", "0", " true ", "", "yes", "wahr"])
ACCOUNTS = st.sampled_from(["1000", "1000", "1020", "3200", "10 00", "", " ", "1000 "])


def _values() -> dict[str, st.SearchStrategy[str]]:
    kinds = {"id": WHOLES, "entry_id": WHOLES, "amount": AMOUNTS, "transdate": DAYS, "accno": ACCOUNTS}
    return {name: kinds.get(name, TEXTS) for name in MEMBERS if name not in ("chart", "department")}


CHART = {"id": WHOLES, "accno": ACCOUNTS, "description": TEXTS, "link": TEXTS, "allow_gl": BOOLEANS,
         "is_active": BOOLEANS}  # fmt: skip
DEPARTMENT = {"id": WHOLES, "name": TEXTS, "role": TEXTS}


def escaped(draw: st.DrawFn, text: str, *, quoted: bool = False) -> str:
    """Text as it may stand in a document, in one of the ways to write it."""
    way = draw(st.sampled_from(["usual", "usual", "usual", "raw >", "numbers", "hexadecimal", "cdata"]))
    if way == "cdata" and not quoted:
        return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"
    if way in ("numbers", "hexadecimal"):
        form = "&#{};" if way == "numbers" else "&#x{:x};"
        return "".join(letter if letter.isalnum() else form.format(ord(letter)) for letter in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    if way == "usual" or "]]>" in text:
        text = text.replace(">", "&gt;")
    return text.replace('"', "&quot;") if quoted else text


def _attributes(draw: st.DrawFn, kinds: dict[str, st.SearchStrategy[str]]) -> str:
    names = draw(st.lists(st.sampled_from([*kinds]), unique=True))
    if draw(st.integers(0, 20)) == 0:
        names = [*names, draw(st.sampled_from(["colour", "xml:lang", *names]))]
    gap = draw(st.sampled_from([" ", " ", " ", "  ", "\n"]))
    return "".join(f'{gap}{name}="{escaped(draw, draw(kinds.get(name, TEXTS)), quoted=True)}"' for name in names)


def _inner(draw: st.DrawFn, name: str) -> str:
    attributes = _attributes(draw, CHART if name == "chart" else DEPARTMENT)
    inside = draw(
        st.sampled_from(["", "", "<taxes/>", "<taxes/>", " <taxes></taxes>\n", " ", "text", "<taxes>7</taxes>",
                         "<taxes/><taxes/>", "<accno>1000</accno>", "<!-- x -->"])
    )  # fmt: skip
    return f"<{name}{attributes}>{inside}</{name}>" if inside or draw(st.booleans()) else f"<{name}{attributes}/>"


def _value(draw: st.DrawFn, name: str, kind: st.SearchStrategy[str]) -> str:
    text = escaped(draw, draw(kind))
    odd = draw(st.integers(0, 30))
    forms = {
        0: f'<{name} lang="de">{text}</{name}>',
        1: f"<{name} >{text}</{name}\n>",
        2: f"<{name}>{text}<!-- c --></{name}>",
        3: f"<{name}>{text}<b>c</b></{name}>",
        4: f"<{name}>{text}</{name}><{name}/>",
        5: f"<{name}><?p q?>{text}</{name}>",
        6: f"<{name.upper()}>{text}</{name.upper()}>",
        7: f"<colour>{text}</colour>",
        8: "",
    }
    return forms.get(odd, f"<{name}>{text}</{name}>" if text or odd % 2 else f"<{name}/>")


@st.composite
def xml_postings(draw: st.DrawFn) -> str:
    """A posting in XML: an ordinary one with a few members made anew."""
    members = dict(MEMBERS)
    values = _values()
    for name in draw(st.lists(st.sampled_from([*MEMBERS]), max_size=3, unique=True)):
        members[name] = _value(draw, name, values[name]) if name in values else _inner(draw, name)
    order = [*members]
    if draw(st.integers(0, 15)) == 0:
        order = draw(st.permutations(order))
    between = draw(st.sampled_from(["", "", "", "\n    ", "\r\n", " <!-- c -->", "text", "<?p?>"]))
    return "<transaction>" + between.join(["", *(members[name] for name in order), ""]) + "</transaction>"


@st.composite
def json_postings(draw: st.DrawFn) -> Any:
    """A posting in the mapped form: an ordinary one with a few members made anew."""
    made = json_posting()
    odd: st.SearchStrategy[Any] = st.sampled_from(
        [None, True, 5, 1.5, {}, [], ["a"], {"$": "7"}, {"x": "y"}, [{"id": "1"}], "�"]
    )
    for name in draw(st.lists(st.sampled_from([*made]), max_size=3, unique=True)):
        kind = _values().get(name)
        if kind is not None:
            made[name] = draw(kind if draw(st.integers(0, 8)) else odd)
        elif draw(st.integers(0, 8)):
            parts = CHART if name == "chart" else DEPARTMENT
            chosen = draw(st.lists(st.sampled_from([*parts]), unique=True))
            mark = draw(st.sampled_from(["@", "@", "@", ""]))
            made[name] = {f"{mark}{part}": draw(parts[part]) for part in chosen}
        else:
            made[name] = draw(odd)
    if draw(st.integers(0, 15)) == 0:
        made[draw(st.sampled_from(["colour", "@flag"]))] = draw(TEXTS)
    for name in draw(st.lists(st.sampled_from([*made]), max_size=2)) if draw(st.integers(0, 5)) == 0 else []:
        made.pop(name, None)
    return made


@st.composite
def json_documents(draw: st.DrawFn) -> bytes:
    """A document in JSON, written in one of many styles."""
    postings = draw(st.lists(json_postings(), max_size=4))
    listed: Any = postings[0] if len(postings) == 1 and draw(st.booleans()) else postings
    announced = draw(st.sampled_from([len(postings)] * 6 + [len(postings) + 1]))
    counted = {draw(st.sampled_from(["@number_of_transaction", "number_of_transaction"])): str(announced)}
    form = draw(st.integers(0, 3))
    whole = [{**counted, "transaction": listed}, {"transaction": listed, **counted}, {"transaction": listed},
             {"transaction": listed, "colour": "x"}][form]  # fmt: skip
    text = json.dumps(
        whole,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, None, 2])),
        separators=draw(st.sampled_from([None, (",", ":")])),
    )
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """A document with a few bytes changed."""
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(body)))
        new = draw(
            st.sampled_from(
                [b"", b"<", b">", b"&", b'"', b"]", b"}", b",", b":", b"{", b"\x00", b"\x01", b"\r", b"\xff", b"\xc3",
                 b"\xed\xa0\x80", b"\xef\xbf\xbe", b"&#1;", b"&#xFFFE;", b"&#55296;", b"</transaction>", b"<!--",
                 b"]]>", b"<a/>", b"\\u003a", b'"id":"1",', b"\xe2\x80\xa8", b"&#160;", b"&nbsp;", b"x"]
            )
        )  # fmt: skip
        body = body[:place] + new + body[place + draw(st.integers(0, 3)) :]
    return body
