"""What a run says about vouchers that are not what they were."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from airflow_provider_rma.ledger.changes import COLUMNS, FIRST, Vouchers, compare
from airflow_provider_rma.ledger.destinations import open_destination, tables
from airflow_provider_rma.ledger.destinations.parquet import ParquetDestination
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.ledger.company import Company
from tests.ledger.memory import MemoryDestination

JANUARY: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-01-31"}
Row = dict[str, Any]


def row(voucher: int | None, amount: str, entry: int | None, module: str | None = "gl", **fields: Any) -> Row:
    plain = {
        "transdate": date(2026, 1, 5), "accno": "1020", "amount": Decimal(amount), "voucher_id": voucher,
        "module": module, "reference": f"R-{voucher}", "entry_id": entry,
    }  # fmt: skip
    return plain | fields


def vouchers(rows: list[Row], size: int = 3) -> Vouchers:
    """What a reading notes that comes in small batches."""
    schema = pa.schema([tables.schema("postings").field(name) for name in COLUMNS])
    found = Vouchers()
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        found.add(pa.RecordBatch.from_arrays([pa.array([r.get(f.name) for r in part], f.type) for f in schema],
                                             schema=pa.schema([f.with_nullable(True) for f in schema])))  # fmt: skip
    return found


OLD = [row(number, str(sign * number), 10 * number + sign) for number in range(1, 9) for sign in (1, -1)]


def changed(new: list[Row]) -> dict[str, int]:
    return {kind: count for kind, count in compare(vouchers(OLD), vouchers(new)).counts.items() if count}


def test_nothing_has_changed_whatever_the_order() -> None:
    shuffled = random.Random(7).sample(OLD, len(OLD))  # noqa: S311
    assert changed(shuffled) == {}
    assert str(compare(vouchers(OLD), vouchers(shuffled, size=1))) == "no voucher"


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OLD[2:], {"removed": 1}),
        ([*OLD, row(99, "1", 990), row(99, "-1", 991)], {"added": 1}),
        ([row(1, "1", 500), row(1, "-1", 501), *OLD[2:]], {"reposted": 1}),
        ([row(1, "1", None), row(1, "-1", None), *OLD[2:]], {"reposted": 1}),
        ([row(1, "2", 11), row(1, "-2", 9), *OLD[2:]], {"amended": 1}),
        ([row(1, "2", 500), row(1, "-2", 501), *OLD[2:]], {"amended": 1}),
        ([OLD[0] | {"memo": "neu"}, *OLD[1:]], {"amended": 1}),
        ([OLD[0] | {"transdate": date(2026, 1, 6)}, *OLD[1:]], {"amended": 1}),
        ([OLD[0], *OLD], {"amended": 1}),
        ([one | {"module": "ar"} if one["voucher_id"] == 3 else one for one in OLD], {"added": 1, "removed": 1}),
        ([], {"removed": 8}),
        ([row(2, "1", 500), *OLD[:2], *OLD[4:], row(77, "1", 1)], {"added": 1, "amended": 1}),
    ],
)
def test_each_kind_of_change_is_told_from_the_others(new: list[Row], expected: dict[str, int]) -> None:
    assert changed(new) == expected


def test_from_nothing_everything_is_added_and_the_first_are_named() -> None:
    many = [row(number, "1", number) for number in range(1, 31)]
    changes = compare(vouchers([]), vouchers(many))
    assert changes.counts == {"added": 30, "removed": 0, "amended": 0, "reposted": 0}
    assert changes.first["added"] == [f"gl {number} (R-{number})" for number in range(1, FIRST + 1)]
    assert str(changes).startswith("30 added (gl 1 (R-1), gl 2 (R-2)")
    assert str(changes).endswith(", …)")


def test_two_modules_and_none_are_different_vouchers() -> None:
    old = [row(1, "1", 1, "ar"), row(1, "2", 2, "gl"), row(1, "3", 3, None)]
    assert compare(vouchers(old), vouchers(old)).counts["amended"] == 0
    changes = compare(vouchers(old), vouchers([old[0], old[1], row(1, "4", 3, None)]))
    assert changes.first["amended"] == [" 1 (R-1)"]


def test_a_million_lines_need_some_bytes_each_voucher() -> None:
    """Batches of one voucher each are put together again and again, so that memory stays with the vouchers."""
    before = pa.total_allocated_bytes()
    found = Vouchers()
    schema = pa.schema([tables.schema("postings").field(name).with_nullable(True) for name in COLUMNS])
    for number in range(400):
        lines = [row(number % 50, "1", number) for _ in range(50)]
        found.add(pa.RecordBatch.from_arrays([pa.array([r.get(f.name) for r in lines], f.type) for f in schema],
                                             schema=schema))  # fmt: skip
    assert found.table().num_rows == 50
    assert pa.total_allocated_bytes() - before < 100_000


# ---------------------------------------------------------------------- through the extract


@pytest.fixture(params=["memory", "duckdb", "sqlite", "parquet"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Destinations of each make."""
    opened: Any = {
        "memory": MemoryDestination,
        "duckdb": lambda: open_destination(f"{tmp_path}/w.duckdb"),
        "sqlite": lambda: open_destination(f"sqlite:///{tmp_path}/w.db"),
        "parquet": lambda: ParquetDestination(fsspec.filesystem("file"), str(tmp_path / "w")),
    }[request.param]()
    with opened as destination:
        yield destination


def extract(company: Company, destination: Any, **settings: Any) -> LedgerResult:
    with company.client(**settings) as client:
        return extract_ledger(client, destination, **JANUARY)


def test_a_run_says_which_vouchers_are_not_what_they_were(
    company: Company, destination: Any, caplog: pytest.LogCaptureFixture
) -> None:
    company.voucher("GL-1", "2026-01-02", "1020", "2800", "1000")
    resaved, amended, deleted = (company.sale(f"R-{n}", "2026-01-10") for n in (1, 2, 3))
    first = extract(company, destination)
    assert (first.as_dict()["changes"], first.windows[0].changes) == ({}, None), "the first load changes nothing"

    company.resave(resaved, company.document(resaved))
    alone = extract(company, destination)
    assert (alone.months("unchanged"), alone.as_dict()["changes"]) == (["2026-01"], {})

    company.resave(resaved, company.document(resaved))
    company.resave(amended, company.document(amended) | {"description": "Anderer Text"})
    company.delete(deleted)
    company.sale("R-4", "2026-01-20")
    with caplog.at_level(logging.INFO):
        result = extract(company, destination)
    assert result.as_dict()["changes"] == {"2026-01": {"added": 1, "removed": 1, "amended": 1, "reposted": 1}}
    (changes,) = (one.changes for one in result.windows)
    assert changes is not None
    assert changes.first["reposted"] == [f"ar {resaved} (R-1)"]
    assert changes.first["amended"] == [f"ar {amended} (R-2)"]
    assert changes.first["removed"] == [f"ar {deleted} (R-3)"]
    assert changes.first["added"][0].endswith("(R-4)")
    assert "2026-01: vouchers since it was loaded before: 1 added (ar " in caplog.text
    assert "Anderer Text" not in caplog.text
    assert result.as_dict()["closed_month_changed"] == []


@pytest.mark.parametrize(
    ("closed_until", "alarm"),
    [(date(2026, 1, 31), True), (date(2026, 6, 30), True), (date(2026, 1, 30), False), (None, False)],
)
def test_a_closed_month_that_changed_is_an_alarm(
    company: Company,
    memory: MemoryDestination,
    caplog: pytest.LogCaptureFixture,
    closed_until: date | None,
    alarm: bool,
) -> None:
    company.voucher("GL-1", "2026-01-02", "1020", "2800", "1000")
    assert extract(company, memory, closed_until=closed_until).as_dict()["closed_month_changed"] == []
    company.voucher("GL-2", "2026-01-31", "1020", "2800", "5")
    result = extract(company, memory, closed_until=closed_until)
    assert (result.verdict, result.months("changed")) == ("exact", ["2026-01"]), "it is loaded all the same"
    assert result.as_dict()["closed_month_changed"] == (["2026-01"] if alarm else [])
    assert ("closed_month_changed" in (memory.whole("2026-01")["reasons"] or "")) is alarm
    warned = [
        one for one in caplog.records if one.levelno == logging.WARNING and "books are closed" in one.getMessage()
    ]
    assert len(warned) == alarm
    assert extract(company, memory, closed_until=closed_until).as_dict()["closed_month_changed"] == []
