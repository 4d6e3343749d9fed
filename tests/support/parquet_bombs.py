"""Small Parquet files that unpack to gigabytes: ``python -m tests.support.parquet_bombs KIND FILE``."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COUNT = 2_000


def _columns(**columns: Any) -> pa.Table:
    count = len(next(iter(columns.values())))
    common = {
        "invnumber": pa.array(["R-1"] * count),
        "customernumber": pa.array(["K-1"] * count),
        "transdate": pa.array(["2026-10-31"] * count),
        "incomeentries__amount": pa.array([1] * count),
        "incomeentries__income_accno": pa.array(["3400"] * count),
    }
    return pa.table(common | columns)


def text() -> pa.Table:
    """One long text, named 2,000 times."""
    return _columns(notes=pa.DictionaryArray.from_arrays(pa.array([0] * COUNT), pa.array(["x" * 1_000_000])))


def nested_text() -> pa.Table:
    """The same inside lines."""
    line = pa.struct([("amount", pa.int64()), ("income_accno", pa.string()), ("description", pa.string())])
    lines = [[{"amount": 1, "income_accno": "3400", "description": "x" * 200_000}]] * COUNT
    plain = _columns(incomeentries=pa.array(lines, pa.list_(line)))
    return plain.drop_columns(["incomeentries__amount", "incomeentries__income_accno"])


def page() -> pa.Table:
    """One page of blanks."""
    return _columns(notes=pa.array([" " * 300_000_000]))


def rows() -> pa.Table:
    """Rows without number."""
    return pa.table({name: pa.nulls(20_000_000, pa.string()) for name in _columns(notes=[""]).column_names})


def lines() -> pa.Table:
    """One invoice with lines without number."""
    line = pa.struct([("amount", pa.int64()), ("income_accno", pa.string())])
    entries = pa.ListArray.from_arrays(pa.array([0, 20_000_000], pa.int32()), pa.nulls(20_000_000, line))
    plain = _columns(incomeentries=entries)
    return plain.drop_columns(["incomeentries__amount", "incomeentries__income_accno"])


if __name__ == "__main__":
    name = sys.argv[1].replace(" ", "_")
    pq.write_table(
        globals()[name](),
        sys.argv[2],
        compression="zstd",
        use_dictionary=name != "page",
        data_page_size=2**30,
        row_group_size=2**30,
    )
