"""Every month has its turn: what one of them suffers keeps no other from being read, and every run leaves a result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    DestinationError,
    IncompleteResponseError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    RequestError,
    RunMyAccountsError,
    ServerError,
    UnexpectedResponseError,
    UnprovenError,
)
from airflow_provider_rma.ledger.extract import MAX_LOST_MONTHS, extract_ledger
from airflow_provider_rma.ledger.pages.run import ledger_page
from airflow_provider_rma.ledger.proof.verdicts import ReasonCode
from airflow_provider_rma.ledger.result import LedgerResult, MonthState
from tests.support.ledger.fake_books import FakeBooks
from tests.support.ledger.memory import MemoryDestination

MONTHS = [f"2026-{number:02d}" for number in range(1, 7)]


@dataclass
class Books(FakeBooks):
    """Books of which some requests fail.

    :ivar fails: makes the error of a request, None if it does not fail.
    """

    fails: Callable[[str], RunMyAccountsError | None] = lambda request: None

    def list_balances(self, *, from_date: date | None, to_date: date, **given: Any) -> Iterator[dict[str, Any]]:
        self._fail(f"balances {from_date or 'ever'} {to_date}")
        return super().list_balances(from_date=from_date, to_date=to_date, **given)

    def open_transactions(self, accounts: str, *, from_date: date, to_date: date, **given: Any) -> Any:
        self._fail(f"postings {from_date} {to_date}")
        return super().open_transactions(accounts, from_date=from_date, to_date=to_date, **given)

    def _fail(self, request: str) -> None:
        error = self.fails(request)
        if error is not None:
            self.requests.append(request)
            raise error


@pytest.fixture
def books() -> Books:
    """Books with a voucher in each month from January to June."""
    books = Books()
    books.voucher(1, "2026-01-05", "1020", "2800", "1000")
    for number in range(1, 7):
        books.voucher(number + 1, f"2026-{number:02d}-10", "1020", "3400", "50")
    return books


class Extraction:
    """One run of January to June.

    :ivar result: what it handed on.
    :ivar error: what it ended with.
    """

    def __init__(self, books: Books, memory: MemoryDestination, last: str = "2026-06-30", **parameters: Any) -> None:
        results: list[LedgerResult] = []
        self.error: RunMyAccountsError | None = None
        client: Any = books
        period = {"from_date": "2026-01-01", "to_date": last, "today": date(2026, 7, 1)}
        try:
            extract_ledger(client, memory, on_result=results.append, **period | parameters)
        except RunMyAccountsError as error:
            self.error = error
        (self.result,) = results

    @property
    def states(self) -> list[str]:
        return [month.state.value for month in self.result.windows]


def failing_in(*months: str, error: Callable[[], RequestError], of: str = "postings") -> Callable[[str], Any]:
    """Fail the requests for postings of some months."""
    return lambda request: error() if request.startswith(of) and request.split()[1][:7] in months else None


ERRORS: dict[str, tuple[Callable[[], RequestError], bool]] = {
    "unexpected": (lambda: UnexpectedResponseError("posting 3 has no amount"), False),
    "refused": (lambda: RejectedError("the service refused the request"), False),
    "not found": (lambda: NotFoundError("there is nothing of that name"), False),
    "5xx": (lambda: ServerError("the service failed", status=500), True),
    "429": (lambda: RateLimitedError("the service asks to slow down"), True),
    "no connection": (lambda: ConnectionNotMadeError("no connection"), True),
    "cut off": (lambda: IncompleteResponseError("the connection was lost"), True),
    "time-out of the whole answer": (lambda: IncompleteResponseError("no whole response", retryable=False), False),
    "miscounted": (lambda: IncompleteResponseError("announced 3 and sent 2", is_miscounted=True), True),
}


@pytest.mark.parametrize("of", ["postings", "balances"])
@pytest.mark.parametrize("name", ERRORS)
def test_the_months_after_one_that_cannot_be_read_are_read(
    books: Books, memory: MemoryDestination, name: str, of: str
) -> None:
    make, retryable = ERRORS[name]
    books.fails = failing_in("2026-01", error=make, of=of)
    run = Extraction(books, memory)
    assert run.states == ["failed", *["changed"] * 5]
    assert isinstance(run.error, UnprovenError)
    assert run.error.windows == {"2026-01": "unproven"}
    assert run.error.retryable is retryable
    assert make().message in str(run.error)
    assert type(run.error.__cause__) is type(make())
    assert run.result.as_dict()["failed"] == ["2026-01"]


def test_a_month_that_fails_keeps_its_old_state_and_the_attempt_is_recorded(
    books: Books, memory: MemoryDestination
) -> None:
    Extraction(books, memory)
    old = memory.postings["demo", "2026-02"]
    books.voucher(9, "2026-02-20", "1020", "3400", "5")
    books.fails = failing_in("2026-02", error=lambda: UnexpectedResponseError("posting 3 has no amount"))
    run = Extraction(books, memory)
    assert run.states == ["unchanged", "failed", *["unchanged"] * 4]
    assert memory.postings["demo", "2026-02"] is old
    (row,) = (row for row in memory.read_table("proofs", "demo", run.result.windows[1].window).to_pylist()
              if not row["loaded"])  # fmt: skip
    assert row["verdict"] == "unproven"
    assert "posting 3 has no amount" in row["reasons"]
    assert not memory.loads[-5]["loaded"]
    books.fails = lambda request: None
    assert Extraction(books, memory).states == ["unchanged", "changed", *["unchanged"] * 4]


def test_the_month_after_one_that_cannot_be_read_is_proven_by_all_postings_before_it(
    books: Books, memory: MemoryDestination
) -> None:
    """The warehouse holds the old January, which is no neighbour to compare with; January is not asked for twice."""
    Extraction(books, memory)
    books.voucher(9, "2026-01-20", "1020", "3400", "5")
    books.fails = failing_in("2026-01", error=lambda: UnexpectedResponseError("posting 3 has no amount"))
    books.requests.clear()
    run = Extraction(books, memory)
    assert run.states == ["failed", *["unchanged"] * 5]
    assert {str(month.verdict) for month in run.result.windows[1:]} == {"exact"}
    assert ReasonCode.OPENING_MOVED in {reason.code for reason in run.result.windows[1].reasons}
    assert books.requests.count("postings 2026-01-01 2026-01-31") == 1


def test_an_opening_that_no_posting_explains_is_broken_also_behind_a_month_that_failed(
    books: Books, memory: MemoryDestination
) -> None:
    Extraction(books, memory, last="2026-01-31")

    def shifted(*, to_date: date, **given: Any) -> Any:
        for row in FakeBooks.list_balances(books, to_date=to_date, **given):
            yield row | ({"amount": row["amount"] + 7} if row["accountnumber"] in ("1020", "2800") else {})

    books.list_balances = shifted  # type: ignore[method-assign]
    books.fails = failing_in("2026-01", error=lambda: UnexpectedResponseError("posting 3 has no amount"))
    run = Extraction(books, memory, last="2026-02-28")
    assert run.states == ["failed", "rejected"]


def test_a_wrong_count_is_a_reason_of_its_own(books: Books, memory: MemoryDestination) -> None:
    books.fails = failing_in("2026-02", error=ERRORS["miscounted"][0])
    run = Extraction(books, memory)
    assert [reason.code for reason in run.result.windows[1].reasons] == [ReasonCode.COUNT_WRONG]
    assert books.requests.count("postings 2026-02-01 2026-02-28") == 1, "neither split nor repeated"


def test_a_service_that_is_gone_is_left_alone(books: Books, memory: MemoryDestination) -> None:
    books.fails = lambda request: ConnectionNotMadeError("no connection")
    run = Extraction(books, memory)
    assert run.states == ["failed"] * MAX_LOST_MONTHS
    assert len(books.requests) == MAX_LOST_MONTHS + 1, "the chart and one request of each month"
    assert [window.name for window in run.result.remaining] == MONTHS[MAX_LOST_MONTHS:]
    assert isinstance(run.error, UnprovenError)
    assert run.error.retryable
    assert "3 further months had no turn" in str(run.error)
    assert "no connection" in (run.result.as_dict()["ended_by"] or "")


def test_failures_that_are_not_alike_or_not_in_a_row_end_nothing(books: Books, memory: MemoryDestination) -> None:
    kinds = {"2026-01": "no connection", "2026-02": "no connection", "2026-03": "429", "2026-05": "429"}
    books.fails = lambda request: (
        ERRORS[kinds[request.split()[1][:7]]][0]()
        if request.startswith("balances 2026") and request.split()[1][:7] in kinds
        else None
    )
    assert Extraction(books, memory).states == ["failed", "failed", "failed", "changed", "failed", "changed"]


def test_answers_that_cannot_be_read_end_no_run_however_many(books: Books, memory: MemoryDestination) -> None:
    books.fails = lambda request: UnexpectedResponseError("the response is not JSON")
    run = Extraction(books, memory)
    assert run.states == ["failed"] * 6
    assert not run.result.remaining
    assert isinstance(run.error, UnprovenError)
    assert not run.error.retryable


ENDING: dict[str, RunMyAccountsError] = {
    "401": AuthenticationError("the service refuses the token", status=401),
    "403 of a firewall": AuthenticationError("access is refused, and not in the service's own words", status=403),
    "a certificate": ConnectionNotMadeError("the server's certificate is not trusted", retryable=False),
    "configuration": ConfigurationError("the connection cannot be used"),
}


@pytest.mark.parametrize("name", ENDING)
def test_what_holds_for_every_month_ends_the_run_and_leaves_its_result(
    books: Books, memory: MemoryDestination, name: str
) -> None:
    books.fails = lambda request: ENDING[name] if "2026-03-31" in request else None
    run = Extraction(books, memory)
    assert run.error is ENDING[name]
    assert run.states == ["changed", "changed"]
    assert [window.name for window in run.result.remaining] == MONTHS[2:]
    assert ENDING[name].message in run.result.ended_by


class FailingWarehouse(MemoryDestination):
    """Refuses to open the stage of a month, and everything afterwards."""

    is_lost = False

    def stage(self, tenant: str, window: Any) -> Any:
        self.is_lost = self.is_lost or window.name == "2026-03"
        if self.is_lost:
            raise DestinationError("no room")
        return super().stage(tenant, window)

    def read_table(self, name: str, tenant: str, window: Any) -> Any:
        if self.is_lost:
            raise DestinationError("no room")
        return super().read_table(name, tenant, window)

    def read_convention(self, tenant: str) -> Any:
        if self.is_lost:
            raise DestinationError("no room")
        return super().read_convention(tenant)


def test_a_warehouse_that_fails_ends_the_run_and_leaves_its_result(books: Books) -> None:
    run = Extraction(books, FailingWarehouse())
    assert isinstance(run.error, DestinationError)
    assert run.states == ["changed", "changed"]
    assert [window.name for window in run.result.remaining] == MONTHS[2:]
    page = ledger_page(run.result, proofs=())
    assert "The run ended before all months had their turn: no room" in page


def test_the_page_of_a_run_in_which_every_month_failed_names_them_and_why(
    books: Books, memory: MemoryDestination
) -> None:
    books.fails = lambda request: UnexpectedResponseError("the response is not JSON")
    run = Extraction(books, memory)
    proofs = [
        row for month in run.result.windows for row in memory.read_table("proofs", "demo", month.window).to_pylist()
    ]
    page = ledger_page(run.result, proofs=proofs)
    assert f"Could not be read, so the warehouse keeps what it had: {', '.join(MONTHS)}." in page
    assert "the response is not JSON" in page
    assert ReasonCode.READ_FAILED.advice in page
    assert "6 could not be read" in page


def test_a_receiver_that_fails_does_not_hide_why_the_run_failed(
    books: Books, memory: MemoryDestination, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: LedgerResult) -> None:
        raise OSError("no page")

    client: Any = books
    period = {"from_date": "2026-01-01", "to_date": "2026-02-28", "today": date(2026, 7, 1)}
    with pytest.raises(OSError, match="no page"):
        extract_ledger(client, memory, on_result=refuse, **period)
    books.fails = failing_in("2026-02", error=ERRORS["5xx"][0])
    with caplog.at_level(logging.ERROR), pytest.raises(UnprovenError):
        extract_ledger(client, memory, on_result=refuse, **period)
    assert "could not be handed on" in caplog.text


def test_a_failed_month_is_read_again_by_a_run_that_resumes(books: Books, memory: MemoryDestination) -> None:
    Extraction(books, memory)
    books.fails = failing_in("2026-02", error=ERRORS["unexpected"][0])
    Extraction(books, memory)
    books.fails = lambda request: None
    run = Extraction(books, memory, resume_since="1900-01-01")
    assert run.result.months(MonthState.DONE) == [month for month in MONTHS if month != "2026-02"]
    assert run.result.months(MonthState.UNCHANGED) == ["2026-02"]
