"""Files of records, written and read in tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_rma.billing.records.columns import INVOICE_COLUMNS, RecordColumns
from airflow_provider_rma.billing.records.files import read_file

HEADER = "invnumber;customernumber;transdate;parts__partnumber;parts__quantity;parts__sellprice"
ROW = "R-1;K-1;2026-10-31;ART-1;2;19.95"
#: What ``ROW`` is as a record.
RECORD = {
    "invnumber": "R-1",
    "customernumber": "K-1",
    "transdate": "2026-10-31",
    "parts": [{"partnumber": "ART-1", "quantity": "2", "sellprice": "19.95"}],
}


def read(path: Path, columns: RecordColumns = INVOICE_COLUMNS, **options: Any) -> list[Any]:
    """Read a file of this machine."""
    return list(read_file(LocalFileSystem(), str(path), columns, **options))


def read_bytes(name: str, content: bytes, columns: RecordColumns = INVOICE_COLUMNS, **options: Any) -> list[Any]:
    """Read a file in memory."""
    fs = MemoryFileSystem()
    fs.pipe_file(f"/records/{name}", content)
    try:
        return list(read_file(fs, f"/records/{name}", columns, url=name, **options))
    finally:
        fs.rm_file(f"/records/{name}")


def csv_bytes(*lines: str, encoding: str = "utf-8") -> bytes:
    """A CSV file of these lines."""
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


def ndjson_bytes(*records: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """An NDJSON file of these records."""
    return "".join(json.dumps(record) + "\n" for record in records).encode()
