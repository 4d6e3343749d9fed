"""Lies that are accepted today although figures show them, by the fault behind them.

A test of a lie that is listed here is expected to fail, strictly: who mends a fault removes its lines. An entry is the
name of a lie; ``; first`` or ``; reload`` and a form behind it narrow it down.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.ledger.lies import issue

FAILING: Mapping[str, tuple[str, ...]] = {
    issue.ALL_EMPTY: (
        "empty: balances, movements, lists; reload",
        "empty: charts, balances, movements, lists; reload",
    ),
    issue.FIRST_EMPTY: (
        "empty: balances, movements, lists; first",
        "empty: charts, balances, movements, lists; first",
    ),
    issue.MIRRORED: (
        "all assets are negated on every day; first",
        "movements are negated; first",
        "movements of the only month are negated; first",
    ),
    issue.SHIFTED: (
        "a standing account is left out on both days of the only month",
        "a standing account is left out on every day",
        "a standing account is negated on every day; reload",
        "a standing account is off on every day",
        "a standing account is stated in another class",
        "a standing account is zero on every day",
        "all balance-sheet accounts are off on every day",
        "all standing accounts are left out on every day",
        "an account is off on both days of the only month",
        "an account is off on every day",
        "an account that the chart lacks has a balance on every day",
        "an unused account has a balance on every day",
        "another tenant's figure for a standing account",
        "two accounts exchange numbers on every day",
        "two moved accounts are off on every day, and it cancels; reload",
        "two standing accounts are exchanged on every day",
        "two standing accounts are off on every day, and it cancels",
    ),
    issue.EXCHANGE: (
        "the exchange rows of a month are missing",
        "the exchange rows of all months are missing",
    ),
    issue.TWICE: (
        "an entry_id comes twice",
        "an entry_id comes twice in a voucher of equal lines",
    ),
    issue.RAW: (
        "a balance of 1e22",
        "a balance of 1e22 on every day",
        "a count of 5,000 digits",
        "half a character; json",
        "Latin-1 bytes in lists; json",
        "lists in declared Latin-1; json",
    ),
    issue.CHART: (
        "a moved account has another number in the chart",
        "a standing account has another number in the chart",
        "an account has a number of another class in the chart",
        "empty: charts",
        "null for the chart; json",
        "the chart holds one account",
        "the chart is another tenant's, of whom nothing is shared",
        "the chart is empty",
        "the chart lacks a moved account",
        "the chart lacks a standing account",
    ),
}  # fmt: skip


def expected_failure(name: str, situation: str, form: str) -> str:
    """Why a lie in a situation and form is accepted today, empty if it must not be."""
    for reason, entries in FAILING.items():
        for entry in entries:
            listed, *narrowed = entry.split("; ")
            if listed == name and all(word in (situation, form) for word in narrowed):
                return reason
    return ""


def listed_names() -> set[str]:
    """Names of the lies that are listed."""
    return {entry.split("; ")[0] for entries in FAILING.values() for entry in entries}
