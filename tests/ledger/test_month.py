"""One month: read until the books stand still, proven, and replaced or not."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.ledger.extract_run import ExtractRun
from airflow_provider_rma.ledger.month import ATTEMPTS, MonthRun
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.verdicts import ReasonCode, Verdict
from airflow_provider_rma.ledger.result import MonthState, WindowResult
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.fake_books import FakeBooks
from tests.support.ledger.memory import MemoryDestination

JANUARY, FEBRUARY = Window.of(date(2026, 1, 1)), Window.of(date(2026, 2, 1))


@pytest.fixture
def books() -> FakeBooks:
    """Books with a voucher in January and one in February."""
    books = FakeBooks()
    books.voucher(1, "2026-01-05", "1020", "2800", "1000")
    books.voucher(2, "2026-02-10", "1020", "3400", "50")
    return books


def begin(books: FakeBooks, memory: MemoryDestination, **options: Any) -> ExtractRun:
    client: Any = books
    given: dict[str, Any] = {
        "load_id": "load-1",
        "kinds": AccountKinds(),
        "tolerance": Decimal("0.01"),
        "keep_unproven": False,
        "content_type": "xml",
        "task_run": "",
        "skip_unchanged": False,
    }
    run = ExtractRun(client=client, destination=memory, **given | options)
    run.read_chart()
    return run


def extract(books: FakeBooks, memory: MemoryDestination, window: Window = JANUARY, **options: Any) -> WindowResult:
    return MonthRun(begin(books, memory, **options), window).execute()


def test_a_month_is_read_proven_and_loaded(books: FakeBooks, memory: MemoryDestination) -> None:
    result = extract(books, memory)
    assert (result.state, result.verdict, result.rows, result.attempts) == (MonthState.CHANGED, Verdict.EXACT, 2, 1)
    assert [row["account_name"] for row in memory.all_postings()] == ["Bank", "Capital"]
    assert memory.steps == ["commit 2026-01"]


def test_a_month_of_the_same_content_is_confirmed(books: FakeBooks, memory: MemoryDestination) -> None:
    extract(books, memory)
    result = extract(books, memory, load_id="load-2")
    assert (result.state, result.rows_before) == (MonthState.UNCHANGED, 2)
    assert {row["load_id"] for row in memory.all_postings()} == {"load-1"}


def test_a_changed_month_says_which_vouchers_changed(books: FakeBooks, memory: MemoryDestination) -> None:
    extract(books, memory)
    books.voucher(3, "2026-01-20", "1020", "2800", "5")
    books.closed_until = date(2026, 1, 31)
    result = extract(books, memory)
    assert result.changes is not None
    assert result.changes.first["added"] == ["gl 3 (GL-3)"]
    assert [reason.code for reason in result.reasons] == [ReasonCode.CLOSED_MONTH_CHANGED]


def test_a_month_whose_books_move_once_is_read_again(books: FakeBooks, memory: MemoryDestination) -> None:
    booked = iter([7])

    def book() -> None:
        for number in booked:
            books.voucher(number, "2026-01-06", "1020", "2800", "1")

    books.moved = book
    result = extract(books, memory)
    assert (result.attempts, result.verdict, result.rows) == (2, Verdict.EXACT, 4)


def test_a_month_whose_books_never_stand_still_is_unsettled(books: FakeBooks, memory: MemoryDestination) -> None:
    books.moved = lambda: books.voucher(len(books.postings), "2026-01-06", "1020", "2800", "1")
    result = extract(books, memory)
    assert (result.attempts, result.verdict, result.state) == (ATTEMPTS, Verdict.UNSETTLED, MonthState.REJECTED)
    assert memory.steps == ["reject 2026-01"]


def test_a_response_that_breaks_off_once_is_asked_for_again(books: FakeBooks, memory: MemoryDestination) -> None:
    broken = iter([True])
    books.breaks = lambda _: next(broken, False)
    result = extract(books, memory)
    assert (result.attempts, result.slices, result.verdict) == (2, (), Verdict.EXACT)


def test_a_month_that_breaks_off_twice_is_split_and_the_next_begins_with_its_slices(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    books.breaks = lambda request: request in ("postings 2026-01-01 2026-01-31", "postings 2026-02-01 2026-02-28")
    run = begin(books, memory)
    january = MonthRun(run, JANUARY).execute()
    assert (january.slices, january.verdict) == (("2026-01-01 to 2026-01-15", "2026-01-16 to 2026-01-31"), "exact")
    february = MonthRun(run, FEBRUARY).execute()
    assert (february.attempts, len(february.slices), february.verdict) == (1, 2, Verdict.EXACT)


def test_an_account_that_does_not_move_is_looked_up_once_a_run(books: FakeBooks, memory: MemoryDestination) -> None:
    run = begin(books, memory)
    for window in (FEBRUARY, FEBRUARY.next, FEBRUARY.next.next):
        assert MonthRun(run, window).execute().verdict is Verdict.EXACT
    assert Counter(books.requests)["account 2800"] == 1
    assert memory.conventions["demo"]["signs"] == {"1020": -1, "2800": 1, "3400": 1}


def test_an_unproven_month_is_loaded_only_if_that_is_wanted(books: FakeBooks, memory: MemoryDestination) -> None:
    books.postings[0]["amount"] -= 1
    books.list_balances = FakeBooks([]).list_balances  # type: ignore[method-assign]
    assert extract(books, memory).state is MonthState.REJECTED
    assert extract(books, memory, keep_unproven=True).state is MonthState.CHANGED


def test_a_month_of_the_same_balances_is_not_read_if_that_is_wanted(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    extract(books, memory)
    books.requests.clear()
    result = extract(books, memory, skip_unchanged=True, load_id="load-2")
    assert (result.state, result.verdict, result.rows) == (MonthState.SKIPPED, Verdict.BALANCES_ONLY, 2)
    assert not [request for request in books.requests if request.startswith("postings")]
    assert memory.whole("2026-01")["verdict"] == "balances_only"


def test_the_chart_is_asked_for_once_a_run_and_stored_with_its_first_month(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    run = begin(books, memory)
    assert memory.accounts == {}
    for window in (JANUARY, FEBRUARY):
        run.read_chart()
        MonthRun(run, window).execute()
    assert books.requests.count("chart") == 1
    assert [account["accno"] for account in memory.accounts["demo"]] == ["1020", "2800", "3400"]


def test_a_broken_month_of_the_same_content_has_no_changes(books: FakeBooks, memory: MemoryDestination) -> None:
    books.postings[0]["amount"] -= 7
    extract(books, memory, keep_unproven=True)
    result = extract(books, memory, keep_unproven=True, load_id="load-2")
    assert (result.state, result.verdict, result.changes) == (MonthState.UNCHANGED, Verdict.BROKEN, None)


def test_a_rappen_of_before_beside_vouchers_that_were_named_is_within_tolerance(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    """A voucher of the year before is off by a rappen, one of January by 7 francs and named: only the rappen is old."""
    books.voucher(9, "2025-03-05", "1020", "2800", "10")
    books.postings[-1]["amount"] += Decimal("0.01")
    books.postings[0]["amount"] -= 7
    assert extract(books, memory, keep_unproven=True).verdict is Verdict.BROKEN
    result = extract(books, memory, FEBRUARY)
    assert (result.verdict, result.books_off_by) == (Verdict.EXACT, Decimal("-6.99"))


def test_a_voucher_that_is_named_explains_later_months_also_beside_an_account_of_unknown_sign(
    books: FakeBooks, memory: MemoryDestination
) -> None:
    """3400 moves in January for the first time; the month teaches no sign, since a voucher of it does not balance."""
    books.voucher(3, "2026-01-20", "1020", "3400", "9")
    books.postings[0]["amount"] -= 7
    run = begin(books, memory)
    january, february = (MonthRun(run, window).execute() for window in (JANUARY, FEBRUARY))
    assert january.verdict is Verdict.BROKEN
    assert ReasonCode.SIGN_UNKNOWN in {reason.code for reason in january.reasons}
    assert (february.verdict, february.books_off_by) == (Verdict.EXACT, -7)
