"""Log lines of a run, and the error of a run that is not proven."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import FIRST_REASONS, LedgerResult, MonthState, WindowResult
from airflow_provider_rma.ledger.run_log import log_month, log_run, unproven_error
from airflow_provider_rma.ledger.windows import Window


def month(number: int, state: MonthState = MonthState.CHANGED, **given: Any) -> WindowResult:
    plain: dict[str, Any] = {
        "verdict": Verdict.EXACT, "reasons": (), "rows": 1_000, "rows_before": 0, "attempts": 1, "calls": 7,
        "seconds": 1.5,
    }  # fmt: skip
    return WindowResult(window=Window.of(date(2026, number, 1)), state=state, **plain | given)


def result(*months: WindowResult, **given: Any) -> LedgerResult:
    return LedgerResult(tenant="demo", load_id="L", kind="duckdb", location="here", windows=months, **given)


def broken(number: int, **given: Any) -> WindowResult:
    reason = Reason(ReasonCode.COUNT_WRONG, "The count is wrong.", Verdict.BROKEN)
    return month(number, MonthState.REJECTED, **{"verdict": Verdict.BROKEN, "reasons": (reason,)} | given)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_month_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log_month(month(1))
    assert caplog.messages == ["2026-01: 1'000 postings (0 before), exact, changed; 7 calls, 1.5 s."]
    assert caplog.records[0].levelname == "INFO"


def test_a_month_that_is_not_loaded_is_a_warning_with_its_first_reasons(caplog: pytest.LogCaptureFixture) -> None:
    reason = Reason(ReasonCode.COUNT_WRONG, "The count is wrong.", Verdict.BROKEN)
    log_month(broken(1, reasons=(reason,) * (FIRST_REASONS + 2)))
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert caplog.messages[1:-1] == ["2026-01: count_wrong: The count is wrong."] * FIRST_REASONS
    assert caplog.messages[-1] == "2026-01: 2 further reasons are in the table of proofs."


def test_what_is_only_worth_knowing_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    log_month(month(1, reasons=(Reason(ReasonCode.SIGN_DEVIATES, "As contra accounts are.", Verdict.EXACT),)))
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_the_slices_of_a_month_are_listed(caplog: pytest.LogCaptureFixture) -> None:
    log_month(month(1, slices=("2026-01-01 to 2026-01-15", "2026-01-16 to 2026-01-31")))
    assert caplog.messages[1] == "2026-01: read in 2 parts: 2026-01-01 to 2026-01-15; 2026-01-16 to 2026-01-31."


@pytest.mark.parametrize(
    ("months", "line"),
    [
        (
            (month(1), month(2, MonthState.UNCHANGED)),
            "2'000 postings in 2 months, 1 changed, 1 unchanged, 0 not loaded",
        ),
        ((month(1), month(2, MonthState.DONE)), "1 changed, 0 unchanged, 1 done before, 0 not loaded; verdict exact"),
        ((month(1, MonthState.UNCHANGED),), "nothing has changed; 1'000 postings in 1 month proven again"),
        ((month(1, MonthState.DONE),), "all 1 months had been done before, nothing was read; verdict exact"),
    ],
)
def test_a_run_is_one_line(months: tuple[WindowResult, ...], line: str, caplog: pytest.LogCaptureFixture) -> None:
    log_run(result(*months))
    (message,) = caplog.messages
    assert message.startswith("Ledger of tenant demo: ")
    assert line in message


def test_months_that_remain_are_named(caplog: pytest.LogCaptureFixture) -> None:
    remaining = [Window.of(date(2026, number, 1)) for number in (2, 3)]
    log_run(result(month(1), remaining=remaining))
    assert "stopped, 2 of 3 months remain (2026-02 to 2026-03)" in caplog.messages[-1]


def test_the_error_names_the_months_and_the_first_reasons() -> None:
    error = unproven_error(result(month(1), broken(2)))
    assert error.windows == {"2026-02": "broken"}
    assert str(error).startswith("1 of 2 months could not be proven and keep their old state: 2026-02 (broken).")
    assert "2026-02: count_wrong: The count is wrong." in str(error)


def test_only_books_that_moved_are_worth_another_try() -> None:
    assert not unproven_error(result(broken(1), broken(2, verdict=Verdict.UNSETTLED))).retryable
    assert unproven_error(result(broken(1, verdict=Verdict.UNSETTLED))).retryable


def failed(number: int, **given: Any) -> WindowResult:
    reason = Reason(ReasonCode.READ_FAILED, "GET /charts: the service failed.", Verdict.UNPROVEN)
    plain: dict[str, Any] = {"verdict": Verdict.UNPROVEN, "reasons": (reason,), "rows": 0}
    return month(number, MonthState.FAILED, **plain | given)


def test_months_that_could_not_be_read_are_named_with_the_others() -> None:
    error = unproven_error(result(month(1), failed(2), broken(3)))
    assert "2 of 3 months could not be read or proven and keep their old state: 2026-02 (failed), 2026-03" in str(error)
    assert "read_failed: GET /charts: the service failed." in str(error)
    assert error.windows == {"2026-02": "unproven", "2026-03": "broken"}


def test_one_month_that_may_be_read_later_is_worth_another_try() -> None:
    assert unproven_error(result(failed(1, retryable=True), failed(2), broken(3))).retryable
    assert not unproven_error(result(failed(1), failed(2))).retryable


def test_a_run_that_ended_early_says_why(caplog: pytest.LogCaptureFixture) -> None:
    ended = result(failed(1), remaining=[Window.of(date(2026, 2, 1))], ended_by="no connection.")
    log_run(ended)
    assert "ended before its end: no connection. 1 of 2 months did not have their turn" in caplog.messages[-1]
    assert "1 further months had no turn: no connection." in str(unproven_error(ended))
