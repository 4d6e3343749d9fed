"""What a supersession supersedes is kept on request, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger.destinations.base import Destination, WindowTables
from airflow_provider_rma.ledger.destinations.history import IncomingHashes, Supersession
from tests.support.ledger.columns_page import PAGE
from tests.support.ledger.warehouses import Warehouse
from tests.support.ledger.window_fixtures import (
    AUGUST,
    JULY,
    TENANT,
    batch,
    load_row,
    load_window,
    posting,
    proofs,
    raw,
)

FIRST, SECOND, THIRD = (datetime(2026, 9, day, 3, 0, 0, 123456, UTC) for day in (1, 2, 3))
VOUCHER = [
    posting("1100", -300, voucher_id=7, entry_id=1),
    posting("3200", 300, voucher_id=7, entry_id=2),
    posting("6500", -20, voucher_id=8, entry_id=3),
    posting("1020", 20, voucher_id=8, entry_id=4),
]


def load(destination: Destination, rows: list[dict[str, Any]], name: str, moment: datetime) -> None:
    with destination.stage(TENANT, AUGUST) as stage:
        if rows:
            stage.write(batch(*({**row, "load_id": name} for row in rows)))
        stage.commit(
            WindowTables(
                balances=arrow_schemas.empty_table("balances"),
                proofs=proofs(load=name),
                load=load_row(len(rows), load=name, finished_at=moment),
            )
        )


def saved_again(rows: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    """As the service does it: new line numbers, and texts that were nothing may be empty."""
    return [{**row, "entry_id": row["entry_id"] + 100, "memo": row.get("memo") or "", **changes} for row in rows]


def history(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    names = ("accno", "entry_id", "load_id", "valid_from", "valid_to", "superseded_by")
    return sorted(tuple(row[name] for name in names) for row in warehouse.read("postings_history"))


def test_a_voucher_that_was_saved_again_without_a_change_leaves_no_history(warehouse: Warehouse) -> None:
    with warehouse.open(history=True) as destination:
        load(destination, VOUCHER, "L1", FIRST)
        load(destination, saved_again(VOUCHER[:2]) + VOUCHER[2:], "L2", SECOND)
    assert history(warehouse) == []
    rows = warehouse.read("postings")
    assert [row["entry_id"] for row in rows if row["voucher_id"] == 7] == [101, 102]
    assert {row["valid_from"] for row in rows} == {FIRST}


def test_an_amended_voucher_leaves_exactly_its_old_lines(warehouse: Warehouse) -> None:
    with warehouse.open(history=True) as destination:
        load(destination, VOUCHER, "L1", FIRST)
        amended = [posting("1100", -310, voucher_id=7, entry_id=5), posting("3200", 310, voucher_id=7, entry_id=6)]
        load(destination, amended + saved_again(VOUCHER[2:]), "L2", SECOND)
        assert history(warehouse) == [
            ("1100", 1, "L1", FIRST, SECOND, "L2"),
            ("3200", 2, "L1", FIRST, SECOND, "L2"),
        ]
        since = {row["accno"]: row["valid_from"] for row in warehouse.read("postings")}
        assert since == {"1100": SECOND, "3200": SECOND, "6500": FIRST, "1020": FIRST}
        load(destination, [], "L3", THIRD)
    assert history(warehouse) == [
        ("1020", 104, "L2", FIRST, THIRD, "L3"),
        ("1100", 1, "L1", FIRST, SECOND, "L2"),
        ("1100", 5, "L2", SECOND, THIRD, "L3"),
        ("3200", 2, "L1", FIRST, SECOND, "L2"),
        ("3200", 6, "L2", SECOND, THIRD, "L3"),
        ("6500", 103, "L2", FIRST, THIRD, "L3"),
    ]
    old = next(row for row in warehouse.read("postings_history") if row["entry_id"] == 1)
    assert {name: old[name] for name in contract.TABLES["postings"].names} == {
        **dict.fromkeys(contract.TABLES["postings"].names),
        **VOUCHER[0],
    }


def test_of_equal_lines_as_many_are_superseded_as_vanish(warehouse: Warehouse) -> None:
    same = [posting("1000", -5, entry_id=number) for number in range(4)]
    with warehouse.open(history=True) as destination:
        load(destination, same, "L1", FIRST)
        load(destination, saved_again(same[:3]), "L2", SECOND)
    assert [row[0] for row in history(warehouse)] == ["1000"]
    assert len(warehouse.read("postings")) == 3


def test_equal_lines_that_come_later_were_not_there_before(warehouse: Warehouse) -> None:
    same = [posting("1000", -5, entry_id=number) for number in range(4)]
    with warehouse.open(history=True) as destination:
        load(destination, same[:1], "L1", FIRST)
        load(destination, saved_again(same[:3]), "L2", SECOND)
        assert sorted(row["valid_from"] for row in warehouse.read("postings")) == [FIRST, SECOND, SECOND]
        load(destination, same[:2], "L3", THIRD)
    assert [row["valid_from"] for row in warehouse.read("postings_history")] == [SECOND]
    assert sorted(row["valid_from"] for row in warehouse.read("postings")) == [FIRST, SECOND]


def test_history_may_begin_later_and_rows_are_valid_since_they_are_known(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load(destination, VOUCHER, "L1", FIRST)
        load_window(destination, [posting("1000", 1)], window=JULY)
    with warehouse.open(history=True) as destination:
        load(destination, VOUCHER[2:], "L2", SECOND)
        load(destination, VOUCHER[3:], "L3", THIRD)
    assert history(warehouse) == [
        ("1100", 1, "L1", FIRST, SECOND, "L2"),
        ("3200", 2, "L1", FIRST, SECOND, "L2"),
        ("6500", 3, "L2", FIRST, THIRD, "L3"),
    ]


def test_other_tenants_and_windows_have_no_part_in_it(warehouse: Warehouse) -> None:
    with warehouse.open(history=True) as destination:
        load_window(destination, VOUCHER, window=JULY)
        load_window(destination, VOUCHER, tenant="other")
        load(destination, VOUCHER, "L1", FIRST)
        load_window(destination, [], window=JULY, load="L2")
    assert history(warehouse) == []
    assert len(warehouse.read("postings_history", window=JULY)) == 4
    assert warehouse.read("postings_history", tenant="other") == []


@pytest.mark.parametrize(("day", "total"), [("2026-09-02", -300), ("2026-09-04", -310)])
def test_what_was_known_on_a_day_can_be_asked_for(warehouse: Warehouse, day: str, total: int) -> None:
    if not warehouse.has_views:
        pytest.skip("amounts are texts in this database")
    with warehouse.open(history=True) as destination:
        load(destination, VOUCHER, "L1", FIRST)
        load(destination, [posting("1100", -310, voucher_id=7), *VOUCHER[1:]], "L2", THIRD)
    (query,) = re.findall(r"```sql\n(SELECT accno, sum\(amount\) FROM \(.*?)```", PAGE.read_text(), re.DOTALL)
    found = dict(warehouse.query(query.replace("demo", TENANT).replace("2026-10-01", day).replace(";", "")))
    assert found["1100"] == total


def test_without_it_there_is_no_history(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load(destination, VOUCHER, "L1", FIRST)
        load(destination, [], "L2", SECOND)
    with pytest.raises(Exception, match="postings_history"):
        warehouse.query("SELECT * FROM postings_history")


def test_a_run_without_history_still_loads_such_a_warehouse(warehouse: Warehouse) -> None:
    with warehouse.open(history=True) as destination:
        load(destination, VOUCHER, "L1", FIRST)
    with warehouse.open() as destination:
        load(destination, VOUCHER[:2], "L2", SECOND)
    assert history(warehouse) == []
    assert {row["valid_from"] for row in warehouse.read("postings")} == {None}


def test_the_views_read_such_a_warehouse(with_views: Warehouse) -> None:
    """They list the columns of postings; one more there must not disturb them."""
    with with_views.open(history=True) as destination:
        load(destination, VOUCHER, "L1", FIRST)
        load(destination, VOUCHER[:2], "L2", SECOND)
    assert with_views.query("SELECT count(*) FROM postings_proven") == [(2,)]
    assert with_views.query("SELECT count(*) FROM postings_keys") == [(2,)]


LINES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 3)), max_size=12)


def _batch(lines: Any) -> pa.RecordBatch:
    rows = [posting(f"{name}1", amount, entry_id=number) for number, (name, amount) in enumerate(lines)]
    return pa.RecordBatch.from_pylist(rows, schema=arrow_schemas.schema("postings"))


@given(before=LINES, after=LINES, cut=st.integers(1, 5))
def test_the_superseded_are_the_difference_of_the_two(before: Any, after: Any, cut: int) -> None:
    def read() -> Any:
        whole = _batch(before)
        for start in range(0, whole.num_rows, cut):
            part = whole.slice(start, cut)
            nulls = pa.nulls(part.num_rows, arrow_schemas.schema("postings_history").field("valid_from").type)
            yield part.append_column("valid_from", nulls)

    incoming = IncomingHashes()
    incoming.add(_batch(after))
    found = Supersession(read, {"L1": FIRST}, incoming.result(), SECOND).superseded_batches("L2")
    gone = Counter((row["accno"][0], row["amount"]) for part in found for row in part.to_pylist())
    assert gone == Counter((name, raw(amount)) for name, amount in before) - Counter(
        (name, raw(amount)) for name, amount in after
    )


@given(states=st.lists(LINES, min_size=1, max_size=5), cut=st.integers(1, 5))
def test_every_state_can_be_asked_for_afterwards(states: list[Any], cut: int) -> None:
    """Whatever came and went, also of equal lines: as of each moment there is what was loaded then."""
    moments = [FIRST + timedelta(hours=hour) for hour in range(len(states))]
    loaded: list[pa.RecordBatch] = []
    past: list[dict[str, Any]] = []
    for number, (lines, moment) in enumerate(zip(states, moments, strict=True)):
        arriving = _batch(lines)
        incoming = IncomingHashes()
        incoming.add(arriving)
        supersession = Supersession(lambda: iter(loaded), {}, incoming.result(), moment)  # noqa: B023 - called at once
        past += [row for part in supersession.superseded_batches(f"L{number}") for row in part.to_pylist()]
        pieces = [arriving.slice(start, cut) for start in range(0, arriving.num_rows, cut)]
        loaded = list(supersession.dated_batches(iter(pieces)))
    present = [row | {"valid_to": None} for part in loaded for row in part.to_pylist()]
    for lines, moment in zip(states, moments, strict=True):
        known = [
            (row["accno"][0], row["amount"])
            for row in past + present
            if row["valid_from"] <= moment and (row["valid_to"] is None or row["valid_to"] > moment)
        ]
        assert Counter(known) == Counter((name, raw(amount)) for name, amount in lines)
