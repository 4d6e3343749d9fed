from __future__ import annotations

import json
from decimal import Decimal

import pytest

from airflow_provider_rma.billing.records.model import RefusedRecord
from airflow_provider_rma.exceptions import InvalidInputError
from tests.support.record_files import ndjson_bytes, read_bytes


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.jsonl"])
@pytest.mark.parametrize(
    "record",
    [
        '{"invnumber": "1", "invnumber": "2"}',
        r'{"invnumber": "1", "inv\u006eumber": "2"}',
        '{"invnumber": "1", "customer": {"x": {"invnumber": 1, "invnumber": 1}}}',
        '{"parts": [{"sellprice": 1}, {"invnumber": 1, "sellprice": 2, "invnumber": 3}]}',
    ],
)
def test_a_member_that_stands_twice_in_one_object_is_refused_at_any_depth(name: str, record: str) -> None:
    with pytest.raises(InvalidInputError, match="invnumber: stands twice in one object; keep the member") as caught:
        read_bytes(name, record.encode())
    assert not caught.value.retryable


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.jsonl"])
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\n"])
def test_an_empty_file_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(InvalidInputError, match="is empty"):
        read_bytes(name, content)


@pytest.mark.parametrize("content", [b"[]", b" [ ] \n"])
def test_an_empty_list_of_records_is_a_list(content: bytes) -> None:
    assert read_bytes("a.json", content) == []


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
@pytest.mark.parametrize(
    "record", ["[" * 100_000, '{"a":' * 100_000, json.dumps({"a": [[[[[[[]]]]]]]}).replace("[]", "[" * 40 + "]" * 40)]
)
def test_deep_nesting_is_refused(name: str, record: str) -> None:
    with pytest.raises(InvalidInputError, match="has more than 32 levels"):
        read_bytes(name, record.encode())


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
@pytest.mark.parametrize(
    "number", ["1e999999999", "1e9999999999999999999", "-1E+400", "1.0e-999999999", "9" * 5_000, "0e999999999"]
)
def test_a_huge_number_stays_text_which_no_amount_accepts(name: str, number: str) -> None:
    (record,) = read_bytes(name, f'{{"invnumber": {number}}}'.encode())
    assert record == {"invnumber": number}


def test_plausible_numbers_are_exact() -> None:
    content = b'[{"a": 12.50, "b": 1e2, "c": 260001, "d": -0.1000000000000000055511151231257827}]'
    assert read_bytes("a.json", content) == [
        {
            "a": Decimal("12.50"),
            "b": Decimal("1E+2"),
            "c": 260001,
            "d": Decimal("-0.1000000000000000055511151231257827"),
        }
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"a": 1}', "is not valid JSON: the array is not closed"),
        ('[{"a": 1} {"a": 2}]', "after record 1: is not valid JSON"),
        ('[{"a": 1},]', "record 2: is not valid JSON"),
        ('[{"a": ', "record 1: is not valid JSON"),
        ("[{'a': 1}]", "record 1: is not valid JSON"),
        ('{"a": 1}\n{"a": 2}', "goes on after its end; one record per line is NDJSON: name it .ndjson"),
        ("[{}] x", "goes on after its end"),
        ("null", "neither an array of records nor a record"),
        ("invnumber;x", "neither an array of records nor a record"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(content: str, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        read_bytes("a.json", content.encode())


@pytest.mark.parametrize("length", [1, 65_530, 65_536, 131_072, 1_000_000])
def test_records_are_read_across_the_pieces_of_a_file(length: int) -> None:
    records = [{"a": "x" * length, "b": [{"c": "ü€😀"}]}, {"a": "y"}, {"a": length}]
    assert read_bytes("a.json", json.dumps(records, ensure_ascii=False, indent=2).encode()) == records
    assert read_bytes("a.ndjson", ndjson_bytes(*records)) == records


def test_elements_that_are_no_records_are_refused_and_the_others_are_kept() -> None:
    found = read_bytes("a.json", b'[{"a": 1}, 17, null, "x", [], {"a": 2}]')
    assert [isinstance(record, RefusedRecord) for record in found] == [False, True, True, True, True, False]
    assert found[1].reasons == ("record 2: is a int, not a mapping of fields; give a JSON object",)


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_a_record_beyond_all_measure_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="4'194'304 characters"):
        read_bytes(name, b'[{"a": "' + b"x" * 9_000_000 + b'"}]')


def test_other_encodings_are_read_by_their_mark_or_by_name() -> None:
    text = '{"a": "Zürich"}'
    assert read_bytes("a.json", text.encode("utf-16")) == [{"a": "Zürich"}]
    assert read_bytes("a.ndjson", text.encode("latin-1"), encoding="latin-1") == [{"a": "Zürich"}]
    with pytest.raises(InvalidInputError, match="encoding='windows-1252'"):
        read_bytes("a.json", text.encode("latin-1"))


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_utf_8_is_read_as_utf_8_also_where_a_single_byte_encoding_is_named(name: str) -> None:
    """A rejects file is UTF-8 and is given back with the parameters of the export that it comes from."""
    content = '{"a": "Genève, Ágnes"}'.encode()
    assert read_bytes(name, content, encoding="windows-1252") == [{"a": "Genève, Ágnes"}]
