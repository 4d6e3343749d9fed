"""The demo's second half: what the warehouse says after the general ledger has been brought into it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

#: Verdicts from the best to the gravest.
_VERDICTS = ("exact", "tolerated", "unproven", "suspicious_empty", "unsettled", "broken")


@dataclass(frozen=True)
class Account:
    """A line of the trial balance at the end of the period, in CHF with the account's natural sign."""

    accno: str
    name: str
    debit: Decimal
    credit: Decimal
    closing: Decimal


@dataclass(frozen=True)
class Ledger:
    """What the warehouse holds after a run.

    :param verdict: the gravest verdict of all months.
    :param changed: months that the run has rewritten.
    """

    rows: int
    windows: int
    verdict: str
    changed: int
    trial_balance: list[Account]


def read_warehouse(path: Path) -> Ledger:
    """Read the warehouse as anybody would: with DuckDB and the views."""
    with duckdb.connect(str(path), read_only=True) as warehouse:
        warehouse.execute("USE warehouse.rma")
        verdicts = [
            verdict
            for (verdict,) in warehouse.execute("SELECT coalesce(refused_verdict, verdict) FROM windows").fetchall()
        ]
        (rows,) = warehouse.execute("SELECT count(*) FROM postings").fetchone() or (0,)
        (changed,) = warehouse.execute(
            "SELECT count(DISTINCT postings.month) FROM postings JOIN windows USING (tenant, month)"
            " WHERE postings.load_id = (SELECT max(load_id) FROM loads)"
        ).fetchone() or (0,)
        accounts = warehouse.execute(
            "SELECT accno, any_value(account_name), sum(debit), sum(credit), arg_max(closing, month)"
            " FROM trial_balance GROUP BY accno ORDER BY accno"
        ).fetchall()
    verdict = max(verdicts, key=_VERDICTS.index, default="unproven")
    return Ledger(rows, len(verdicts), verdict, changed, [Account(*account) for account in accounts])


def trial_balance_lines(ledger: Ledger) -> list[str]:
    """The trial balance as lines for a person, the sums of debit and credit at the end."""
    lines = [f"{'Account':<38} {'Debit':>14} {'Credit':>14} {'Balance':>14}"]
    for account in ledger.trial_balance:
        name = f"{account.accno} {account.name}"[:38]
        lines.append(f"{name:<38} {_number(account.debit)} {_number(account.credit)} {_number(account.closing)}")
    debit = sum((account.debit for account in ledger.trial_balance), Decimal(0))
    credit = sum((account.credit for account in ledger.trial_balance), Decimal(0))
    lines.append(f"{'Sum':<38} {_number(debit)} {_number(credit)}")
    return lines


def _number(amount: Decimal) -> str:
    return f"{amount:>14,.2f}".replace(",", "'")
