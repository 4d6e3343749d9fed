"""Any bytes under any name, and any columns: records or our own error, never another exception."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.records.columns import CUSTOMER_COLUMNS, INVOICE_COLUMNS
from airflow_provider_rma.billing.records.model import RefusedRecord
from airflow_provider_rma.exceptions import InvalidInputError
from tests.support.record_files import HEADER, ROW, csv_bytes, ndjson_bytes, read_bytes

NAMES = ["a.csv", "a.tsv", "a.json", "a.ndjson", "a.jsonl", "a.parquet", "a.csv.gz", "a.json.bz2", "a.ndjson.xz"]
ENCODINGS = [None, "utf-8", "windows-1252", "utf-16", "utf-16-le", "utf-32", "utf-7", "shift_jis", "idna", "punycode"]

names = st.sampled_from(sorted(INVOICE_COLUMNS.names)) | st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=8
)


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def sample(name: str) -> bytes:
    """A good file of this kind."""
    record = {"invnumber": "Ü-1", "parts": [{"quantity": 1.5}], "notes": "x" * 50}
    if ".parquet" in name:
        row = dict(zip(HEADER.split(";"), ROW.split(";"), strict=True))
        return parquet_bytes(pa.Table.from_pylist([row] * 20))
    content = csv_bytes(HEADER, *[ROW] * 20) if ".csv" in name or ".tsv" in name else ndjson_bytes(record, record)
    return gzip.compress(content) if name.endswith(".gz") else content


def read_or_refuse(name: str, content: bytes, **options: Any) -> list[Any]:
    error: InvalidInputError | None = None
    records: list[Any] = []
    try:
        records = read_bytes(name, content, **options)
    except InvalidInputError as refusal:
        error = refusal
    assert error is None or (not error.retryable and 0 < len(str(error)) < 5_000)
    assert all(isinstance(record, dict | RefusedRecord) for record in records)
    return records


@pytest.mark.parametrize("name", NAMES)
@given(content=st.binary(max_size=400), encoding=st.sampled_from(ENCODINGS))
def test_any_bytes_are_records_or_our_own_error(name: str, content: bytes, encoding: str | None) -> None:
    read_or_refuse(name, content, encoding=encoding)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_good_file_with_any_damage_is_records_or_our_own_error(name: str, data: st.DataObject) -> None:
    content = bytearray(sample(name))
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(content)))
        end = min(len(content), begin + data.draw(st.integers(0, 8)))
        content[begin:end] = data.draw(st.binary(max_size=8))
    read_or_refuse(name, bytes(content))


@given(
    header=st.lists(names, max_size=10),
    rows=st.lists(st.lists(st.text(max_size=8), max_size=10), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t", "|", ""]),
)
def test_any_header_and_rows_are_records_or_our_own_error(
    header: list[str], rows: list[list[str]], delimiter: str
) -> None:
    content = "\n".join(delimiter.join(cells) for cells in [header, *rows]).encode("utf-8", "replace")
    for columns in (INVOICE_COLUMNS, CUSTOMER_COLUMNS):
        for record in read_or_refuse("a.csv", content, columns=columns):
            assert columns.key in record


@given(st.lists(values, max_size=5))
def test_any_json_gives_as_many_records_as_there_are_elements_or_our_own_error(elements: list[Any]) -> None:
    text = json.dumps(elements)
    for name, content in (("a.json", text), ("a.ndjson", "\n".join(map(json.dumps, elements)))):
        records = read_or_refuse(name, content.encode())
        assert len(records) in (0, len(elements)) or any("__" in str(element) for element in elements)


arrays = st.sampled_from(
    [
        pa.array([1, None]),
        pa.array([1.5, float("nan")]),
        pa.array(["a", None]),
        pa.array([b"a", None]),
        pa.array([True, None]),
        pa.nulls(2),
        pa.array([2**62, -1], pa.timestamp("ns", "Europe/Zurich")),
        pa.array([2**50, -1], pa.timestamp("ms")),
        pa.array([2**30, -(2**30)], pa.date32()),
        pa.array([1, 2], pa.duration("us")),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([[1], []]),
        pa.array([["a"], None]),
        pa.array([{"quantity": 1}, None]),
        pa.array([[{"quantity": 1, "partnumber": "A", "sellprice": 1}], None]),
        pa.array([[{"price_update": 1}], [None]], pa.list_(pa.struct([("price_update", pa.timestamp("ns"))]))),
        pa.array([[[[1]]], None]),
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    ]
)


@given(st.lists(st.tuples(st.sampled_from([*HEADER.split(";"), "parts", "notes", "", "x"]), arrays), max_size=8))
def test_any_parquet_columns_are_records_or_our_own_error(columns: list[tuple[str, pa.Array]]) -> None:
    table = pa.table([column for _, column in columns], names=[name for name, _ in columns])
    read_or_refuse("a.parquet", parquet_bytes(table))
