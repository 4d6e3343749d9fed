from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_rma.billing.records import nest_rows, read_file
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError


def read(path: Path, key: str = "invnumber") -> list[dict[str, Any]]:
    return list(read_file(lambda name: open(name, "rb"), str(path), key=key))


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
        ["invnumber", "customernumber", "description", "parts__partnumber", "parts__quantity", "parts__sellprice"],
        ["R-1", "K-1", "Hütte", "ART-1", "2", "19.95"],
        ["R-1", "K-1", "Hütte", "ART-1", "1", "19.95"],
        ["R-2", "K-2", "", "ART-2", "-1", "0.125"],
    ]
    path = tmp_path / "rows.csv"
    path.write_text("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    first, second = read(path)
    assert first["description"] == "Hütte"
    assert [line["quantity"] for line in first["parts"]] == ["2", "1"]
    assert second["parts"] == [{"partnumber": "ART-2", "quantity": "-1", "sellprice": "0.125"}]


def test_a_booking_invoice_may_have_more_entries_than_taxes() -> None:
    rows = [
        {"invnumber": "R-1", "incomeentries__amount": 100, "taxentries__amount": 8.1},
        {"invnumber": "R-1", "incomeentries__amount": 50, "taxentries__amount": None},
    ]
    (record,) = nest_rows(rows, key="invnumber")
    assert record["incomeentries"] == [{"amount": 100}, {"amount": 50}]
    assert record["taxentries"] == [{"amount": 8.1}]


def test_an_embedded_customer_is_nested() -> None:
    (record,) = nest_rows([{"invnumber": "R-1", "customer__name": "Berghütte AG"}], key="invnumber")
    assert record["customer"] == {"name": "Berghütte AG"}


def test_rows_that_contradict_each_other_are_refused() -> None:
    rows = [
        {"invnumber": "R-1", "customernumber": "K-1", "parts__quantity": 1},
        {"invnumber": "R-1", "customernumber": "K-2", "parts__quantity": 1},
    ]
    with pytest.raises(InvalidInputError, match=r"row 2 \(invnumber R-1\): customernumber: differs.*same value"):
        list(nest_rows(rows, key="invnumber"))


def test_rows_of_an_invoice_must_follow_each_other() -> None:
    rows = [{"invnumber": number, "parts__quantity": 1} for number in ("R-1", "R-2", "R-1")]
    with pytest.raises(InvalidInputError, match="rows of R-1 appear again.*order the rows by invnumber"):
        list(nest_rows(rows, key="invnumber"))


def test_parquet_keeps_decimals_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table(
        {
            "invnumber": ["R-1", "R-1"],
            "incomeentries__amount": pa.array([Decimal("1.05"), Decimal("-0.50")], pa.decimal128(18, 2)),
        }
    )
    pq.write_table(table, path)
    assert read(path) == [
        {"invnumber": "R-1", "incomeentries": [{"amount": Decimal("1.05")}, {"amount": Decimal("-0.50")}]}
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", b'[{"invnumber": ', "is not valid JSON"),
        ("a.json", b'"text"', "neither an array of records nor a record"),
        ("a.json", b"[1]", "record 1: is no mapping"),
        ("a.ndjson", b'{"a": 1}\n{"a"', "line 2: is not valid JSON"),
        ("a.csv", "name\nZ\xfcrich".encode("latin-1"), "is not a CSV file in UTF-8"),
        ("a.csv", b"a,b\n1,2,3", "line 2: has 3 columns, the header has 2"),
        ("a.parquet", b"PAR", "is no Parquet file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        list(read_file(lambda _: io.BytesIO(content), name, key="invnumber"))


def test_an_unknown_ending_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'\.xlsx' cannot be read.*\.ndjson"):
        list(read_file(lambda _: io.BytesIO(b""), "invoices.xlsx", key="invnumber"))
