"""Whatever goes wrong while the ledger is carried into a warehouse: each month there is the old one or the new one,
never a mixture, and the next undisturbed run gives the books.

``TEST_SCOPE=all`` tries each fault in many more places; ``make chaos`` and ``make test-all`` do so.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.exceptions import (
    AuthenticationError,
    DestinationError,
    ServerError,
    UnprovenError,
)
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company, start
from tests.support.ledger.extraction_process import Extraction, extraction
from tests.support.ledger.loaded_warehouse import FEBRUARY, KINDS, Carried, Quarter, carried
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy
from tests.support.ledger.unread_months import raises_unread
from tests.support.scope import IS_WHOLE

POSTINGS = "/x/transactions"


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    with start(tmp_path_factory.mktemp("quarter")) as simulator:
        yield Quarter(Company(simulator))


@pytest.fixture
def proxy(quarter: Quarter) -> Iterator[TamperingProxy]:
    with TamperingProxy(quarter.company.simulator.url) as proxy:
        yield proxy


def of_kinds(*usual: str) -> pytest.MarkDecorator:
    """The warehouses that a test is usually run on."""
    return pytest.mark.parametrize("ledger", KINDS if IS_WHOLE else usual, indirect=True)


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, quarter: Quarter, tmp_path: Path) -> Carried:
    """A warehouse of each kind that holds the books as they are."""
    return carried(request.param, quarter, tmp_path, request)


def undisturbed(ledger: Carried) -> None:
    """The next run repairs everything."""
    assert ledger.load().verdict == "exact"
    ledger.must_be(ledger.quarter.state())


# ---------------------------------------------------------------------- bodies cut short


def cuts(body: bytes, content_type: str) -> list[int]:
    """Every boundary of a tag (or of a JSON token), and the middle of what lies between two of them, as far as the end
    of the first posting and from the last one on: what is in between repeats itself."""
    pattern, item = (rb"<[^>]*>", b"</transaction>") if content_type == "xml" else (rb'"[^"]*"|[][{}:,]', b'"},{')
    bounds = sorted({0, *(place for match in re.finditer(pattern, body) for place in match.span())} - {len(body)})
    middles = [(one + other) // 2 for one, other in zip(bounds, [*bounds[1:], len(body)], strict=True)]
    first, last = body.index(item) + len(item), body.rindex(b"</accno>" if content_type == "xml" else b'"accno"')
    return [place for place in sorted({*bounds, *middles}) if place <= first or place >= last or IS_WHOLE]


@pytest.mark.parametrize(("kind", "content_type", "every"), [
    ("parquet", "xml", 23), ("parquet", "json", 37), ("duckdb", "xml", 23), ("postgres", "xml", 23),
])  # fmt: skip
def test_postings_cut_off_change_nothing(
    quarter: Quarter, tmp_path: Path, request: pytest.FixtureRequest, proxy: TamperingProxy,
    kind: str, content_type: Any, every: int,
) -> None:  # fmt: skip
    """Either the service refuses everything after the cut, and the old month stays; or it was cut off only once, and
    the month is read again."""
    ledger = carried(kind, quarter, tmp_path, request)
    old, new = quarter.state(), quarter.move()
    cut: list[bytes] = []
    sent: list[bytes] = []
    refusing = True

    def shorten(reply: Reply) -> Reply | None:
        sent.append(reply.body)
        return Reply(cut[-1], headers=reply.headers) if cut and len(sent) == 1 else None

    proxy.change(POSTINGS, shorten)
    proxy.change("saldo", lambda _: Reply(b"<error>gesperrt</error>", 403) if sent and refusing else None)
    with quarter.company.client(proxy.url) as client, ledger.warehouse.open() as destination:

        def run() -> LedgerResult:
            sent.clear()
            return extract_ledger(client, destination, **FEBRUARY, content_type=content_type)

        with pytest.raises(AuthenticationError):
            run()
        body = sent[0]
        places = cuts(body, content_type)
        assert len(places) >= 4
        places = places[:: 1 if IS_WHOLE else min(every, len(places) // 4)]
        for number, place in enumerate(places):
            cut.append(body[:place])
            refusing = number % 2 == 0
            if refusing:
                with pytest.raises(AuthenticationError):
                    run()
                assert len(sent) == 1, "the run came to the postings"
                assert ledger.state()["2026-02"] == old["2026-02"], f"cut at {place}"
            else:
                # The months that February is linked to have moved as well; the first to be read is read twice.
                months = run().windows
                assert {str(month.verdict) for month in months} == {"exact"}, f"cut at {place}"
                assert sum(month.attempts for month in months) == len(months) + 1, f"cut at {place}"
                assert ledger.state()["2026-02"] == new["2026-02"], f"cut at {place}"
                old, new = new, quarter.move()
    proxy.leave()
    undisturbed(ledger)


# ---------------------------------------------------------------------- a service that fails, and is slow


def test_500_in_the_middle_of_a_run(ledger: Carried, proxy: TamperingProxy) -> None:
    old = ledger.quarter.state()
    new = ledger.quarter.move()
    proxy.change(POSTINGS + ".*2026-02", lambda _: Reply(b"<error>Heap</error>", 500))
    proxy.change("1xxx/transactions.*2026-02", lambda _: Reply(b"<error>Heap</error>", 500))
    with raises_unread(ServerError, "ever smaller parts", "2026-02"):
        ledger.load(proxy.url)
    assert ledger.must_be(old, new) == [1, 0, 1]
    undisturbed(ledger)


def test_500_from_any_request_on(quarter: Quarter, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    ledger = carried("parquet", quarter, tmp_path, request)
    old = quarter.state()
    new = quarter.move()
    simulator = quarter.company.simulator
    for skip in range(22) if IS_WHOLE else (0, 2, 4, 7, 10, 20):
        simulator.control("POST", "/chaos", {"class": "any", "fault": "error", "skip": skip})
        try:
            with raises_unread(ServerError, "the service failed"):
                ledger.load()
        finally:
            simulator.control("DELETE", "/chaos")
        assert ledger.must_be(old, new) == [skip >= 8, skip >= 15, 0]
    undisturbed(ledger)


#: How many requests in a row are too slow: the month, its first half, the first quarter.
SLOW = [("duckdb", 1, "slow_commit"), ("postgres", 2, "slow_commit"), ("parquet", 3, "slow_commit"),
        ("parquet", 1, "slow_answer")]  # fmt: skip


@pytest.mark.parametrize(("kind", "times", "fault"), SLOW)
def test_time_outs_at_several_sizes(
    quarter: Quarter, tmp_path: Path, request: pytest.FixtureRequest, kind: str, times: int, fault: str
) -> None:
    """Silence meets the time-out between bytes, a trickle the one of the whole answer."""
    ledger = carried(kind, quarter, tmp_path, request)
    quarter.move()
    simulator = quarter.company.simulator
    rule = {"class": "read_transactions", "fault": fault, "seconds": "30", "count": 2 * times}
    simulator.control("POST", "/chaos", rule)
    seconds = 1.0
    try:
        result = ledger.load(read_timeout=seconds, total_deadline=seconds)
    finally:
        simulator.control("DELETE", "/chaos")
    assert result.verdict == "exact"
    assert result.as_dict()["split"]["2026-01"] == times + 1
    ledger.must_be(quarter.state())


# ---------------------------------------------------------------------- books that move


def booking(quarter: Quarter, times: int) -> Callable[[Reply], None]:
    """Somebody books while the postings are read, so many times."""
    numbers = count()

    def book(_: Reply) -> None:
        if next(numbers) < times:
            quarter.move()

    return book


@of_kinds("postgres")
def test_books_that_move_while_they_are_read(ledger: Carried, proxy: TamperingProxy) -> None:
    proxy.change(POSTINGS, booking(ledger.quarter, 1))
    result = ledger.load(proxy.url)
    assert (result.verdict, result.windows[0].attempts) == ("exact", 2)
    assert ledger.must_be(ledger.quarter.state()) == [0, 0, 0]


@of_kinds("duckdb")
def test_books_that_do_not_stand_still_leave_the_old_months(ledger: Carried, proxy: TamperingProxy) -> None:
    old = ledger.quarter.state()
    proxy.change(POSTINGS, booking(ledger.quarter, 99))
    with pytest.raises(UnprovenError) as caught:
        ledger.load(proxy.url)
    assert set(caught.value.windows.values()) == {"unsettled"}
    assert ledger.must_be(old, ledger.quarter.state()) == [0, 0, 0]
    undisturbed(ledger)


@of_kinds("parquet")
def test_books_that_move_in_months_that_were_done(ledger: Carried, proxy: TamperingProxy) -> None:
    """What is booked into January while February is read is found by the chain of months, in the same run."""
    ledger.quarter.move()
    states = [ledger.quarter.state()]
    seen: list[str] = []

    def book(_: Reply) -> None:
        if "2026-02" in proxy.targets[-1] and not seen:
            seen.append(proxy.targets[-1])
            states.append(ledger.quarter.move())

    proxy.change(POSTINGS, book)
    assert ledger.load(proxy.url).verdict == "exact"
    assert ledger.must_be(*states) == [1, 1, 1]
    undisturbed(ledger)


# ---------------------------------------------------------------------- kill -9


def killed_at(ledger: Carried, proxy: TamperingProxy, at: int, delay: float) -> int:
    """Kill a run some seconds after its request of that number; gives how many requests there were."""
    running: list[Extraction] = []
    arrived = threading.Event()
    killed = threading.Event()
    before = len(proxy.targets)

    def watch(_: Reply) -> None:
        number = len(proxy.targets) - before
        if number == at:
            arrived.set()
        elif number > at + 6:
            # A busy machine may be late to kill: the run comes no further than the month after.
            killed.wait(60)

    proxy.change("", watch)
    with extraction(ledger.job(proxy.url)) as one:
        running.append(one)
        assert arrived.wait(120)
        time.sleep(delay)
        one.kill()
        killed.set()
    proxy.leave()
    return len(proxy.targets) - before


def test_killed_anywhere(ledger: Carried, proxy: TamperingProxy) -> None:
    """At requests of every kind, and in the moments after the last one of a month, when it is loaded."""
    old = ledger.quarter.state()
    new = ledger.quarter.move()
    moments = [(5, 0.0), (8, 0.02), (15, 0.06), (22, 0.04)]
    if IS_WHOLE:
        moments = [(at, step / 100) for at in range(1, 23) for step in ((0,) if at % 7 != 1 else range(0, 10, 2))]
    for at, delay in moments:
        killed_at(ledger, proxy, at, delay)
        done = ledger.must_be(old, new)
        assert done == sorted(done, reverse=True), "in the order of the months"
        assert done[2] == 0 or at == 22
        if all(done):
            old, new = new, ledger.quarter.move()
    undisturbed(ledger)


@pytest.mark.parametrize(
    ("point", "content_type"),
    [
        ("decoder.configured", "xml"),
        ("window.staged", "xml"),
        ("window.staged", "json"),
        ("window.left", "xml"),
        ("window.left", "json"),
    ],
)
def test_a_killed_run_leaves_nothing_in_the_temporary_folder(
    quarter: Quarter, tmp_path: Path, request: pytest.FixtureRequest, point: str, content_type: str
) -> None:
    ledger = carried("duckdb", quarter, tmp_path, request)
    quarter.move()
    folder = tmp_path / "temporary"
    folder.mkdir()
    job = ledger.job(in_memory=0, folder=str(folder), kill_at=point)
    job.connection["content_type"] = content_type
    with extraction(job) as run, pytest.raises(EOFError):
        run.outcome()
    assert list(folder.iterdir()) == []


# ---------------------------------------------------------------------- no room


@pytest.fixture(scope="module")
def long_quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    """Months of some hundred kilobytes."""
    with start(tmp_path_factory.mktemp("long")) as simulator:
        yield Quarter(Company(simulator), lines=600)


#: Bytes that no file of the run can grow beyond. With DuckDB it is its own file that is too large at last.
LIMITS = {
    "duckdb": (0, 20_000, 200_000),
    "postgres": (0, 60_000),
    "parquet": (0, 20_000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_at_any_size(
    long_quarter: Quarter, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """The limits lie before, within and behind each of the files that are written."""
    ledger = carried(kind, long_quarter, tmp_path, request)
    old = long_quarter.state()
    new = long_quarter.move()
    for limit in (*LIMITS[kind], 10_000_000) if not IS_WHOLE else range(0, 400_000, 7_000):
        with extraction(ledger.job(largest_file=limit, in_memory=0)) as run:
            outcome = run.outcome()
        done = ledger.must_be(old, new)
        # DuckDB reports a failed commit as a transaction that may be tried again, whatever the reason.
        usual = outcome.removesuffix(", retryable") if kind == "duckdb" else outcome
        assert usual == ("" if all(done) else "DestinationError"), limit
        assert done == sorted(done, reverse=True)
        if all(done):
            break
    assert limit > 20_000, "something was cut off"
    undisturbed(ledger)


# ---------------------------------------------------------------------- two runs at once


def test_two_runs_at_once_on_the_same_months(ledger: Carried, proxy: TamperingProxy) -> None:
    old = ledger.quarter.state()
    new = ledger.quarter.move()
    with ExitStack() as stack:
        runs = [stack.enter_context(extraction(ledger.job())) for _ in range(2)]
        outcomes = [run.outcome() for run in runs]
    assert set(outcomes) <= {"", "DestinationError, retryable"}
    assert "" in outcomes
    assert ledger.must_be(old, new) == [1, 1, 1]
    undisturbed(ledger)


@of_kinds("duckdb", "parquet")
def test_two_runs_at_once_on_different_months(ledger: Carried) -> None:
    new = ledger.quarter.move()
    with ExitStack() as stack:
        jobs = [ledger.job(period=FEBRUARY), ledger.job(period={"from_date": "2026-03-01", "to_date": "2026-03-31"})]
        runs = [stack.enter_context(extraction(job)) for job in jobs]
        assert [run.outcome() for run in runs] == ["", ""]
    state = ledger.state()
    assert [state[month] for month in ("2026-02", "2026-03")] == [new[month] for month in ("2026-02", "2026-03")]
    undisturbed(ledger)


@of_kinds("postgres")
def test_a_run_that_finds_what_another_has_replaced_meanwhile(ledger: Carried, proxy: TamperingProxy) -> None:
    """The books change, another run carries that, the books change back: the postings of then must not stand beside
    the proof of now. What was loaded when the run began is what the run reads."""
    company, number = ledger.quarter.company, ledger.quarter.voucher("2026-02")
    seen: list[str] = []

    def meanwhile(_: Reply) -> None:
        if not seen:
            seen.append("now")
            before = company.document(number)
            ledger.quarter.move()
            ledger.load(period=FEBRUARY)
            company.resave(number, before)

    proxy.change(POSTINGS, meanwhile)
    with suppress(DestinationError):
        ledger.load(proxy.url, FEBRUARY)
    ledger.state()
    undisturbed(ledger)
