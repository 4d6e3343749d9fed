from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.records.columns import INVOICE_COLUMNS
from airflow_provider_rma.billing.records.files import read_file
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError, RunMyAccountsError
from tests.support.record_files import HEADER, RECORD, ROW, csv_bytes, ndjson_bytes, read, read_bytes

LINE = ["parts__partnumber", "parts__quantity", "parts__sellprice"]


def test_json_numbers_are_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "invoices.json"
    path.write_text('[{"invnumber": "R-1", "expected_amount": 0.1000000000000000055511151231257827}]')
    assert read(path) == [{"invnumber": "R-1", "expected_amount": Decimal("0.1000000000000000055511151231257827")}]


def test_a_single_json_record_is_a_list_of_one(tmp_path: Path) -> None:
    path = tmp_path / "invoice.json"
    path.write_text('{"invnumber": "R-1"}')
    assert read(path) == [{"invnumber": "R-1"}]


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.jsonl"])
def test_ndjson_is_read_line_by_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"invnumber": "R-1"}\n\n{"invnumber": "Zürich-2"}\n', encoding="utf-8")
    assert [record["invnumber"] for record in read(path)] == ["R-1", "Zürich-2"]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_rows_of_one_invoice_become_its_lines(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["invnumber", "customernumber", "transdate", "description", *LINE],
        ["R-1", "K-1", "2026-10-31", "Hütte", "ART-1", "2", "19.95"],
        ["R-1", "K-1", "2026-10-31", "Hütte", "ART-1", "1", "19.95"],
        ["R-2", "K-2", "2026-10-31", "", "ART-2", "-1", "0.125"],
    ]
    path = tmp_path / "rows.csv"
    path.write_text("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    first, second = read(path)
    assert first["description"] == "Hütte"
    assert [line["quantity"] for line in first["parts"]] == ["2", "1"]
    assert second["parts"] == [{"partnumber": "ART-2", "quantity": "-1", "sellprice": "0.125"}]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", b'[{"invnumber": ', "is not valid JSON"),
        ("a.json", b'"text"', "neither an array of records nor a record"),
        ("a.ndjson", b'{"a": 1}\n{"a"', "line 2: is not valid JSON"),
        ("a.csv", f"{HEADER}\nZ\xfcrich".encode("latin-1"), "is not text in utf-8"),
        ("a.csv", f"{HEADER}\n1;2;3".encode(), "line 2: has 3 columns, the header has 6"),
        ("a.parquet", b"PAR", "is not a Parquet file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        read_bytes(name, content)


def test_an_unknown_ending_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'\.xlsx' cannot be read.*\.ndjson"):
        read_bytes("invoices.xlsx", b"")


def test_the_ending_counts_in_any_case() -> None:
    assert read_bytes("A.CSV", csv_bytes(HEADER, ROW)) == [RECORD]
    assert read_bytes("a.tsv", csv_bytes(HEADER.replace(";", "\t"), ROW.replace(";", "\t"))) == [RECORD]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files_are_unpacked(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    content = pack(csv_bytes(HEADER, ROW))
    assert read_bytes(f"a.csv{suffix}", content) == [RECORD]
    for damaged in (content[:-6], content[:20] + b"\0\0" + content[22:], b"no archive", csv_bytes(HEADER, ROW)):
        with pytest.raises(InvalidInputError, match="cannot be unpacked"):
            read_bytes(f"a.csv{suffix}", damaged)


def test_a_missing_file_is_worth_another_try_and_a_missing_right_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the file does not exist. Check the path") as caught:
        read(tmp_path / "missing.csv")
    assert caught.value.retryable

    class Closed(LocalFileSystem):
        def open(self, *_: Any, **__: Any) -> IO[bytes]:
            raise PermissionError("closed")

    (tmp_path / "a.csv").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="access is denied") as caught:
        list(read_file(Closed(), str(tmp_path / "a.csv"), INVOICE_COLUMNS))
    assert not caught.value.retryable


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.ndjson", "a.parquet", "a.csv.gz"])
def test_a_storage_that_breaks_off_is_not_a_damaged_file(tmp_path: Path, name: str) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("broken off")

    class Storage(LocalFileSystem):
        def open(self, *_: Any, **__: Any) -> IO[bytes]:
            return Breaking(b"x" * 1_000)

    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigurationError, match="the storage cannot be read") as caught:
        list(read_file(Storage(), str(tmp_path / name), INVOICE_COLUMNS))
    assert caught.value.retryable


# ------------------------------------------------------------------ folders


def write_part(path: Path, number: str, quantity: int = 1) -> None:
    row = {
        "invnumber": number,
        "customernumber": "K-1",
        "transdate": "2026-10-31",
        "parts__partnumber": "A",
        "parts__quantity": quantity,
        "parts__sellprice": 1,
    }
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif path.suffix == ".csv":
        path.write_bytes(csv_bytes(";".join(row), ";".join(map(str, row.values()))))
    else:
        path.write_bytes(ndjson_bytes(row))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "ndjson"])
def test_a_folder_of_parts_is_read_as_one_file_in_the_order_of_names(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"export.{suffix}"
    for part, number in (("part-00002", "R-3"), ("part-00000", "R-1"), ("part-00001", "R-1")):
        write_part(folder / f"{part}.{suffix}", number, int(part[-1]))
    for name in ("_SUCCESS", "_committed_1", ".part-00000.parquet.crc", "_metadata", ".hidden"):
        (folder / name).write_bytes(b"")
    (folder / "_temporary").mkdir()
    first, second = read(folder)
    assert [int(line["quantity"]) for line in first["parts"]] == [0, 1]
    assert second["invnumber"] == "R-3"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "is a folder without files"),
        (["_SUCCESS"], "is a folder without files"),
        (["a.csv", "b.parquet"], "is a folder of files of several kinds"),
        (["year=2026/a.parquet"], "is a folder of folders; give a folder that holds the parts"),
    ],
)
def test_a_folder_that_is_no_set_of_parts_is_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    with pytest.raises(InvalidInputError, match=problem):
        read(folder)


def test_a_wrong_part_is_named(tmp_path: Path) -> None:
    write_part(tmp_path / "export" / "part-0.csv", "R-1")
    (tmp_path / "export" / "part-1.csv").write_bytes(b"")
    with pytest.raises(RunMyAccountsError, match="export/part-1.csv: is empty"):
        read(tmp_path / "export")
