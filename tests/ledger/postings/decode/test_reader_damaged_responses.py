"""An answer that is not whole is an error, never a short list: the decoder alone would accept most of these."""

from __future__ import annotations

import json

import pytest

from airflow_provider_rma.exceptions import IncompleteResponseError, UnexpectedResponseError
from tests.support.ledger.responses import json_posting, read_both_paths, read_response, xml_document, xml_posting
from tests.support.scope import cuts

WHOLE = xml_document(xml_posting(), xml_posting())
WHOLE_JSON = json.dumps({"transaction": [json_posting(), json_posting()], "@number_of_transaction": "2"}).encode()


@pytest.mark.parametrize(("body", "media_type"), [(WHOLE, "application/xml"), (WHOLE_JSON, "application/json")])
def test_cut_off_anywhere(body: bytes, media_type: str) -> None:
    for length in cuts(len(body), step=13):
        outcome = read_response(body[:length], media_type)
        assert outcome.error is not None, f"{length} of {len(body)} bytes"
        assert outcome.error[0] is IncompleteResponseError, (length, outcome.error)


@pytest.mark.parametrize("length", [60, 130, 700, 1300, len(WHOLE) - 1])
def test_cut_off_both_ways_agree(length: int) -> None:
    read_both_paths(WHOLE[:length])


@pytest.mark.parametrize(
    "tail",
    [b"x", b"<a/>", b"<transactions/>", WHOLE, b"&amp;", b"\x00", b"</transactions>", b"<transaction></transaction>"],
)
def test_nothing_may_follow_the_root(tail: bytes) -> None:
    outcome = read_both_paths(WHOLE + tail)
    assert outcome.error is not None
    assert outcome.error[0] is UnexpectedResponseError


@pytest.mark.parametrize("byte", [0, 1, 8, 11, 12, 14, 31])
def test_control_characters_are_refused(byte: int) -> None:
    for body in (
        xml_document(xml_posting(memo=f"<memo>a{chr(byte)}</memo>")),
        xml_document(xml_posting(memo=f"<memo>&#{byte};</memo>")),
    ):
        outcome = read_both_paths(body)
        assert outcome.error is not None
        assert "not well-formed" in outcome.error[1]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_announced_count_must_hold(count: int) -> None:
    outcome = read_both_paths(xml_document(xml_posting(), xml_posting(), count=count))
    assert outcome.error is not None
    assert outcome.error[0] is IncompleteResponseError
    assert f"announced {count} entries and sent 2" in outcome.error[1]


@pytest.mark.parametrize(
    "body",
    [
        WHOLE.replace(b"<transactions ", b'<!DOCTYPE t [<!ENTITY e "x">]><transactions '),
        WHOLE.replace(b"<transactions ", b"<!DOCTYPE html><transactions "),
        WHOLE.replace(b"Zeile", b"&e;"),
        WHOLE.replace(b"<memo>", b'<memo xmlns="u">'),
        WHOLE.replace(b"<transactions ", b'<transactions xmlns="u" '),
        WHOLE.replace(b"<memo>", b"<memo>" + b"<a>" * 40).replace(b"</memo>", b"</a>" * 40 + b"</memo>"),
        WHOLE.replace(b"Zeile", b"Zeile \xff"),
        WHOLE.replace(b"Zeile", b"Zeile \xed\xa0\x80"),
        WHOLE.replace(b"Zeile", b"Zeile \xef\xbf\xbf"),
        WHOLE.replace(b"<transaction>", b"<posting>").replace(b"</transaction>", b"</posting>"),
        WHOLE.replace(b"transactions", b"customers"),
        WHOLE.replace(b"</memo>", b"</notes>"),
        xml_document("text", xml_posting()),
        xml_document("<transaction/>", xml_posting()),
        xml_document("<transaction></transaction>", xml_posting()),
        xml_document("<transaction>  </transaction>", xml_posting()),
        xml_document(xml_posting(memo="<memo>a</memo><memo/>")),
        xml_document(xml_posting(memo="<memo>]]></memo>")),
        b"<error>Kein Zugriff</error>",
        b"<html><body>Wartung</body></html>",
        b"",
    ],
)
def test_what_is_no_list_of_postings_is_refused(body: bytes) -> None:
    outcome = read_both_paths(body)
    assert outcome.error is not None
    assert outcome.refusal


@pytest.mark.parametrize(
    "body", [xml_document(), b"<transactions/>", WHOLE.replace(b"UTF-8", b"ISO-8859-1"), b"\xef\xbb\xbf" + WHOLE]
)
def test_what_is_legal_and_unusual_is_read(body: bytes) -> None:
    assert read_both_paths(body).error is None
