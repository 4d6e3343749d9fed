"""The simulator's own codec: what it reads and writes, against texts written by hand."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.http import wire
from airflow_provider_rma.simulator.http.parse import read_boolean, read_day, read_number, read_query_day
from airflow_provider_rma.simulator.http.responses import JSON, XML, ResponseError, choose_form, error_body
from airflow_provider_rma.simulator.http.serialise import (
    render_day,
    render_double,
    render_four_decimals,
    render_instant,
)
from airflow_provider_rma.simulator.http.wire import Listing
from airflow_provider_rma.simulator.settings import EMPTY_FORMS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.0"),
        ("-0.00", "0.0"),
        ("50", "50.0"),
        ("635.05", "635.05"),
        ("-106.92", "-106.92"),
        ("9999999.99", "9999999.99"),
        ("10000000", "1.0E7"),
        ("-12345678.9", "-1.23456789E7"),
        ("0.001", "0.001"),
        ("0.000125", "1.25E-4"),
        ("1000000000000", "1.0E12"),
    ],
)
def test_doubles_look_as_java_prints_them(value: str, text: str) -> None:
    assert render_double(Decimal(value)) == text


def test_balances_have_four_decimals_and_no_negative_zero() -> None:
    assert render_four_decimals(Decimal("41557.65")) == "41557.6500"
    assert render_four_decimals(Decimal("-0.00001")) == "0.0000"


def test_days_are_swiss_midnight_in_winter_and_in_summer() -> None:
    assert render_day("2012-08-06") == "2012-08-06T00:00:00+02:00"
    assert render_day(date(2017, 3, 2)) == "2017-03-02T00:00:00+01:00"
    assert render_day("2025-03-30") == "2025-03-30T00:00:00+01:00"
    assert render_day("2025-03-31") == "2025-03-31T00:00:00+02:00"
    assert render_instant("2012-08-06T06:52:08.171+00:00") == "2012-08-06T08:52:08.171+02:00"
    assert render_instant("2012-08-06T06:52:08+00:00") == "2012-08-06T08:52:08+02:00"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2012-08-06", "2012-08-06"),
        ("2012-08-06T00:00:00+02:00", "2012-08-06"),
        ("2011-10-24T10:39:18.333+02:00", "2011-10-24"),
        ("2022-05-01T00:00:00", "2022-05-01"),
        ("2022-04-30T22:00:00+00:00", "2022-05-01"),
        ("2022-05-01T00:00:00+00:00", "2022-05-01"),
    ],
)
def test_a_moment_is_the_swiss_day_it_falls_on(text: str, day: str) -> None:
    assert read_day(text, "transdate").isoformat() == day


@pytest.mark.parametrize("text", ["06.08.2012", "2012-13-01", "20120806", "2012-W32-1", "gestern", ""])
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="kein gültiges Datum"):
        read_day(text, "transdate")


def test_query_days_may_be_words_but_no_moments() -> None:
    today = date(2026, 1, 1)
    assert [read_query_day(word, "to", today).isoformat() for word in ("yesterday", "today", "tomorrow")] == [
        "2025-12-31",
        "2026-01-01",
        "2026-01-02",
    ]
    with pytest.raises(RefusalError, match="JJJJ-MM-TT"):
        read_query_day("2026-01-01T00:00:00", "to", today)


@pytest.mark.parametrize("text", ["1,5", "NaN", "Infinity", "1_000", "", "1e999", "1e16", "٣", "0x10", "--1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="keine gültige Zahl"):
        read_number(text, "amount")


def test_numbers_keep_their_text() -> None:
    assert read_number("1.0E7", "amount") == Decimal("10000000")
    assert str(read_number("-106.920", "amount")) == "-106.920"


def test_booleans() -> None:
    assert read_boolean("true", "x", default=False)
    assert read_boolean("1", "x", default=False)
    assert not read_boolean("false", "x", default=True)
    assert read_boolean("", "x", default=True)
    with pytest.raises(RefusalError):
        read_boolean("ja", "x", default=True)


def test_xml_becomes_dicts_lists_and_texts() -> None:
    body = b'<?xml version="1.0" encoding="UTF-8"?><a><b/><c x="1">t</c><d><e>1</e><e>2 &amp; 3</e></d><f y="2"/></a>'
    assert wire.read_xml(body, "a") == {
        "b": "",
        "c": {"@x": "1", "$": "t"},
        "d": {"e": ["1", "2 & 3"]},
        "f": {"@y": "2", "$": ""},
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<invoice>", "fehlerhaft"),
        (b"<invoice/><invoice/>", "fehlerhaft"),
        (b"", "fehlerhaft"),
        (b"<customer/>", "Unerwartetes Element"),
        (b'<!DOCTYPE invoice [<!ENTITY a "b">]><invoice>&a;</invoice>', "DOCTYPE"),
        (b"<invoice>" + b"<a>" * 40 + b"</a>" * 40 + b"</invoice>", "zu tief"),
        (b"<invoice>\xff</invoice>", "fehlerhaft"),
        (b'<?xml version="1.0" encoding="klingon"?><invoice/>', "fehlerhaft|Zeichenkodierung"),
    ],
)
def test_bad_xml_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(wire.MalformedError, match=message):
        wire.read_xml(body, "invoice")


def test_json_scalars_become_the_text_they_were_written_as() -> None:
    assert wire.read_json(b'{"a": 1.10, "b": true, "c": null, "d": [1e3, "x"]}') == {
        "a": "1.10",
        "b": "true",
        "c": None,
        "d": ["1e3", "x"],
    }


@pytest.mark.parametrize("body", [b"{", b'{"a": NaN}', b"", b"\xff", b"[" * 100_000])
def test_bad_json_is_refused(body: bytes) -> None:
    with pytest.raises(wire.MalformedError):
        wire.read_json(body)


def test_of_repeated_wrappers_only_the_last_counts() -> None:
    right = wire.read_json(b'{"parts": {"part": [{"a": "1"}, {"a": "2"}]}}')
    wrong = wire.read_json(b'{"parts": [{"part": {"a": "1"}}, {"part": {"a": "2"}}]}')
    assert isinstance(right, dict)
    assert isinstance(wrong, dict)
    assert wire.items_inside(right, "parts", "part") == [{"a": "1"}, {"a": "2"}]
    assert wire.items_inside(wrong, "parts", "part") == [{"a": "2"}]
    assert wire.items_inside({"parts": None}, "parts", "part") == []
    assert wire.items_inside({"parts": ""}, "parts", "part") == []


def _both(items: list[wire.Tree], empty: str = "null") -> tuple[str, str]:
    listing = [Listing("part", items, root="parts"), Listing("part", items, root="parts")]
    return "".join(wire.write_xml_list(listing[0])), "".join(wire.write_json_list(listing[1], empty))


def test_lists_of_none_one_and_several() -> None:
    declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    assert _both([]) == (declaration + "<parts/>", "null")
    assert _both([{"n": "1"}]) == (declaration + "<parts><part><n>1</n></part></parts>", '{"part":{"n":"1"}}')
    xml, text = _both([{"n": "1"}, {"n": ""}])
    assert xml == declaration + "<parts><part><n>1</n></part><part><n></n></part></parts>"
    assert json.loads(text) == {"part": [{"n": "1"}, {"n": ""}]}


@pytest.mark.parametrize(
    ("empty", "root", "inner"),
    [("null", "null", '{"p":null}'), ("object", "{}", '{"p":{}}'), ("text", '""', '{"p":""}'), ("missing", "{}", "{}")],
)
def test_every_form_of_an_empty_list(empty: str, root: str, inner: str) -> None:
    assert _both([], empty)[1] == root
    assert "".join(wire.write_json({"p": Listing("x", [])}, empty)) == inner


def test_attributes_and_left_out_elements() -> None:
    tree: wire.Tree = {"@id": '1"&', "a": None, "b": "<é>", "c": {"@x": "y"}}
    assert "".join(wire.write_xml("t", tree)).endswith('<t id="1&quot;&amp;"><b>&lt;é&gt;</b><c x="y"/></t>')
    assert "".join(wire.write_json(tree, "null")) == '{"@id":"1\\"&","b":"<é>","c":{"@x":"y"}}'


def test_what_xml_cannot_carry_is_found_and_never_written() -> None:
    assert wire.has_unprintable({"a": [{"b": "x\x01"}]})
    assert not wire.has_unprintable({"a": ["ü\n\t", None]})
    assert wire.escape("a\x00b") == "a\ufffdb"


def test_pieces_are_bounded_and_complete() -> None:
    pieces = list(wire.encode_pieces("x" * 10_000 for _ in range(20)))
    assert sum(map(len, pieces)) == 200_000
    assert all(wire.PIECE <= len(piece) < wire.PIECE + 10_000 for piece in pieces[:-1])


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", XML),
        ("*/*", XML),
        ("application/json", JSON),
        ("application/xml", XML),
        ("text/html, application/json;q=0.9, */*;q=0.1", JSON),
        ("application/json;q=0.5, application/xml", XML),
        ("Application/JSON; charset=utf-8", JSON),
    ],
)
def test_form_by_accept(accept: str, form: str) -> None:
    assert choose_form(accept) == form


def test_no_form_fits() -> None:
    with pytest.raises(ResponseError) as caught:
        choose_form("text/html, application/json;q=0")
    assert caught.value.status == 406


def test_error_bodies() -> None:
    assert error_body('Über "alles"', JSON).decode() == '{ "error": "Über \\"alles\\"" }'
    assert error_body("a < b", XML).decode().endswith("<error>a &lt; b</error>")


def test_a_rendered_template_is_what_its_tree_would_be() -> None:
    texts = ("5 % & <b> \ue000", 'a "quoted"\nline\x01', "")

    def tree(one: str, two: str, three: str) -> wire.Tree:
        return {"@id": "7", "one": one, "sub": {"@two": two, "none": None, "list": Listing("x", [])}, "three": three}

    template = wire.Template(tree(wire.slot(0), wire.slot(1), wire.slot(2)))
    plain: list[wire.Tree] = [tree(*texts), tree("a", "b", "100%")]
    filled = [wire.Rendered(template, texts), wire.Rendered(template, ("a", "b", "100%"))]
    for count in (1, 2):
        assert "".join(wire.write_xml_list(Listing("item", filled[:count], root="items"))) == "".join(
            wire.write_xml_list(Listing("item", plain[:count], root="items"))
        )
        for empty in EMPTY_FORMS:
            text = "".join(wire.write_json_list(Listing("item", filled[:count]), empty))
            assert json.loads(text) == json.loads("".join(wire.write_json_list(Listing("item", plain[:count]), empty)))
