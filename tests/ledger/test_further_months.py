"""Later months of the warehouse that open otherwise since an earlier one was read again: read as well, or marked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.fake_books import FakeBooks
from tests.support.ledger.memory import MemoryDestination

MONTHS = [f"2025-{month:02}" for month in range(1, 7)]


@pytest.fixture
def books() -> FakeBooks:
    """Half a year with a sale in each month."""
    books = FakeBooks()
    books.voucher(1, "2024-12-05", "1020", "2800", "1000")
    for number, month in enumerate(MONTHS):
        books.voucher(10 + number, f"{month}-10", "1020", "3400", "50")
    return books


def extract(books: FakeBooks, memory: MemoryDestination, first: str, last: str, **options: Any) -> LedgerResult:
    client: Any = books
    return extract_ledger(client, memory, from_date=f"{first}-01", to_date=f"{last}-28", **options)


@pytest.fixture
def memory(books: FakeBooks) -> MemoryDestination:
    """A warehouse that holds the half-year."""
    memory = MemoryDestination()
    assert extract(books, memory, MONTHS[0], MONTHS[-1]).verdict == "exact"
    return memory


def contradictions(memory: MemoryDestination) -> list[str]:
    """Proven months that do not open as the proven month before closes."""
    found = []
    for before, month in pairwise(MONTHS):
        if {memory.whole(name)["verdict"] for name in (before, month)} != {"exact"}:
            continue
        closings = {row["accno"]: row["closing"] for row in memory.balances["demo", before] if row["basis"] == "to"}
        openings = {row["accno"]: row["opening"] for row in memory.balances["demo", month] if row["basis"] == "to"}
        found += [month] if closings != openings else []
    return found


def test_months_since_a_month_that_changed_are_read_as_well(books: FakeBooks, memory: MemoryDestination) -> None:
    books.voucher(2, "2025-02-20", "1020", "2800", "7")
    result = extract(books, memory, "2025-02", "2025-02")
    assert [str(month.window) for month in result.windows] == MONTHS[1:]
    assert (result.verdict, result.stale) == ("exact", [])
    assert contradictions(memory) == []
    assert memory.balances["demo", "2025-06"][0]["opening"] == 1257


def test_it_ends_at_the_first_month_that_agrees(books: FakeBooks, memory: MemoryDestination) -> None:
    books.voucher(2, "2025-02-20", "1020", "2800", "7")
    books.voucher(3, "2025-03-20", "2800", "1020", "7")
    result = extract(books, memory, "2025-02", "2025-02")
    assert [str(month.window) for month in result.windows] == ["2025-02", "2025-03"]
    assert contradictions(memory) == []


def test_a_change_that_leaves_the_balance_sheet_reads_nothing_else(books: FakeBooks, memory: MemoryDestination) -> None:
    result = extract(books, memory, "2025-02", "2025-02")
    assert [str(month.window) for month in result.windows] == ["2025-02"]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_what_is_beyond_the_limit_is_marked(books: FakeBooks, memory: MemoryDestination, limit: int) -> None:
    books.voucher(2, "2025-02-20", "1020", "2800", "7")
    result = extract(books, memory, "2025-02", "2025-02", max_chain_months=limit)
    assert result.as_dict()["stale"] == MONTHS[2 + limit :]
    assert result.verdict == "exact"
    assert contradictions(memory) == []
    marked = {month: memory.whole(month) for month in MONTHS[2 + limit :]}
    assert {row["verdict"] for row in marked.values()} == {"unproven"}
    assert all("opening_stale" in row["reasons"] for row in marked.values())
    # What is marked keeps its postings, and is never done: the next run reads it.
    assert len(memory.all_postings()) == 14
    later = extract(books, memory, MONTHS[0], MONTHS[-1], resume_since="1900-01-01")
    assert later.verdict == "exact"
    assert {str(month.window) for month in later.read} == {*marked}
    assert contradictions(memory) == []


def test_a_run_that_has_to_stop_marks_the_months_that_are_left(books: FakeBooks, memory: MemoryDestination) -> None:
    books.voucher(2, "2025-02-20", "1020", "2800", "7")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    times = iter([now, now, *(now + timedelta(hours=2) for _ in range(99))])
    result = extract(
        books, memory, "2025-02", "2025-02", stop_at=now + timedelta(hours=1), clock=lambda: next(times)
    )  # fmt: skip
    assert [str(month) for month in result.stale] == MONTHS[2:]
    assert contradictions(memory) == []


def test_a_later_month_that_cannot_be_proven_keeps_its_state_and_fails_the_run(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    results: list[LedgerResult] = []
    books.voucher(2, "2025-02-20", "1020", "2800", "7")
    books.voucher(3, "2025-04-20", "1020", "2800", "7")
    books.postings[-1]["amount"] += 5
    with pytest.raises(Exception, match="2025-04 \\(broken\\)"):
        extract(books, memory, "2025-02", "2025-02", on_result=results.append)
    assert [(str(month.window), str(month.verdict)) for month in results[0].windows] == [
        ("2025-02", "exact"), ("2025-03", "exact"), ("2025-04", "broken"),
    ]  # fmt: skip


def test_a_month_that_is_read_twice_in_a_run_says_what_the_run_changed(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    """While March is read, somebody books in February, which this run has replaced already, and takes it back."""
    books.voucher(2, "2025-02-20", "1020", "2800", "7")

    def book() -> None:
        asked = [request for request in books.requests if request.startswith("postings")]
        if asked[-1].startswith("postings 2025-03") and len(books.postings) == 16:
            books.voucher(3, "2025-02-21", "1020", "2800", "1")

    books.moved = book
    result = extract(books, memory, "2025-02", "2025-03")
    february = result.windows[0]
    assert (february.state, february.changes and february.changes.counts["added"]) == ("changed", 1)
    assert result.verdict == "exact"
    assert contradictions(memory) == []
