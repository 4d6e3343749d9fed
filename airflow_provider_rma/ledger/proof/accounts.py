"""Kinds of accounts by their numbers (balance sheet, income statement, closing), and the chart of accounts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_rma.exceptions import ConfigurationError


class AccountKind(StrEnum):
    """Kind of an account; it decides which of the service's balances its movements are held against."""

    BALANCE_SHEET = "balance_sheet"
    """Assets, liabilities, equity: a balance goes on from year to year."""
    INCOME_STATEMENT = "income_statement"
    """Income and expense: only a period has a figure."""
    CLOSING = "closing"
    """Opening and closing accounts, moved by the year-end only."""
    UNKNOWN = "unknown"
    """A number that the chart of small and medium enterprises does not know."""


#: The classes of the Swiss chart of accounts for small and medium enterprises.
_FIRST_DIGIT = {
    **dict.fromkeys("12", AccountKind.BALANCE_SHEET),
    **dict.fromkeys("345678", AccountKind.INCOME_STATEMENT),
    "9": AccountKind.CLOSING,
}
_PATTERN = re.compile(r"[0-9A-Za-z._-]+")


@dataclass(frozen=True)
class Account:
    """An account as the chart has it, ``accno`` being its number.

    :param rma_id: its id at the service, which stays when it gets another number; None if the service did not state it.
    """

    accno: str
    description: str
    link: str
    allow_gl: bool | None
    is_active: bool | None
    rma_id: int | None = None


class AccountKinds:
    """Kind by account number: the user's mapping first, then the first digit.

    :param mapping: account number or pattern (``x`` is one digit, as the service has it: ``15xx``) to kind; of several
        that fit, the one with fewest ``x`` counts.
    :raises ConfigurationError: for a pattern or a kind that cannot be understood.
    """

    def __init__(self, mapping: Mapping[str, str] | None = None) -> None:
        rules = [(self._pattern(pattern), self._kind(pattern, kind)) for pattern, kind in (mapping or {}).items()]
        self._rules = sorted(rules, key=lambda rule: rule[0].pattern.count("[0-9]"))

    def kind(self, accno: str) -> AccountKind:
        """Return the kind of an account."""
        return self._mapped(accno) or _FIRST_DIGIT.get(accno[:1], AccountKind.UNKNOWN)

    def source(self, accno: str) -> str:
        """Where the kind comes from: ``mapping`` or ``first_digit``."""
        return "mapping" if self._mapped(accno) else "first_digit"

    def _mapped(self, accno: str) -> AccountKind | None:
        return next((kind for pattern, kind in self._rules if pattern.fullmatch(accno)), None)

    @staticmethod
    def _pattern(text: str) -> re.Pattern[str]:
        if not isinstance(text, str) or not _PATTERN.fullmatch(text):
            raise ConfigurationError(
                f"account_kinds: {text!r} is no account number.", advice="Give a number, x for any digit, e.g. 79xx."
            )
        return re.compile(re.sub("[xX]", "[0-9]", text.replace(".", r"\.")))

    @staticmethod
    def _kind(pattern: str, kind: str) -> AccountKind:
        try:
            found = AccountKind(kind)
        except ValueError:
            found = AccountKind.UNKNOWN
        if found is AccountKind.UNKNOWN:
            known = ", ".join(name for name in AccountKind if name is not AccountKind.UNKNOWN)
            raise ConfigurationError(f"account_kinds: {pattern} has no known kind.", advice=f"Use one of {known}.")
        return found


def read_accounts(charts: Iterable[Mapping[str, Any]]) -> dict[str, Account]:
    """The chart of accounts by number.

    :param charts: charts as the client reads them.
    """
    return {
        chart["accno"]: Account(
            accno=chart["accno"],
            description=chart.get("description") or "",
            link=chart.get("link") or "",
            allow_gl=chart.get("allow_gl"),
            is_active=chart.get("is_active"),
            rma_id=chart.get("id") or None,
        )
        for chart in charts
    }


def numbers_by_id(accounts: Iterable[Account]) -> dict[str, str]:
    """Numbers of the accounts by their id as text; an id that two accounts have identifies neither."""
    listed = [(str(account.rma_id), account.accno) for account in accounts if account.rma_id is not None]
    counts = Counter(number for number, _ in listed)
    return {number: accno for number, accno in listed if counts[number] == 1}
