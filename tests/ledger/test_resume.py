"""A run goes on where another one stopped, and stops when it is told to; nothing is read twice, nothing left out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
import pytest

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.pages.run import ledger_page
from airflow_provider_rma.ledger.result import LedgerResult, MonthState
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.company import Company, warehouse_rows
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import TamperingProxy, amounts

QUARTER: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-03-31"}
MONTHS = ["2026-01", "2026-02", "2026-03"]
EVER = "1900-01-01"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def extract(company: Company, destination: Any, host: str | None = None, **kwargs: Any) -> LedgerResult:
    with company.client(host) as client:
        return extract_ledger(client, destination, **QUARTER | kwargs)


def clock_after(months: int) -> Callable[[], datetime]:
    """A clock that strikes twelve when so many months were begun: it is asked at the start, and before each month."""
    asked = iter([NOON - timedelta(hours=1)] * (months + 1))
    return lambda: next(asked, NOON)


def read_months(proxy: TamperingProxy) -> Counter[str]:
    """How often the postings of each month were asked for."""
    wanted = (target.partition("from_date=")[2][:7] for target in proxy.targets if "/charts/x/" in target)
    return Counter(wanted)


def test_a_run_that_is_told_to_stop_is_continued_by_the_next_without_reading_anything_twice(
    trading: Company, proxy: TamperingProxy, destination: Any
) -> None:
    first = extract(trading, destination, proxy.url, stop_at=NOON, clock=clock_after(2), resume_since=EVER)
    result = first.as_dict()
    assert (result["changed"], result["stopped"], result["remaining"]) == (MONTHS[:2], True, MONTHS[2:])
    assert (result["from_date"], result["to_date"], result["windows"]) == ("2026-01-01", "2026-03-31", 2)
    second = extract(trading, destination, proxy.url, resume_since=EVER)
    result = second.as_dict()
    assert (result["done"], result["changed"], result["stopped"], result["remaining"]) == (
        MONTHS[:2], MONTHS[2:], False, [],
    )  # fmt: skip
    assert (second.rows, second.verdict) == (16, "exact")
    assert read_months(proxy) == dict.fromkeys(MONTHS, 1)
    loaded = [row for name in MONTHS for row in rows_of(destination, Window.of(date.fromisoformat(f"{name}-01")))]
    if isinstance(destination, MemoryDestination):
        assert warehouse_rows(destination.all_postings()) == trading.rows(date(2026, 1, 1), date(2026, 3, 31))
    assert [row["load_id"] for row in loaded] == [first.load_id, first.load_id, second.load_id]
    before = len(proxy.targets)
    third = extract(trading, destination, proxy.url, resume_since=EVER)
    assert len(proxy.targets) == before, "where all is done, nothing is asked"
    assert (third.months(MonthState.DONE), third.rows, third.calls, third.verdict) == (MONTHS, 16, 0, "exact")


def rows_of(destination: Any, window: Window) -> list[dict[str, Any]]:
    """Loads of a month."""
    return list(destination.read_table("loads", "demo", window).to_pylist())


def test_only_what_was_read_since_counts(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory)
    started = [load["started_at"] for load in memory.loads]
    assert extract(trading, memory, resume_since=started[1]).months(MonthState.DONE) == MONTHS[1:]
    assert extract(trading, memory, resume_since=datetime.now(UTC)).months(MonthState.DONE) == []
    assert extract(trading, memory, resume_since="").months(MonthState.DONE) == [], "nothing is passed over unasked"


def test_a_month_that_was_refused_is_read_again_and_one_that_was_kept_too(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    wrong = amounts(lambda accno, amount: "1" if accno == "1020" else amount)
    proxy.change("saldo.*to=2026-02", wrong)
    with pytest.raises(UnprovenError):
        extract(trading, memory, proxy.url, to_date="2026-02-28")
    with pytest.raises(UnprovenError):
        extract(trading, memory, proxy.url, to_date="2026-02-28", resume_since=EVER)
    assert read_months(proxy) == {"2026-01": 1, "2026-02": 2}
    kept = extract(trading, memory, proxy.url, to_date="2026-02-28", resume_since=EVER, on_unproven="keep")
    assert kept.months(MonthState.CHANGED) == ["2026-02"]
    proxy.leave()
    assert extract(trading, memory, resume_since=EVER, to_date="2026-02-28").months(MonthState.DONE) == ["2026-01"]


def test_a_refused_month_fails_a_run_that_was_stopped(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change("saldo.*to=2026-01-31", amounts(lambda accno, amount: "1" if accno == "1020" else amount))
    seen: list[LedgerResult] = []
    with pytest.raises(UnprovenError, match="1 of 1 months"):
        extract(trading, memory, proxy.url, stop_at=NOON, clock=clock_after(1), on_result=seen.append)
    assert seen[0].as_dict()["remaining"] == MONTHS[1:]


def test_a_mark_is_no_reading(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory)
    between = datetime.now(UTC)
    assert extract(trading, memory, skip_unchanged=True).months(MonthState.SKIPPED) == MONTHS
    result = extract(trading, memory, resume_since=between)
    assert (result.months(MonthState.DONE), result.verdict) == ([], "exact")


def test_postings_that_vanished_from_the_warehouse_are_read_again(
    trading: Company, memory: MemoryDestination, caplog: pytest.LogCaptureFixture
) -> None:
    extract(trading, memory)
    memory.postings["demo", "2026-02"] = memory.postings["demo", "2026-02"].slice(1)
    result = extract(trading, memory, resume_since=EVER)
    assert (result.months(MonthState.DONE), result.months(MonthState.CHANGED)) == (["2026-01", "2026-03"], ["2026-02"])
    assert "2026-02: 4 postings were loaded, and 3 are there" in caplog.text


def test_a_month_that_was_not_over_when_it_was_read_counts_on_that_day_only(
    company: Company, memory: MemoryDestination
) -> None:
    company.voucher("GL-1", pendulum.today("Europe/Zurich").to_date_string(), "1020", "2800", "10")
    here = {"from_date": None, "to_date": None, "reread_days": 0, "resume_since": EVER}
    today = pendulum.today("Europe/Zurich").date()
    extract(company, memory, **here)
    assert len(extract(company, memory, **here).months(MonthState.DONE)) == 1
    # Seen from the day after, the reading lacks what was booked since.
    later = here | {"to_date": today, "from_date": today, "today": today.add(days=1)}
    assert extract(company, memory, **later).months(MonthState.UNCHANGED) == [Window.of(today).name]


def test_a_done_month_keeps_its_verdict_and_its_reasons(company: Company, memory: MemoryDestination) -> None:
    voucher = company.voucher("GL-1", "2026-01-10", "1020", "2800", "100")
    company.simulator.control("POST", f"/documents/{voucher}/unbalance", {"amount": "0.01"})
    january = {"to_date": "2026-01-31", "resume_since": EVER}
    first, second = extract(company, memory, **january), extract(company, memory, **january)
    assert (second.verdict, second.months(MonthState.DONE)) == ("tolerated", ["2026-01"])
    assert second.reasons() == first.reasons() != []
    page = ledger_page(second, proofs=memory.proofs["demo", "2026-01"])
    assert "Voucher gl" in page
    assert "≈ tolerated" in page
    assert "done before" in page
    assert "1020" in page, "accounts of a month that was done before are shown as well"


def test_a_run_may_stop_before_its_first_month(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        result = extract(trading, memory, proxy.url, stop_at=NOON, clock=lambda: NOON)
    assert proxy.targets == memory.steps == []
    shown = result.as_dict()
    assert (shown["remaining"], shown["stopped"], shown["windows"], shown["verdict"]) == (MONTHS, True, 0, None)
    assert caplog.messages[-1] == (
        "Ledger of tenant demo: stopped, 3 of 3 months remain (2026-01 to 2026-03); "
        "the next run with resume_since goes on."
    )
    page = ledger_page(result, proofs=[])
    assert "Nothing was read" in page
    assert "Proven" not in page


def test_months_that_are_done_are_no_remainder(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory, from_date="2026-02-01", to_date="2026-02-28")
    result = extract(trading, memory, stop_at=NOON, clock=lambda: NOON, resume_since=EVER)
    assert (result.months(MonthState.DONE), [window.name for window in result.remaining]) == (
        ["2026-02"],
        ["2026-01", "2026-03"],
    )


def test_log_and_page_say_what_remains(
    trading: Company, memory: MemoryDestination, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        result = extract(trading, memory, stop_at=NOON, clock=clock_after(1))
    assert "stopped, 2 of 3 months remain (2026-02 to 2026-03)" in caplog.messages[-1]
    page = ledger_page(result, proofs=memory.proofs["demo", "2026-01"])
    assert "not begun: 2 months, 2026-02 to 2026-03" in page
    assert "1 of 3" in page
    assert "<dd>2026-01-01 to 2026-03-31</dd>" in page
    caplog.clear()
    with caplog.at_level(logging.INFO):
        extract(trading, memory, resume_since=EVER)
        extract(trading, memory, resume_since=EVER)
    assert "passing over 1 of 3 months, loaded and proven since 1900-01-01T00:00:00+01:00 (2026-01)" in caplog.text
    assert "2 changed, 0 unchanged, 1 done before, 0 not loaded" in caplog.text
    assert caplog.messages[-1].endswith("all 3 months had been done before, nothing was read; verdict exact.")
