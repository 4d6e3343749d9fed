"""XML bodies and the mapped form."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_rma.client.codecs.bodies import decode, encode, iter_decode, list_items
from airflow_provider_rma.client.codecs.wire import MAX_DEPTH
from airflow_provider_rma.exceptions import (
    InvalidInputError,
    UnexpectedResponseError,
)


def read_all(body: bytes, kind: Any, streamed: bool) -> list[Any]:
    if streamed:
        return list(iter_decode([body], kind, "invoices", "invoice"))
    return list_items(decode(body, kind, "invoices"), "invoice")


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE invoices><invoices/>",
        b'<!DOCTYPE r [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><invoices x="&c;">&c;</invoices>',
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><invoices>&a;</invoices>',
        b"<invoices>&unknown;</invoices>",
        b"<invoices/><invoices/>",
        b"<invoices/>trailing",
        b"<invoices></invoice></invoices>",
        b"<customers/>",
        b"<invoices>text</invoices>",
        b"<invoices q:a='1'/>",
        b"<invoices><q:invoice/></invoices>",
        b"<invoices :a='1'/>trailing",
        b"<invoices :a='1'/><invoices/>",
        b'<x:invoices xmlns:x="urn:x"/>',
        b'<invoices><x:a xmlns:x="urn:x"/></invoices>',
        b"<invoices>" + b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1) + b"</invoices>",
        b"<invoices>\xff</invoices>",
        b"<invoices>\x01</invoices>",
        "<invoices/>".encode("utf-16"),
        b'{"invoice": []}',
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_xml_that_is_no_response_is_refused(body: bytes, streamed: bool) -> None:
    with pytest.raises(UnexpectedResponseError):
        read_all(body, "xml", streamed)


def test_xml_attributes_repetition_and_emptiness() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
    <!-- a comment --><?pi x?>
    <transactions number_of_transaction="2" xmlns:xsi="urn:x" xsi:type="t">
      <transaction><memo/><chart id="0"><taxes/></chart><department id="7">Basel</department></transaction>
      <transaction><memo> <!-- in between -->a &amp; b</memo></transaction>
    </transactions>"""
    assert decode(body, "xml", "transactions") == {
        "@number_of_transaction": "2",
        "transaction": [
            {"memo": "", "chart": {"@id": "0", "taxes": ""}, "department": {"@id": "7", "$": "Basel"}},
            {"memo": " a & b"},
        ],
    }


def test_xml_names_are_checked_and_null_is_left_out() -> None:
    with pytest.raises(InvalidInputError, match="name"):
        encode({"a b": "x"}, "xml", "invoice")
    assert b"<invoice/>" in encode({"a": None}, "xml", "invoice")


def test_entities_are_refused_before_they_are_expanded() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 50}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE r [<!ENTITY e0 "{"x" * 100}">{levels}]><invoices a="&e11;">&e11;</invoices>'.encode()
    begin = time.monotonic()
    with pytest.raises(UnexpectedResponseError, match="DOCTYPE"):
        decode(bomb, "xml", "invoices")
    assert time.monotonic() - begin < 20
