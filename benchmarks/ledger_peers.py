"""What others would write to carry the same postings into the same databases; and the limit, which checks nothing.

Needs nothing of this package, so that it runs in an environment that has ``benchmarks/requirements-peers.txt``.
All of them end with typed columns: amounts as decimals, days as dates, ids as whole numbers.

``python -m benchmarks.ledger_peers CASE TARGET URL DESTINATION``, where the target is ``duckdb``, ``parquet`` or
``postgresql``, prints seconds and megabytes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

#: Columns and the types they end in.
COLUMNS = {
    "id": "BIGINT", "transdate": "DATE", "reference": "TEXT", "description": "TEXT", "amount": "DECIMAL(18, 2)",
    "module": "TEXT", "source": "TEXT", "entry_id": "BIGINT", "memo": "TEXT", "notes": "TEXT", "intnotes": "TEXT",
    "accno": "TEXT", "department_id": "TEXT", "department_name": "TEXT",
}  # fmt: skip
_TABLE = f"CREATE TABLE postings ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
_PAGE = 10_000


def peak() -> float:
    """Largest memory of this process so far, in MB (Linux). Unlike ``ru_maxrss`` it owes nothing to the parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell the largest memory")


# ---------------------------------------------------------------------- the limit


def limit(target: str, url: str, destination: str) -> None:
    """Receive, decode with xml2arrow, cast, load in bulk: batch by batch, nothing checked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.xml"
        with path.open("wb") as file:
            _receive(url, file)
        _LIMITS[target](destination, _decoded(path))


def _receive(url: str, file: IO[bytes]) -> None:
    import requests

    with requests.get(url, stream=True, timeout=600) as answer:
        answer.raise_for_status()
        for piece in answer.iter_content(1 << 20):
            file.write(piece)


def _decoded(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import xml2arrow

    fields = "".join(
        f"      - {{name: {name}, xml_path: /transactions/transaction/{name.replace('department_', 'department/@')}, "
        "data_type: Utf8, nullable: true}\n"
        for name in COLUMNS
    )
    configuration = path.with_name("configuration.yaml")
    configuration.write_text(
        f"tables:\n  - name: transaction\n    xml_path: /transactions\n    levels: []\n    fields:\n{fields}"
    )
    types = {"id": pa.int64(), "entry_id": pa.int64(), "amount": pa.decimal128(18, 2)}
    for _, texts in xml2arrow.XmlToArrowParser(configuration).parse_batches(path, max_rows_per_batch=_PAGE):
        columns = {name: texts.column(name) for name in COLUMNS}
        columns["transdate"] = pc.utf8_slice_codeunits(columns["transdate"], 0, 10).cast(pa.date32())
        columns |= {name: columns[name].cast(kind) for name, kind in types.items()}
        yield pa.RecordBatch.from_pydict(columns)


def _limit_duckdb(destination: str, batches: Iterator[Any]) -> None:
    import duckdb
    import pyarrow as pa

    with duckdb.connect(destination) as connection:
        first = next(batches)
        reader = pa.RecordBatchReader.from_batches(first.schema, _chained(first, batches))
        connection.register("arriving", reader)
        connection.execute("CREATE TABLE postings AS SELECT * FROM arriving")


def _limit_parquet(destination: str, batches: Iterator[Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(batches)
    with pq.ParquetWriter(destination, first.schema, compression="zstd") as writer:
        waiting = []
        for batch in _chained(first, batches):
            waiting.append(batch)
            if len(waiting) == 12:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting.clear()
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))


def _limit_postgresql(destination: str, batches: Iterator[Any]) -> None:
    import psycopg
    import pyarrow as pa
    import pyarrow.csv

    options = pa.csv.WriteOptions(include_header=False)
    with psycopg.connect(destination) as connection:
        connection.execute(_TABLE)
        with connection.cursor().copy("COPY postings FROM STDIN (FORMAT csv)") as copy:
            for batch in batches:
                with pa.BufferOutputStream() as sink:
                    pa.csv.write_csv(batch, sink, options)
                    copy.write(memoryview(sink.getvalue()))


def _chained(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


_LIMITS = {"duckdb": _limit_duckdb, "parquet": _limit_parquet, "postgresql": _limit_postgresql}

# ---------------------------------------------------------------------- dlt


def dlt(target: str, url: str, destination: str) -> None:
    """A resource that streams the answer through ElementTree and gives pages of typed rows."""
    _dlt(target, url, destination, _rows)


def dlt_xmltodict(target: str, url: str, destination: str) -> None:
    """A resource that parses with xmltodict, which is shorter to write."""
    _dlt(target, url, destination, _rows_of_xmltodict)


def _dlt(target: str, url: str, destination: str, parse: Callable[[IO[bytes]], Iterator[dict[str, Any]]]) -> None:
    """The loader's best format: Parquet for DuckDB, CSV for PostgreSQL."""
    import dlt as library

    kind = library.destinations.duckdb if target == "duckdb" else library.destinations.postgres
    with tempfile.TemporaryDirectory() as folder:
        pipeline = library.pipeline(
            "ledger", pipelines_dir=folder, destination=kind(credentials=destination), dataset_name="books"
        )
        done = pipeline.run(
            library.resource(_pages(url, parse), name="postings", write_disposition="append"),
            loader_file_format="parquet" if target == "duckdb" else "csv",
        )
        done.raise_on_failed_jobs()


def _pages(url: str, parse: Callable[[IO[bytes]], Iterator[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    with tempfile.TemporaryFile() as file:
        _receive(url, file)
        file.seek(0)
        page: list[dict[str, Any]] = []
        for row in parse(file):
            page.append(row)
            if len(page) == _PAGE:
                yield page
                page = []
        yield page


def _rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Typed rows, by ElementTree, in flat memory."""
    events = ElementTree.iterparse(file, ("start", "end"))  # noqa: S314 - answers of our own
    _, root = next(events)
    for event, element in events:
        if event == "end" and element.tag == "transaction":
            row: dict[str, Any] = {child.tag: child.text for child in element}
            department = element.find("department")
            yield _typed(row, {} if department is None else department.attrib, "")
            root.clear()


def _rows_of_xmltodict(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    import xmltodict

    for row in xmltodict.parse(file)["transactions"]["transaction"]:
        yield _typed(row, row.get("department") or {}, "@")


def _typed(row: dict[str, Any], department: Mapping[str, str], sign: str) -> dict[str, Any]:
    row["id"], row["entry_id"] = int(row["id"]), int(row["entry_id"])
    row["amount"], row["transdate"] = Decimal(row["amount"]), date.fromisoformat(row["transdate"][:10])
    row["department_id"], row["department_name"] = department.get(f"{sign}id"), department.get(f"{sign}name")
    return {name: row.get(name) for name in COLUMNS}


# ---------------------------------------------------------------------- a script of one's own


def script(target: str, url: str, destination: str) -> None:
    """requests, xmltodict, pandas; ``to_sql`` for PostgreSQL. DuckDB reads the frame itself, as its documentation has
    it: its ``to_sql`` would send row after row."""
    import pandas
    import requests
    import xmltodict

    answer = requests.get(url, timeout=600)
    answer.raise_for_status()
    found = xmltodict.parse(answer.content)["transactions"]["transaction"]
    frame = pandas.DataFrame.from_records(
        [
            {
                **{name: posting.get(name) for name in COLUMNS if not name.startswith("department_")},
                "department_id": (posting.get("department") or {}).get("@id"),
                "department_name": (posting.get("department") or {}).get("@name"),
            }
            for posting in found
        ]
    )
    frame["id"], frame["entry_id"] = frame["id"].astype("int64"), frame["entry_id"].astype("int64")
    frame["amount"] = frame["amount"].map(Decimal)
    frame["transdate"] = pandas.to_datetime(frame["transdate"].str[:10]).dt.date
    if target == "duckdb":
        import duckdb

        with duckdb.connect(destination) as connection:
            connection.register("frame", frame)
            connection.execute("CREATE TABLE postings AS SELECT * FROM frame")
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(destination.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        frame.to_sql("postings", connection, index=False, chunksize=_PAGE)
    engine.dispose()


# ---------------------------------------------------------------------- marshmallow and executemany


def marshmallow(target: str, url: str, destination: str) -> None:
    """requests, ElementTree, a marshmallow schema over all rows, ``executemany`` in one transaction."""
    import requests

    answer = requests.get(url, timeout=600)
    answer.raise_for_status()
    texts = []
    for element in ElementTree.fromstring(answer.content):  # noqa: S314 - answers of our own
        row: dict[str, Any] = {child.tag: child.text for child in element if child.tag in COLUMNS}
        department = element.find("department")
        row["transdate"] = row["transdate"][:10]
        row["department_id"] = None if department is None else department.get("id")
        row["department_name"] = None if department is None else department.get("name")
        texts.append(row)
    rows = _schema().load(texts, many=True)
    values = [tuple(row.get(name) for name in COLUMNS) for row in rows]
    insert = f"INSERT INTO postings VALUES ({', '.join('?' for _ in COLUMNS)})"
    if target == "duckdb":
        import duckdb

        with duckdb.connect(destination) as connection:
            connection.execute(_TABLE)
            connection.execute("BEGIN")
            connection.executemany(insert, values)
            connection.execute("COMMIT")
        return
    import psycopg

    with psycopg.connect(destination) as connection:
        connection.execute(_TABLE)
        connection.cursor().executemany(insert.replace("?", "%s"), values)


def _schema() -> Any:
    from marshmallow import Schema, fields

    kinds = {"BIGINT": fields.Integer, "DATE": fields.Date, "TEXT": fields.String, "DECIMAL(18, 2)": fields.Decimal}
    return Schema.from_dict({name: kinds[kind](allow_none=True) for name, kind in COLUMNS.items()})()


# ---------------------------------------------------------------------- one sample

CASES: dict[str, Callable[[str, str, str], None]] = {
    "limit": limit,
    "dlt": dlt,
    "dlt_xmltodict": dlt_xmltodict,
    "script": script,
    "marshmallow": marshmallow,
}

_IMPORTS = {
    "limit": "requests xml2arrow pyarrow pyarrow.compute pyarrow.csv pyarrow.parquet",
    "dlt": "requests dlt dlt.destinations pyarrow.parquet",
    "dlt_xmltodict": "requests xmltodict dlt dlt.destinations pyarrow.parquet",
    "script": "requests xmltodict pandas sqlalchemy",
    "marshmallow": "requests marshmallow",
}
_DRIVERS = {
    "duckdb": {"": "duckdb"},
    "parquet": {"": ""},
    "postgresql": {"": "psycopg", "dlt": "psycopg2", "dlt_xmltodict": "psycopg2", "script": "psycopg2"},
}


def main(case: str, target: str, url: str, destination: str) -> None:
    """One run in this process. Imports do not count, neither in time nor in memory."""
    import importlib

    os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"})
    drivers = _DRIVERS[target]
    for name in f"{_IMPORTS[case]} {drivers.get(case, drivers[''])}".split():
        importlib.import_module(name)
    before, begin, used = peak(), time.perf_counter(), time.process_time()
    CASES[case](target, url, destination)
    seconds, used = time.perf_counter() - begin, time.process_time() - used
    print(json.dumps({"seconds": seconds, "used": used, "megabytes": peak() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
