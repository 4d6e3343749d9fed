"""What a run says about vouchers that are not what they were."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger import arrow_schemas
from airflow_provider_rma.ledger.changes import COLUMNS, FIRST, SHARE_LINES, Changes, compare_readings
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from airflow_provider_rma.ledger.windows import MonthLoad, Window
from tests.support.ledger.company import Company
from tests.support.ledger.memory import MemoryDestination, MemoryStage
from tests.support.ledger.window_fixtures import raw

JANUARY: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-01-31"}
Row = dict[str, Any]
TOLD = ("voucher_id", "reference", "change", "lines_before", "lines_after", "debit_before", "debit_after")
LOAD = MonthLoad("demo", Window.of(date(2026, 1, 1)), "L2")


def row(voucher: int | None, amount: str, entry: int | None, module: str | None = "gl", **fields: Any) -> Row:
    plain = {
        "transdate": date(2026, 1, 5), "accno": "1020", "amount": Decimal(amount), "voucher_id": voucher,
        "module": module, "reference": f"R-{voucher}", "entry_id": entry, "debit": max(-Decimal(amount), Decimal(0)),
    }  # fmt: skip
    return plain | fields


def batches(rows: list[Row], size: int = 3) -> Iterator[pa.RecordBatch]:
    """A reading that comes in small batches."""
    schema = pa.schema([arrow_schemas.schema("postings").field(name).with_nullable(True) for name in COLUMNS])
    for start in range(0, len(rows), size):
        yield pa.RecordBatch.from_pylist(rows[start : start + size], schema)


def compared(old: list[Row], new: list[Row], *, size: int = 3, lines: int = 0) -> Changes:
    return both(old, new, size=size, lines=lines)[0]


def both(old: list[Row], new: list[Row], *, size: int = 3, lines: int = 0) -> tuple[Changes, list[Row]]:
    """What is told, and the rows of the table, sorted."""
    with compare_readings(batches(old, size), batches(new, size), load=LOAD, lines=lines) as found:
        rows = [row for batch in found.rows.batches() for row in batch.to_pylist()]
    return found.changes, sorted(rows, key=lambda one: (one["module"] or "", one["voucher_id"]))


OLD = [row(number, str(sign * number), 10 * number + sign) for number in range(1, 9) for sign in (1, -1)]
#: Of each kind of change one, what it is made of in whatever order.
CHANGED = [
    (OLD[2:], {"removed": 1}),
    ([*OLD, row(99, "1", 990), row(99, "-1", 991)], {"added": 1}),
    ([row(1, "1", 500), row(1, "-1", 501), *OLD[2:]], {"reposted": 1}),
    ([row(1, "1", None), row(1, "-1", None), *OLD[2:]], {"reposted": 1}),
    ([row(1, "2", 11), row(1, "-2", 9), *OLD[2:]], {"amended": 1}),
    ([row(1, "2", 500), row(1, "-2", 501), *OLD[2:]], {"amended": 1}),
    ([OLD[0] | {"memo": "neu"}, *OLD[1:]], {"amended": 1}),
    ([OLD[0] | {"transdate": date(2026, 1, 6)}, *OLD[1:]], {"amended": 1}),
    ([OLD[0], *OLD], {"amended": 1}),
    ([line | {"module": "ar"} if line["voucher_id"] == 3 else line for line in OLD], {"added": 1, "removed": 1}),
    ([], {"removed": 8}),
    ([row(2, "1", 500), *OLD[:2], *OLD[4:], row(77, "1", 1)], {"added": 1, "amended": 1}),
]


def changed(changes: Changes) -> dict[str, int]:
    return {kind: count for kind, count in changes.counts.items() if count}


def test_nothing_has_changed_whatever_the_order() -> None:
    shuffled = random.Random(7).sample(OLD, len(OLD))  # noqa: S311
    changes = compared(OLD, shuffled, size=1)
    assert changed(changes) == {}
    assert str(changes) == "no voucher"


@pytest.mark.parametrize("lines", [0, 7 * SHARE_LINES], ids=["at once", "in parts"])
@pytest.mark.parametrize(("new", "expected"), CHANGED)
def test_each_kind_of_change_is_told_from_the_others(new: list[Row], expected: dict[str, int], lines: int) -> None:
    assert changed(compared(OLD, new, lines=lines)) == expected


@pytest.mark.parametrize("lines", [0, 7 * SHARE_LINES], ids=["at once", "in parts"])
def test_from_nothing_everything_is_added_and_the_first_are_named(lines: int) -> None:
    many = [row(number, "1", number) for number in range(30, 0, -1)]
    changes = compared([], many, lines=lines)
    assert changes.counts == {"added": 30, "removed": 0, "amended": 0, "reposted": 0}
    assert changes.first["added"] == [f"gl {number} (R-{number})" for number in range(1, FIRST + 1)]
    assert str(changes).startswith("30 added (gl 1 (R-1), gl 2 (R-2)")
    assert str(changes).endswith(", …)")


@pytest.mark.parametrize("lines", [0, 7 * SHARE_LINES], ids=["at once", "in parts"])
@pytest.mark.parametrize(("new", "expected"), CHANGED)
def test_the_rows_are_what_was_counted(new: list[Row], expected: dict[str, int], lines: int) -> None:
    _, rows = both(OLD, new, lines=lines)
    assert Counter(row["change"] for row in rows) == expected


def test_a_row_says_what_a_voucher_was_and_is() -> None:
    """Each kind once; of a voucher that is gone the old reference, of one that has another reference the new one."""
    amended = [row(3, "5", 1, reference="R-3b"), row(3, "-3", 2, reference="R-3b"), row(3, "-2", 3, reference="R-3b")]
    new = [row(2, "2", 8), row(2, "-2", 9), *amended, *OLD[6:], row(9, "-7", 1, "ar")]
    _, rows = both(OLD, new)
    columns = (
        "module",
        "voucher_id",
        "reference",
        "change",
        "lines_before",
        "lines_after",
        "debit_before",
        "debit_after",
    )
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("ar", 9, "R-9", "added", 0, 1, 0, 7),
        ("gl", 1, "R-1", "removed", 2, 0, 1, 0),
        ("gl", 2, "R-2", "reposted", 2, 2, 2, 2),
        ("gl", 3, "R-3b", "amended", 2, 3, 3, 5),
    ]
    assert all({name: change[name] for name in LOAD.columns()} == LOAD.columns() for change in rows)


def test_what_a_posting_leaves_out_is_left_out_of_the_row() -> None:
    _, (found,) = both([], [row(None, "1", 1, None, reference=None)])
    assert (found["module"], found["voucher_id"], found["reference"]) == (None, None, None)


def test_two_modules_and_none_are_different_vouchers() -> None:
    old = [row(1, "1", 1, "ar"), row(1, "2", 2, "gl"), row(1, "3", 3, None)]
    assert changed(compared(old, old)) == {}
    changes = compared(old, [old[0], old[1], row(1, "4", 3, None)])
    assert changes.first["amended"] == [" 1 (R-1)"]


def test_the_parts_share_the_vouchers_whatever_numbers_these_have() -> None:
    """No part is much larger than the others, also if the service counts by tens; lines of a voucher stay together."""
    sizes: list[int] = []
    many = [row(number, "1", number) for number in range(10, 40_000, 10)] * 2
    with at("changes.share_added", lambda vouchers: sizes.append(vouchers)):
        changes = compared(many, many, size=2_000, lines=7 * SHARE_LINES)
    assert changed(changes) == {}
    parts = sizes[-8:]
    assert sum(parts) == 3_999
    assert max(parts) < 600


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


def kept(destination: Any) -> list[Row]:
    found: list[Row] = destination.read_table("changes", "demo", Window.of(date(2026, 1, 1))).to_pylist()
    return found


def test_a_run_says_which_vouchers_are_not_what_they_were(
    company: Company, destination: Any, caplog: pytest.LogCaptureFixture
) -> None:
    company.voucher("GL-1", "2026-01-02", "1020", "2800", "1000")
    resaved, amended, deleted = (company.sale(f"R-{n}", "2026-01-10") for n in (1, 2, 3))
    first = extract(company, destination)
    assert (first.as_dict()["changes"], first.windows[0].changes) == ({}, None), "the first load changes nothing"
    assert kept(destination) == []

    company.resave(resaved, company.document(resaved))
    alone = extract(company, destination)
    assert (alone.months("unchanged"), alone.as_dict()["changes"]) == (["2026-01"], {})
    assert kept(destination) == []

    company.resave(resaved, company.document(resaved))
    company.resave(amended, company.document(amended) | {"description": "Anderer Text"})
    company.delete(deleted)
    company.sale("R-4", "2026-01-20")
    with caplog.at_level(logging.INFO):
        result = extract(company, destination)
    assert result.as_dict()["changes"] == {"2026-01": {"added": 1, "removed": 1, "amended": 1, "reposted": 1}}
    (changes,) = (month.changes for month in result.windows)
    assert changes is not None
    assert changes.first["reposted"] == [f"ar {resaved} (R-1)"]
    assert changes.first["amended"] == [f"ar {amended} (R-2)"]
    assert changes.first["removed"] == [f"ar {deleted} (R-3)"]
    assert changes.first["added"][0].endswith("(R-4)")
    assert "2026-01: vouchers since it was loaded before: 1 added (ar " in caplog.text
    assert "Anderer Text" not in caplog.text
    assert result.as_dict()["closed_month_changed"] == []
    (added,) = (change["voucher_id"] for change in kept(destination) if change["change"] == "added")
    rows = {
        (resaved, "R-1", "reposted", 3, 3, raw("108.1"), raw("108.1")),
        (amended, "R-2", "amended", 3, 3, raw("108.1"), raw("108.1")),
        (deleted, "R-3", "removed", 3, 0, raw("108.1"), raw(0)),
        (added, "R-4", "added", 0, 3, raw(0), raw("108.1")),
    }
    assert {tuple(change[name] for name in TOLD) for change in kept(destination)} == rows
    assert {change["load_id"] for change in kept(destination)} == {result.load_id}

    company.delete(added)
    last = extract(company, destination)
    assert len(kept(destination)) == 5, "those of earlier loads stay"
    assert [change["change"] for change in kept(destination) if change["load_id"] == last.load_id] == ["removed"]
    extract(company, destination)
    assert len(kept(destination)) == 5


def test_vouchers_are_only_looked_at_where_a_month_has_changed(
    company: Company, memory: MemoryDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    for place in (MemoryDestination, "read_loaded"), (MemoryStage, "read_staged"):
        real = getattr(*place)

        def look(*given: Any, real: Any = real, name: str = place[1]) -> Any:
            # Fingerprints read other columns.
            if given[-1] == COLUMNS:
                looked.append(name)
            return real(*given)

        monkeypatch.setattr(*place, look)
    company.voucher("GL-1", "2026-01-02", "1020", "2800", "1000")
    assert (extract(company, memory).months("changed"), looked) == (["2026-01"], []), "never loaded before"
    assert (extract(company, memory).months("changed"), looked) == ([], [])
    company.voucher("GL-2", "2026-01-02", "1020", "2800", "1000")
    assert extract(company, memory).months("changed") == ["2026-01"]
    assert sorted(looked) == ["read_loaded", "read_staged"]


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
        record
        for record in caplog.records
        if record.levelno == logging.WARNING and "books are closed" in record.getMessage()
    ]
    assert len(warned) == alarm
    assert extract(company, memory, closed_until=closed_until).as_dict()["closed_month_changed"] == []
