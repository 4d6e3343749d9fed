"""An account gets another number: same id in the chart. Its months are read again, and no link between them breaks."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.ledger.result import LedgerResult
from tests.ledger.test_further_months import MONTHS, contradictions, extract
from tests.support.ledger.fake_books import CHART, FakeBooks
from tests.support.ledger.memory import MemoryDestination


@pytest.fixture
def books() -> FakeBooks:
    """Half a year with a sale in each month; the chart states ids."""
    books = FakeBooks(ids={accno: 7000 + place for place, accno in enumerate(CHART)})
    books.voucher(1, "2024-12-05", "1020", "2800", "1000")
    for number, month in enumerate(MONTHS):
        books.voucher(10 + number, f"{month}-10", "1020", "3400", "50")
    return books


@pytest.fixture
def memory(books: FakeBooks) -> MemoryDestination:
    memory = MemoryDestination()
    assert extract(books, memory, MONTHS[0], MONTHS[-1]).verdict == "exact"
    return memory


def load_last(books: FakeBooks, memory: MemoryDestination, **options: Any) -> LedgerResult:
    return extract(books, memory, MONTHS[-1], MONTHS[-1], **options)


def numbers(memory: MemoryDestination) -> set[str]:
    return {row["accno"] for row in memory.all_postings()} | {
        row["accno"] for rows in memory.balances.values() for row in rows
    }


@pytest.mark.parametrize(("old", "new"), [("1020", "1021"), ("3400", "3405"), ("2800", "2801"), ("1020", "102000")])
def test_every_month_has_the_new_number_after_one_run(
    books: FakeBooks, memory: MemoryDestination, old: str, new: str
) -> None:
    books.renumber(old, new)
    result = load_last(books, memory)
    assert result.verdict == "exact"
    assert [str(month.window) for month in result.windows] == MONTHS
    assert all("renumbered" in {reason.code for reason in month.reasons} for month in result.windows)
    assert result.as_dict()["renumbered"] == {old: new}
    assert numbers(memory) == (CHART.keys() - {old}) | {new}
    assert contradictions(memory) == []
    rows = {row["accno"]: row["rma_id"] for row in memory.accounts["demo"]}
    assert rows == books.ids


def test_it_is_said_once(books: FakeBooks, memory: MemoryDestination) -> None:
    books.renumber("1020", "1021")
    load_last(books, memory)
    result = load_last(books, memory)
    assert (len(result.windows), result.as_dict()["renumbered"], result.reasons()) == (1, {}, [])


def test_the_sign_goes_along_and_is_not_learnt_anew(books: FakeBooks, memory: MemoryDestination) -> None:
    learnt = memory.conventions["demo"]["signs"]
    books.renumber("1020", "1021")
    load_last(books, memory)
    assert memory.conventions["demo"]["signs"] == {"1021": learnt["1020"], "2800": 1, "3400": 1}


def test_accounts_that_swap_their_numbers(books: FakeBooks, memory: MemoryDestination) -> None:
    books.chart |= {"1030": "Deposit"}
    books.ids |= {"1030": 7100}
    books.voucher(3, "2025-01-15", "1030", "1020", "200")
    assert extract(books, memory, MONTHS[0], MONTHS[-1]).verdict == "exact"
    for old, new in (("1020", "-"), ("1030", "1020"), ("-", "1030")):
        books.renumber(old, new)
    for _ in range(2):
        assert load_last(books, memory).verdict == "exact"
        openings = {row["accno"]: row["opening"] for row in memory.balances["demo", MONTHS[-1]]}
        assert (openings["1020"], openings["1030"]) == (200, 1050)
        assert contradictions(memory) == []


def test_more_months_than_a_run_may_follow_are_named_and_read_by_the_next_runs(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    books.renumber("1020", "1021")
    result = load_last(books, memory, max_chain_months=2)
    assert result.verdict == "exact"
    assert result.as_dict()["stale"] == MONTHS[:3]
    assert load_last(books, memory, max_chain_months=2).as_dict()["stale"] == MONTHS[:1]
    last = load_last(books, memory, max_chain_months=2)
    assert (last.as_dict()["stale"], last.as_dict()["renumbered"]) == ([], {"1020": "1021"})
    assert "1020" not in numbers(memory)


def test_a_run_that_ends_early_leaves_the_rest_to_the_next(books: FakeBooks, memory: MemoryDestination) -> None:
    """The chart is stored before the months are read: what has to be read again is known all the same."""
    books.renumber("1020", "1021")

    def end() -> None:
        raise KeyboardInterrupt

    books.moved = end
    with pytest.raises(KeyboardInterrupt):
        load_last(books, memory)
    books.moved = lambda: None
    assert load_last(books, memory).verdict == "exact"
    assert "1020" not in numbers(memory)


def test_a_new_account_beside_one_that_is_gone_is_no_other_number(books: FakeBooks, memory: MemoryDestination) -> None:
    books.chart |= {"1021": "Other bank"}
    books.ids |= {"1021": 7100}
    books.voucher(3, "2025-06-15", "1021", "1020", "200")
    result = load_last(books, memory)
    assert (result.verdict, result.as_dict()["renumbered"]) == ("exact", {})
    assert len(result.windows) == 1


@pytest.mark.parametrize("ids", [{}, dict.fromkeys(CHART, 7), dict.fromkeys(CHART, 0)], ids=["none", "equal", "zero"])
def test_without_ids_that_tell_nothing_is_renumbered(ids: dict[str, int]) -> None:
    """As before: the months are read again as far as their balances differ."""
    books, memory = FakeBooks(ids=ids), MemoryDestination()
    for number, month in enumerate(MONTHS):
        books.voucher(10 + number, f"{month}-10", "1020", "3400", "50")
    assert extract(books, memory, MONTHS[0], MONTHS[-1]).verdict == "exact"
    books.ids = {}
    books.renumber("1020", "1021")
    result = load_last(books, memory)
    assert result.as_dict()["renumbered"] == {}
    assert "1020" not in numbers(memory)


def test_a_warehouse_that_never_heard_of_ids_learns_them(books: FakeBooks, memory: MemoryDestination) -> None:
    memory.conventions["demo"].pop("numbers")
    assert load_last(books, memory).as_dict()["renumbered"] == {}
    books.renumber("1020", "1021")
    assert load_last(books, memory).as_dict()["renumbered"] == {"1020": "1021"}
