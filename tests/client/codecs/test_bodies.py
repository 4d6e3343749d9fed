"""Both content types decode to one form, whole or streamed, and a cut body is never taken for a whole one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_rma.client.codecs.bodies import decode, encode, error_text, is_readable, iter_decode, list_items
from airflow_provider_rma.exceptions import (
    IncompleteResponseError,
    InvalidInputError,
    RejectedError,
    UnexpectedResponseError,
)
from tests.support.payloads import Payloads

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).map(
    lambda name: f"{name}_" if name.lower() in ("html", "error") else name
)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff"),
    max_size=20,
)
ATTRIBUTE_NAMES = NAMES.map("@{}".format)
ATTRIBUTES = st.dictionaries(ATTRIBUTE_NAMES, TEXTS, max_size=2)


def _lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=2, max_size=3)


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.dictionaries(NAMES, _lists(values), min_size=1, max_size=3)
    with_children = st.builds(lambda attributes, children: {**attributes, **children}, ATTRIBUTES, members)
    with_text = st.builds(
        lambda attributes, text: {**attributes, **({"$": text} if text else {})},
        st.dictionaries(ATTRIBUTE_NAMES, TEXTS, min_size=1, max_size=2),
        TEXTS,
    )
    return with_children | with_text


VALUES = st.recursive(TEXTS, _objects, max_leaves=8)
MAPPED = st.builds(
    lambda attributes, members: {**attributes, **members},
    ATTRIBUTES,
    st.dictionaries(NAMES, _lists(VALUES), max_size=4),
)


def read_all(body: bytes, kind: Any, streamed: bool) -> list[Any]:
    if streamed:
        return list(iter_decode([body], kind, "invoices", "invoice"))
    return list_items(decode(body, kind, "invoices"), "invoice")


KINDS = pytest.mark.parametrize("kind", ["json", "xml"])


@KINDS
@given(mapped=MAPPED)
@settings(deadline=None)
def test_what_was_encoded_decodes_to_the_same(kind: Any, mapped: dict[str, Any]) -> None:
    assert decode(encode(mapped, kind, "invoice"), kind, "invoice") == mapped


@KINDS
@given(mapped=MAPPED, data=st.data())
@settings(deadline=None)
def test_a_body_cut_anywhere_is_incomplete(kind: Any, mapped: dict[str, Any], data: st.DataObject) -> None:
    body = encode(mapped, kind, "invoice")
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(IncompleteResponseError):
        decode(body[:cut], kind, "invoice")


@KINDS
def test_every_cut_of_a_documented_kind_of_body_is_incomplete(kind: Any) -> None:
    mapped = {"invnumber": "R-1 ü}", "parts": {"part": [{"unit": 'h"'}, {"unit": "\\"}]}, "note": "{}"}
    body = encode(mapped, kind, "invoice")
    for cut in range(len(body)):
        with pytest.raises(IncompleteResponseError):
            decode(body[:cut], kind, "invoice")


@KINDS
def test_a_list_cut_anywhere_is_incomplete_when_streamed(kind: Any) -> None:
    body = encode({"row": [{"a": "1 ä"}, {"a": "2"}]}, kind, "table")
    for cut in range(len(body)):
        with pytest.raises(IncompleteResponseError):
            list(iter_decode([body[:cut]], kind, "table", "row"))


@KINDS
@given(sizes=st.lists(st.integers(1, 40), max_size=20), rows=st.integers(0, 6))
@settings(deadline=None)
def test_streaming_gives_the_same_in_pieces_of_any_size(kind: Any, sizes: list[int], rows: int) -> None:
    entries = [{"a": f"ü{index}", "@id": str(index)} for index in range(rows)]
    mapped: dict[str, Any] = {"@number_of_transaction": str(rows)}
    if entries:
        mapped["transaction"] = entries if rows > 1 else entries[0]
    body = encode(mapped, kind, "transactions")
    chunks, rest = [], body
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    stream = iter_decode([*chunks, rest], kind, "transactions", "transaction")
    assert list(stream) == entries
    assert stream.attributes == {"number_of_transaction": str(rows)}
    assert stream.count == rows


def test_streamed_items_come_before_the_end_was_read() -> None:
    def chunks() -> Any:
        yield b"<table><row><a>1</a></row>  <row>"
        raise AssertionError("read too far")

    stream = iter_decode(chunks(), "xml", "table", "row")
    assert next(iter(stream)) == {"a": "1"}


@pytest.mark.parametrize("body", [b"<!doctype html><html><p>x<br></html>", b"<html><body>Login</body></html>"])
@KINDS
def test_an_html_page_is_called_by_its_name(kind: Any, body: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="HTML page"):
        decode(body, kind, "invoices")


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf"])
@KINDS
def test_an_empty_body_is_incomplete(kind: Any, body: bytes) -> None:
    with pytest.raises(IncompleteResponseError, match="empty"):
        decode(body, kind, "invoices")


@pytest.mark.parametrize(
    ("kind", "body"),
    [("json", b'{ "error": "Konto 9999 fehlt" }'), ("xml", b"<error>Konto 9999 fehlt</error>")],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_the_services_error_is_recognised_and_stays_out_of_the_message(kind: Any, body: bytes, streamed: bool) -> None:
    with pytest.raises(RejectedError) as caught:
        read_all(body, kind, streamed)
    assert caught.value.server_message == "Konto 9999 fehlt"
    assert "9999" not in str(caught.value)


def test_error_text_reads_both_forms_and_nothing_else() -> None:
    assert error_text(b'{"error":"A"}') == "A"
    assert error_text(b"<error><text>A</text><text>B</text></error>") == "A B"
    assert error_text(b"<answer><error> A </error></answer>") == "A"
    for body in (b"", b"plain", b"<html><error>A</error></html>", b'{"error": ["A"]}', b'{"message": "A"}', b"<a/>"):
        assert error_text(body) is None


def test_is_readable_tells_whole_bodies_from_cut_ones() -> None:
    assert is_readable(b'{"a": "b"}')
    assert is_readable(b"<payment/>")
    assert not is_readable(b'{"a": "b"')
    assert not is_readable(b"<payment>")


@pytest.mark.parametrize("empty", [{}, {"row": None}, {"row": ""}, {"row": {}}, {"row": []}, {"@count": "0"}])
def test_an_empty_list_in_all_its_spellings(empty: dict[str, Any]) -> None:
    assert list_items(empty, "row") == []


def test_null_is_an_empty_list_and_an_unknown_object_is_none() -> None:
    assert decode(b"null", "json", "invoices") == {}
    with pytest.raises(UnexpectedResponseError):
        list_items({"message": "maintenance"}, "row")
    with pytest.raises(UnexpectedResponseError):
        list_items({"$": "text", "row": []}, "row")


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x1b", "\ufffe", "\ud800"])
@KINDS
def test_a_character_that_cannot_be_sent_is_refused_with_its_place(kind: Any, character: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        encode({"parts": {"part": [{"unit": "h"}, {"description": f"Secret{character}"}]}}, kind, "invoice")
    (problem,) = caught.value.problems
    assert problem.path == "invoice.parts.part[1].description"
    assert f"U+{ord(character):04X} at position 7" in problem.problem
    assert "Secret" not in str(caught.value)


@KINDS
def test_values_that_are_no_text_are_refused(kind: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"invoice\.amount: is not text"):
        encode({"amount": 1.5}, kind, "invoice")


def test_published_bodies_decode_alike_in_both_forms(payloads: Payloads) -> None:
    xml = decode(payloads.read("invoice-post-parts-customernumber.xml"), "xml", "invoice")
    mapped = decode(payloads.read("invoice-post-parts-customernumber.json"), "json", "invoice")
    assert set(xml) == set(mapped)
    quantity = payloads.articles.quantity
    assert xml["parts"]["part"]["quantity"] == mapped["parts"]["part"]["quantity"] == quantity
    source = payloads.mapped("invoice-list-partial.json")
    assert decode(payloads.read("invoice-list-partial.json"), "json", "invoices") == source
    stream = iter_decode([payloads.read("transactions-partial.xml")], "xml", "transactions", "transaction")
    assert [row["amount"] for row in stream] == [str(posting.amount) for posting in payloads.postings]
    assert stream.attributes == {"number_of_transaction": "5"}
