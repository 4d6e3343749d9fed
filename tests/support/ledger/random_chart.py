"""Charts of accounts by lot, and vouchers on them: contra accounts, 3 to 6 digits, credit balances in class 1, accounts
that stand still."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from airflow_provider_rma.simulator.demo_company import build_master
from tests.support.ledger.company import Company

#: Category of an account by its class; class 2 holds liabilities and equity.
_CATEGORIES = {"1": "A", "2": "L", "3": "I", "4": "E", "5": "E", "6": "E"}
#: Classes of other companies' charts hold income and expense side by side.
_MIXED = ("7", "8")


@dataclass(frozen=True)
class ChartAccount:
    """An account of a random chart."""

    accno: str
    category: str
    contra: bool = False


def master_with(accounts: list[ChartAccount], path: Path) -> Path:
    """Master data of the demo company with further accounts, as a file for the simulator."""
    master = build_master()
    known = {account["accno"] for account in master["accounts"]}
    master["accounts"] += [
        {
            "accno": account.accno,
            "description": f"Konto {account.accno}",
            "charttype": "A",
            "category": account.category,
            "link": "",
            "allow_gl": True,
            "contra": account.contra,
        }
        for account in accounts
        if account.accno not in known
    ]
    path.write_text(json.dumps(master))
    return path


class RandomChart:
    """A chart and the books on it, the same for the same seed.

    :param seed: decides everything.
    """

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)  # noqa: S311 - a repeatable sequence, not a secret
        self._numbers: set[str] = {account["accno"] for account in build_master()["accounts"]}
        self._references = 0
        self.plain = [self._account(digit, category) for digit, category in self._classes()]
        # Contra accounts beside plain ones of their class, now and then more of them than half as many.
        share = self._dice.choice((0.0, 0.2, 0.6))
        beside = [account for account in self.plain if account.accno[0] in "12"]
        self.contra = [
            ChartAccount(self._number(account.accno[0]), account.category, contra=True)
            for account in beside
            if self._dice.random() < share
        ]
        self.mixed = [
            self._account(digit, self._dice.choice("IE")) for digit in _MIXED for _ in range(self._dice.randrange(3))
        ]

    @property
    def accounts(self) -> list[ChartAccount]:
        return [*self.plain, *self.contra, *self.mixed]

    def _classes(self) -> list[tuple[str, str]]:
        return [(digit, category) for digit, category in _CATEGORIES.items() for _ in range(self._dice.randrange(2, 7))]

    def _account(self, digit: str, category: str) -> ChartAccount:
        return ChartAccount(self._number(digit), category)

    def _number(self, digit: str) -> str:
        while True:
            digits = self._dice.choice((3, 4, 4, 4, 5, 6))
            number = digit + "".join(self._dice.choices("0123456789", k=digits - 1))
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def keep(self, company: Company, months: list[str]) -> None:
        """Keep books: openings long ago, some accounts that stand still since, vouchers in each month, an invoice."""
        resting = set(self._dice.sample([account.accno for account in self.accounts], k=len(self.accounts) // 4))
        for account in self.accounts:
            if account.accno[0] in "12":
                self._voucher(company, "2024-03-05", account, "2990")
        company.post("/year-end", {"closing_date": "2024-12-31"})
        moving = [account for account in self.accounts if account.accno not in resting]
        for number, month in enumerate(months):
            company.sale(f"R-{number}", f"{month}-04", "600", "48.60")
            for account in moving:
                if number == 0 or self._dice.random() < 0.5:
                    self._voucher(company, f"{month}-{self._dice.randrange(1, 29):02}", account, "1020")

    def _voucher(self, company: Company, day: str, account: ChartAccount, other: str) -> None:
        """Mostly on the usual side, so that balances of class 1 are debits but for some."""
        amount = str(self._dice.randrange(1, 900_000) / 100)
        usual_debit = (account.category in "AE") != account.contra
        debit, credit = (account.accno, other) if (self._dice.random() < 0.8) == usual_debit else (other, account.accno)
        self._references += 1
        company.voucher(f"G-{self._references}", day, debit, credit, amount)

    def describe(self) -> dict[str, Any]:
        """The chart, for a failure."""
        return {account.accno: account.category + ("-" if account.contra else "") for account in self.accounts}
