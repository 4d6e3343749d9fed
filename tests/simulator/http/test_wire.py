"""XML and mapped JSON, read and written."""

from __future__ import annotations

import json

import pytest

from airflow_provider_rma.simulator.http import wire
from airflow_provider_rma.simulator.http.wire import Listing
from airflow_provider_rma.simulator.settings import EMPTY_FORMS


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
        ('<?xml version="1.0" encoding="ISO-8859-1"?><invoice>ü</invoice>'.encode("latin-1"), "nicht in UTF-8"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><invoice>ü</invoice>'.encode(), "Zeichenkodierung"),
        ("<invoice>ü</invoice>".encode("utf-16"), "nicht in UTF-8"),
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
