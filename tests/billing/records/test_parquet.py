from __future__ import annotations

import io
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from tests.support.record_files import read_bytes

BASE: dict[str, Any] = {
    "invnumber": ["R-1"],
    "customernumber": ["K-1"],
    "transdate": pa.array([date(2026, 10, 31)]),
    "incomeentries__amount": pa.array([Decimal("1.05")], pa.decimal128(18, 2)),
    "incomeentries__income_accno": ["3400"],
}


def table(**columns: Any) -> pa.Table:
    return pa.table({name: column for name, column in (BASE | columns).items() if column is not None})


def parquet_bytes(content: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(content, sink, **options)
    return sink.getvalue()


def read(content: pa.Table, **options: Any) -> list[Any]:
    return read_bytes("a.parquet", parquet_bytes(content, **options))


def refusal(content: pa.Table | bytes, **options: Any) -> str:
    data = content if isinstance(content, bytes) else parquet_bytes(content, **options)
    with pytest.raises(InvalidInputError) as caught:
        read_bytes("a.parquet", data)
    assert not caught.value.retryable
    return str(caught.value)


def test_decimals_and_dates_keep_their_types() -> None:
    assert read(table()) == [
        {
            "invnumber": "R-1",
            "customernumber": "K-1",
            "transdate": date(2026, 10, 31),
            "incomeentries": [{"amount": Decimal("1.05"), "income_accno": "3400"}],
        }
    ]


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_of_every_kind_are_read(text: pa.DataType) -> None:
    (record,) = read(table(invnumber=pa.array(["Ü-1"], text)))
    assert record["invnumber"] == "Ü-1"


@pytest.mark.parametrize("make", [pa.list_, pa.large_list])
def test_nested_lines_are_read(make: Any) -> None:
    line = pa.struct([("partnumber", pa.string()), ("quantity", pa.int64()), ("sellprice", pa.float64())])
    lines = pa.array([[{"partnumber": "A", "quantity": 2, "sellprice": 1.5}] * 2], make(line))
    (record,) = read(table(parts=lines, incomeentries__amount=None, incomeentries__income_accno=None))
    assert record["parts"] == [{"partnumber": "A", "quantity": 2, "sellprice": 1.5}] * 2


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Zurich"])
def test_time_stamps_in_nanoseconds_are_read_to_the_microsecond(zone: str | None) -> None:
    midnight = int(datetime(2026, 10, 30, 23).timestamp()) * 10**9
    stamps = pa.array([midnight + 999, -1], pa.timestamp("ns", zone))
    found = [
        record["transdate"]
        for record in read(
            pa.concat_tables([table(invnumber=[n]) for n in ("1", "2")]).set_column(2, "transdate", stamps)
        )
    ]
    assert [stamp.microsecond for stamp in found] == [0, 999_999]


def test_time_stamps_in_nanoseconds_inside_lines_are_read() -> None:
    line = pa.struct(
        [
            ("partnumber", pa.string()),
            ("quantity", pa.int64()),
            ("sellprice", pa.int64()),
            ("price_update", pa.timestamp("ns")),
        ]
    )
    lines = pa.array([[{"partnumber": "A", "quantity": 2, "sellprice": 1, "price_update": 1_001}]], pa.list_(line))
    (record,) = read(table(parts=lines, incomeentries__amount=None, incomeentries__income_accno=None))
    assert record["parts"][0]["price_update"] == datetime(1970, 1, 1, 0, 0, 0, 1)


def test_a_repeated_column_is_refused() -> None:
    repeated = table().append_column("invnumber", pa.array(["R-2"]))
    assert "invnumber: is the name of two columns" in refusal(repeated)
    line = pa.StructArray.from_arrays([pa.array(["A"]), pa.array(["B"])], names=["partnumber", "partnumber"])
    nested = table(customer=None).append_column("parts", pa.ListArray.from_arrays([0, 1], line))
    assert "parts__partnumber: is the name of two columns" in refusal(nested)


def test_the_index_of_a_data_frame_is_refused() -> None:
    assert "__index_level_0__: is the index of a data frame; write it with index=False" in refusal(
        table(__index_level_0__=[0])
    )


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"x"], pa.binary()),
        pa.array([b"xy"], pa.binary(2)),
        pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())),
        pa.array([1], pa.time64("us")),
    ],
)
def test_columns_of_types_that_no_field_has_are_refused_once(column: pa.Array) -> None:
    assert "notes: is a column of type" in refusal(table(notes=column))


def test_values_out_of_range_are_refused() -> None:
    assert "holds a value out of range" in refusal(table(transdate=pa.array([2**40], pa.timestamp("s"))))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 10, b"{}", b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    assert "is not a Parquet file, or is damaged" in refusal(content)


def test_a_damaged_page_is_refused_wherever_the_damage_is() -> None:
    rows = pa.concat_tables([table(invnumber=[f"R-{number}"]) for number in range(50)])
    content = parquet_bytes(rows, compression="zstd", write_page_checksum=True)
    column = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0)
    end = column.dictionary_page_offset + column.total_compressed_size
    for position in range(end - 8, end):
        damaged = content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]
        assert "near row 1: is damaged" in refusal(damaged)


@pytest.mark.parametrize("position", ["text", "nested text", "page", "rows", "lines"])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_in_bounded_memory(tmp_path: Path, position: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.support.parquet_bombs", position, str(tmp_path / "a.parquet")], check=True
    )
    assert (tmp_path / "a.parquet").stat().st_size < 3_000_000
    code = f"""
import resource
from pathlib import Path
from airflow_provider_rma.exceptions import InvalidInputError
from tests.support.record_files import read
import airflow_provider_rma.billing.records.parquet
begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read(Path({str(tmp_path / "a.parquet")!r}))
except InvalidInputError as error:
    print("refused:", error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *messages, growth = done.stdout.splitlines()
    assert messages
    assert int(growth) < 150, f"{growth} MiB"
