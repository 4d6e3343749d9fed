"""Runs to make pages of: one in which all is well, and one with every kind of trouble."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from airflow_provider_rma.ledger.changes import Changes
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import LedgerResult, MonthState, WindowResult
from airflow_provider_rma.ledger.windows import Window

LOAD = "20261102T031500-5eed0001"
TENANT = "demo"
MADE = datetime(2026, 11, 2, 3, 20, tzinfo=UTC)
NAMES = {
    "1020": "Bank",
    "1100": "Trade debtors",
    "1109": "Allowance for doubtful debts",
    "2000": "Trade creditors",
    "2200": "Value added tax",
    "3200": "Sales of goods",
    "4200": "Goods bought",
    "6500": "Office <& post>",
}


def _window(
    month: int, state: MonthState, verdict: Verdict, *reasons: Reason, rows: int, before: int, **more: Any
) -> WindowResult:
    window = Window.of(date(2026, month, 1))
    return WindowResult(window, state, verdict, reasons, rows, before, attempts=1, calls=7, seconds=3.25, **more)


def _result(*windows: WindowResult) -> LedgerResult:
    signs = {"balance_sheet": "natural", "income_statement": "unknown"}
    return LedgerResult(TENANT, LOAD, "duckdb", "warehouse.duckdb", windows, signs)


def proof(
    accno: str | None, month: int, verdict: str = "exact", difference: str = "0", **values: Any
) -> dict[str, Any]:
    """A row of ``proofs``."""
    return {
        "tenant": TENANT,
        "month": date(2026, month, 1),
        "accno": accno,
        "opening": Decimal("1000.00000000") * (month - 1),
        "movements": Decimal("1000.00000000"),
        "closing": Decimal("1000.00000000") * month + Decimal(difference),
        "expected_closing": Decimal("1000.00000000") * month,
        "difference": Decimal(difference).quantize(Decimal("1e-8")),
        "verdict": verdict,
        "reasons": None,
        "load_id": LOAD,
        "loaded": True,
        **values,
    }


def _balances(accounts: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"tenant": TENANT, "accno": accno, "account_name": name, "basis": "to" if accno[0] in "12" else "from_to"}
        for accno, name in accounts.items()
    ]


def clean() -> tuple[LedgerResult, dict[str, Any]]:
    """Three months, all exact, 40 accounts."""
    windows = [
        _window(8, MonthState.UNCHANGED, Verdict.EXACT, rows=1180, before=1180),
        _window(9, MonthState.UNCHANGED, Verdict.EXACT, rows=1243, before=1243),
        _window(10, MonthState.CHANGED, Verdict.EXACT, rows=1320, before=903),
    ]
    accounts = NAMES | {str(accno): f"Costs {accno}" for accno in range(6000, 6032)}
    proofs = [proof(accno, month) for month in (8, 9, 10) for accno in (None, *accounts)]
    return _result(*windows), {"proofs": proofs, "balances": _balances(accounts), "made_at": MADE}


def troubled() -> tuple[LedgerResult, dict[str, Any]]:
    """Ten months, each verdict at least once."""
    tolerated = Reason(
        ReasonCode.VOUCHER_UNBALANCED, "Voucher ar 4711 (reference R-17) adds up to -0.01 CHF.", Verdict.TOLERATED
    )
    broken = Reason(
        ReasonCode.ACCOUNT_DIFFERENCE,
        "Account 1100: opening 5000.00 CHF and postings of 1000.00 CHF make 6000.00 CHF, but the service states "
        "7234.50 CHF; difference 1234.50 CHF.",
        Verdict.BROKEN,
    )
    missing = Reason(ReasonCode.COUNT_WRONG, "1,320 postings came, 1,322 were announced.", Verdict.BROKEN)
    empty = Reason(ReasonCode.EMPTIED, "There were 310 postings before and none came now.", Verdict.SUSPICIOUS_EMPTY)
    moved = Reason(
        ReasonCode.BALANCES_MOVED, "Balances of 1020, 2000 moved while being read, 3 times.", Verdict.UNSETTLED
    )
    unknown = Reason(
        ReasonCode.SIGN_UNKNOWN, "Account 1109 cannot be proven: the books do not balance.", Verdict.UNPROVEN
    )
    hint = Reason(ReasonCode.SIGN_DEVIATES, "Account 1109 is stated with the opposite sign of its kind.", Verdict.EXACT)
    unread = Reason(ReasonCode.NOT_READ, "Not read: the balances are those of 2026-10-30.", Verdict.BALANCES_ONLY)
    closed = Reason(ReasonCode.CLOSED_MONTH_CHANGED, "A closed month has changed: 1 amended.", Verdict.EXACT)
    counts = {"added": 12, "removed": 0, "amended": 1, "reposted": 3}
    first = {
        "added": ["ar 4711 (R-17)", "ar 4712 (R-18)"],
        "removed": [],
        "amended": ["gl 90"],
        "reposted": ["ap 7", "ap 8", "ap 9"],
    }
    changes = Changes(counts, first)
    windows = [
        _window(1, MonthState.SKIPPED, Verdict.BALANCES_ONLY, unread, rows=940, before=940),
        _window(2, MonthState.UNCHANGED, Verdict.EXACT, rows=980, before=980),
        _window(3, MonthState.UNCHANGED, Verdict.EXACT, rows=1020, before=1020),
        _window(4, MonthState.CHANGED, Verdict.EXACT, closed, rows=1060, before=1058),
        _window(5, MonthState.CHANGED, Verdict.TOLERATED, tolerated, hint, rows=1102, before=1096, changes=changes),
        _window(6, MonthState.REJECTED, Verdict.BROKEN, broken, missing, rows=1320, before=1290),
        _window(7, MonthState.REJECTED, Verdict.SUSPICIOUS_EMPTY, empty, rows=0, before=310),
        _window(8, MonthState.REJECTED, Verdict.UNSETTLED, moved, rows=1188, before=1180),
        _window(9, MonthState.CHANGED, Verdict.UNPROVEN, unknown, rows=12430, before=0),
        _window(10, MonthState.CHANGED, Verdict.EXACT, rows=620, before=0),
    ]
    special = {
        ("1100", 6): ("broken", "1234.5"),
        ("2200", 5): ("tolerated", "-0.01"),
        ("1109", 9): ("unproven", "0"),
        ("3200", 7): ("suspicious_empty", "0.00000001"),
    }
    proofs = [
        proof(accno, month, *special.get((str(accno), month), ("exact", "0")))
        for month in range(1, 11)
        if month != 8
        for accno in (None, *NAMES)
        if not (accno == "1109" and month < 9)
    ]
    return _result(*windows), {
        "proofs": proofs,
        "balances": _balances(NAMES),
        "task_run": "scheduled__2026-11-02T03:00:00+00:00",
        "made_at": MADE,
    }
