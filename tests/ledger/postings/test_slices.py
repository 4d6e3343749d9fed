"""How a window is cut into parts: pure, and over HTTP with a service that cannot give it as a whole."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_rma.exceptions import (
    AuthenticationError,
    IncompleteResponseError,
    RejectedError,
    RequestError,
    ServerError,
    UnexpectedResponseError,
)
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.postings.slices import Slice, SlicePlan, account_classes
from airflow_provider_rma.ledger.result import LedgerResult
from airflow_provider_rma.ledger.windows import Window, list_windows
from tests.support.ledger.company import Company, warehouse_rows
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy
from tests.support.ledger.unread_months import raises_unread

QUARTER: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-03-31"}
FEBRUARY: dict[str, Any] = {"from_date": "2026-02-01", "to_date": "2026-02-28"}
ACCOUNTS = ("1020", "1100", "2201", "10200")


def extract(company: Company, memory: MemoryDestination, host: str, **kwargs: Any) -> LedgerResult:
    with company.client(host) as client:
        return extract_ledger(client, memory, **QUARTER | kwargs)


# ---------------------------------------------------------------------- cutting


@pytest.mark.parametrize("month", [window.start for window in list_windows("2027-12-01", "2028-12-31")], ids=str)
def test_parts_cover_every_day_of_the_window_once_however_fine(month: date) -> None:
    window = Window.of(month)
    for longest in range(1, 32):
        plan = SlicePlan(window, days=longest)
        covered = Counter(part.start + timedelta(days=day) for part in plan.slices for day in range(part.days))
        assert sorted(covered) == [window.start + timedelta(days=day) for day in range(covered.total())]
        assert max(covered) == window.end
        assert set(covered.values()) == {1}
        assert plan.longest <= longest
        assert plan.slices == sorted(plan.slices)


def test_account_classes_cover_every_account_once() -> None:
    numbers = ["1020", "1100", "2201", "10200", "5", "3400.1", "A100", ""]
    assert account_classes(numbers) == ["1xxx", "1xxxx", "2xxx", "3400.1", "5", "A100"]
    for number in filter(None, numbers):
        patterns = [pattern.replace("x", "[0-9]") for pattern in account_classes(numbers)]
        fitting = [pattern for pattern in patterns if re.fullmatch(pattern, number)]
        assert len(fitting) == 1, number


def test_a_window_is_halved_down_to_days_then_read_by_accounts_then_fails_loudly() -> None:
    plan = SlicePlan(Window.of(date(2026, 2, 1)), ACCOUNTS)
    told = []
    for _ in range(5):
        plan.refine(plan.slices[0], ServerError("the service failed", status=500))
        told.append(str(plan.slices[0]))
    assert told == [
        "2026-02-01 to 2026-02-14", "2026-02-01 to 2026-02-07", "2026-02-01 to 2026-02-03", "2026-02-01",
        "2026-02-01, accounts 1xxx",
    ]  # fmt: skip
    assert list(map(str, plan.slices[:4])) == [
        "2026-02-01, accounts 1xxx", "2026-02-01, accounts 1xxxx", "2026-02-01, accounts 2xxx",
        "2026-02-02 to 2026-02-03",
    ]  # fmt: skip
    with pytest.raises(ServerError) as caught:
        plan.refine(plan.slices[0], ServerError("the service failed", status=500))
    assert "2026-02 was asked for in ever smaller parts" in str(caught.value)
    assert "(2026-02-01, accounts 1xxx)" in str(caught.value)


@pytest.mark.parametrize(
    ("error", "split"),
    [
        (IncompleteResponseError("no whole response within 1200 s"), True),
        (ServerError("the service failed", status=504), True),
        (RejectedError("the service refused the request", status=413), True),
        (UnexpectedResponseError("a status that is not documented", status=413), True),
        (RejectedError("the service refused the request", status=400), False),
        (UnexpectedResponseError("HTML", status=200), False),
        (AuthenticationError("the service refuses the token", status=401), False),
    ],
)
def test_only_what_smaller_parts_can_help_against_is_split(error: RequestError, split: bool) -> None:
    plan = SlicePlan(Window.of(date(2026, 2, 1)), ACCOUNTS)
    if split:
        plan.refine(plan.slices[0], error)
        assert len(plan.slices) == 2
    else:
        with pytest.raises(type(error)):
            plan.refine(plan.slices[0], error)
        assert plan.slices == [Slice(date(2026, 2, 1), date(2026, 2, 28))]


# ---------------------------------------------------------------------- over HTTP


def asked(target: str) -> tuple[int, str]:
    """Days and accounts that a request for postings asks for."""
    path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
    first, last = (date.fromisoformat(query[name][0]) for name in ("from_date", "to_date"))
    return (last - first).days + 1, path.split("/")[-2]


class Limited:
    """A service that gives no more than some days of postings, and on some days only single classes of accounts.

    :param refuse: what it does to an answer that is too large.
    :param days: the days it gives.
    :param busy: a day that it gives only by accounts.
    """

    def __init__(self, proxy: TamperingProxy, refuse: Callable[[Reply], Reply], days: int, busy: str = "") -> None:
        self.refused = 0
        self._proxy, self._refuse, self._days, self._busy = proxy, refuse, days, busy
        proxy.change("transactions", self)

    def __call__(self, reply: Reply) -> Reply | None:
        target = self._proxy.targets[-1]
        days, accounts = asked(target)
        whole = accounts == "x" and bool(self._busy) and f"from_date={self._busy}" in target
        # All postings of one account, since the beginning, are asked for once and are no window.
        if accounts.isdigit() or not (days > self._days or whole):
            return None
        self.refused += 1
        return self._refuse(reply)


def failing(status: int, content: bytes = b"") -> Callable[[Reply], Reply]:
    return lambda reply: Reply(content, status)


REFUSALS: dict[str, Callable[[Reply], Reply]] = {
    "500": failing(500, b"<error>Heap</error>"),
    "504 of a gateway": failing(504, b"<html><body>Gateway Timeout</body></html>"),
    "413": failing(413),
    "413 with its own text": failing(413, b"<error>zu gross</error>"),
    "cut document": lambda reply: Reply(reply.body[: len(reply.body) // 2], headers=reply.headers),
    "cut connection": lambda reply: Reply(
        reply.body[:-20], headers=reply.headers | {"Content-Length": str(len(reply.body)), "Connection": "close"}
    ),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_month_that_cannot_be_had_as_a_whole_is_read_in_parts_and_proven_as_one(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy, how: str
) -> None:
    Limited(proxy, REFUSALS[how], days=8)
    result = extract(trading, memory, proxy.url)
    assert (result.verdict, result.rows) == ("exact", 16)
    assert warehouse_rows(memory.all_postings()) == trading.rows(date(2026, 1, 1), date(2026, 3, 31))
    assert memory.steps == ["commit 2026-01", "commit 2026-02", "commit 2026-03"]
    assert result.as_dict()["split"] == {"2026-01": 4, "2026-02": 4, "2026-03": 4}
    assert memory.loads[0]["announced"] == 10


def test_a_day_that_is_too_large_is_read_by_classes_of_accounts(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    Limited(proxy, failing(413), days=1, busy="2026-02-10")
    with caplog.at_level(logging.INFO):
        result = extract(trading, memory, proxy.url, **FEBRUARY)
    assert (result.verdict, result.rows) == ("exact", 4)
    classes = [part for part in result.windows[0].slices if part.startswith("2026-02-10")]
    assert classes[0] == "2026-02-10, accounts 1xxx"
    assert "2026-02-10, accounts 6xxx" in classes
    assert len(result.windows[0].slices) == 27 + len(classes)
    assert "2026-02-10 could not be had" in caplog.text
    assert f"2026-02: read in {27 + len(classes)} parts: 2026-02-01; 2026-02-02; " in caplog.text
    (load,) = memory.loads
    requests = [target for target in proxy.targets if "transactions" in target or "saldo" in target]
    assert load["calls"] == result.calls == len(requests)


def test_the_floor_is_named_and_the_old_month_stays(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    extract(trading, memory, proxy.url, **FEBRUARY)
    before = dict(memory.postings)
    proxy.change("transactions", failing(413))
    with raises_unread(UnexpectedResponseError, r"even the smallest \(2026-02-01, accounts 1xxx\) could not be had"):
        extract(trading, memory, proxy.url, **FEBRUARY)
    assert (memory.postings, memory.steps) == (before, ["commit 2026-02", "reject 2026-02"])


def test_the_next_month_begins_with_parts_that_worked(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    limited = Limited(proxy, failing(413), days=8)
    result = extract(trading, memory, proxy.url)
    assert limited.refused == 3, "January: the month and its two halves; then nobody asks for that much again"
    assert result.windows[1].calls <= 4 + 6 + 5


def test_a_service_that_tires_in_the_middle_is_asked_for_the_rest_only(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    """Parts that came are not asked for again."""
    Limited(proxy, failing(500), days=20)
    extract(trading, memory, proxy.url, **FEBRUARY)
    spans = [asked(target)[0] for target in proxy.targets if "/x/transactions" in target]
    assert spans == [28, 28, 14, 14], "the client's own second try, then two halves"


def test_an_answer_that_breaks_off_by_accident_is_not_split(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    times = count(1)
    proxy.change(
        "transactions", lambda reply: Reply(reply.body[:-30], 200, reply.headers) if next(times) == 1 else None
    )
    result = extract(trading, memory, proxy.url, **FEBRUARY)
    assert (result.verdict, result.as_dict()["split"], result.windows[0].attempts) == ("exact", {}, 2)


@pytest.mark.parametrize("body", [b"", b"<transactions number_of_transaction='1'>"])
def test_a_month_whose_answers_always_end_early_is_given_up_after_few_requests(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy, body: bytes
) -> None:
    proxy.change("transactions", lambda reply: Reply(body, headers=reply.headers))
    with raises_unread(IncompleteResponseError, r"even the smallest \(2026-02-01, accounts 1xxx\) could not be had"):
        extract(trading, memory, proxy.url, **FEBRUARY)
    lists = [target for target in proxy.targets if "transactions" in target]
    wholes = [target for target in lists if "from_date=2026-02-01&to_date=2026-02-28" in target]
    tries = [target for target in lists if "x/transactions?from_date=2026-02-01&" in target]
    assert len(wholes) == 2, "once more, since it may have been an accident"
    assert len(tries) - tries.count(wholes[0]) == len({*tries} - {*wholes}), "each smaller part only once"


def test_postings_that_are_in_no_part_are_missed_by_the_proof(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    """A part that comes empty although it is not makes the whole month unproven."""
    Limited(proxy, failing(413), days=14)
    empty = b'<?xml version="1.0"?><transactions number_of_transaction="0"/>'
    proxy.change(
        "transactions.*from_date=2026-02-01.*to_date=2026-02-14", lambda reply: Reply(empty, 200, reply.headers)
    )
    result = extract(trading, memory, proxy.url, on_unproven="keep", **FEBRUARY)
    assert result.unproven == {"2026-02": "broken"}
