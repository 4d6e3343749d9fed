"""Random charts in memory: every honest book is loadable, its mirror image is not.

``CHART_SEEDS=2000 CHART_FIRST=1000`` tries more; a failure names its seed. ``test_honest_books.py`` does the same over
HTTP, with fewer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.fake_books import FakeBooks
from tests.support.ledger.memory import MemoryDestination
from tests.support.scope import scaled

SEEDS = int(os.environ.get("CHART_SEEDS", scaled(8, 200)))
FIRST = int(os.environ.get("CHART_FIRST", "0"))
MONTHS = ("2026-01", "2026-02")
_DEBITED = {"A": -1, "E": -1, "L": 1, "I": 1}


class Bookkeeper:
    """Keeps books on a chart by lot, the same for the same seed.

    :param classes: classes of the chart, with the category of their accounts.
    :param amount: draws an amount.
    """

    def __init__(self, seed: int, classes: dict[str, str], amount: Callable[[Random], Decimal]) -> None:
        self.dice = Random(seed)  # noqa: S311 - a repeatable sequence, not a secret
        self.books = FakeBooks(chart={}, signs={})
        self._amount, self._vouchers = amount, 0
        self.bank, self.capital = self._account("1", "A"), self._account("2", "L")
        self.plain = [
            self._account(digit, self.dice.choice(categories))
            for digit, categories in classes.items()
            for _ in range(self.dice.randrange(2, 6))
        ]
        share = self.dice.choice((0.0, 0.2, 0.5))
        self.contra = [
            self._account(accno[0], "AL"[accno[0] == "2"], contra=True)
            for accno in self.plain
            if accno[0] in "12" and self.dice.random() < share
        ]

    def _account(self, digit: str, category: str, *, contra: bool = False) -> str:
        while True:
            accno = digit + "".join(self.dice.choices("0123456789", k=self.dice.choice((2, 3, 3, 3, 4, 5))))
            if accno not in self.books.chart:
                break
        self.books.chart[accno] = f"Konto {accno}"
        self.books.signs[accno] = _DEBITED[category] * (-1 if contra else 1)
        return accno

    def book(self, day: str, debit: str, credit: str) -> None:
        self._vouchers += 1
        self.books.voucher(self._vouchers, day, debit, credit, str(self._amount(self.dice)))

    def keep(self, *, standing: float = 0.25) -> FakeBooks:
        """Openings years ago, accounts that stand still since, vouchers on both sides in each month.

        :param standing: share of the accounts that stand still.
        """
        accounts = [*self.plain, *self.contra]
        self.book("2023-01-05", self.bank, self.capital)
        for accno in accounts:
            if accno[0] in "12":
                self._either_side("2024-03-05", accno, self.capital)
        for month in MONTHS:
            self.book(f"{month}-02", self.bank, self.capital)
            for accno in accounts:
                if self.dice.random() >= standing:
                    self._either_side(f"{month}-{self.dice.randrange(3, 28):02}", accno, self.bank)
        return self.books

    def _either_side(self, day: str, one: str, other: str) -> None:
        usual = (self.books.signs[one] < 0) == (self.dice.random() < 0.8)
        self.book(day, *((one, other) if usual else (other, one)))


def usual(dice: Random) -> Decimal:
    return Decimal(dice.randrange(1, 900_000)) / 100


def huge(dice: Random) -> Decimal:
    return Decimal(dice.randrange(1, 10**15)) / 100


def tiny(dice: Random) -> Decimal:
    return Decimal(dice.randrange(1, 9)) / 100


def foreign(dice: Random) -> Decimal:
    return Decimal(dice.randrange(1, 900_000_000_000)) / 10**8


ALL = {"1": "A", "2": "L", "3": "I", "4": "E", "5": "E", "6": "E"}
CHARTS: dict[str, tuple[dict[str, str], Callable[[Random], Decimal], float]] = {
    "all classes": (ALL, usual, 0.25),
    "all classes, mixed ones too": ({**ALL, "7": "IE", "8": "IE"}, usual, 0.25),
    "only the balance sheet": ({"1": "A", "2": "L"}, usual, 0.25),
    "accounts of class 9": ({**ALL, "9": "IE"}, usual, 0.25),
    "most accounts stand still": (ALL, usual, 0.85),
    "all accounts stand still but two": (ALL, usual, 1.0),
    "huge amounts": (ALL, huge, 0.25),
    "tiny amounts": (ALL, tiny, 0.25),
    "amounts with eight decimals": (ALL, foreign, 0.25),
    "assets and mixed classes": ({"1": "A", "7": "IE", "8": "IE"}, usual, 0.25),
}


def extract(books: FakeBooks) -> LedgerResult:
    results: list[LedgerResult] = []
    client: Any = books
    with suppress(UnprovenError):
        extract_ledger(
            client, MemoryDestination(), from_date=f"{MONTHS[0]}-01", to_date=f"{MONTHS[-1]}-28",
            on_result=results.append,
        )  # fmt: skip
    return results[0]


def keep(chart: str, seed: int) -> FakeBooks:
    classes, amount, standing = CHARTS[chart]
    return Bookkeeper(seed, classes, amount).keep(standing=standing)


@pytest.mark.parametrize("chart", CHARTS)
def test_honest_books_are_exact(chart: str) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        result = extract(keep(chart, seed))
        assert result.verdict == "exact", f"seed {seed}: {result.reasons()}"


@pytest.mark.parametrize("side", ["postings", "balances"])
@pytest.mark.parametrize("chart", CHARTS)
def test_their_mirror_image_is_refused(chart: str, side: str) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        books = keep(chart, seed)
        books.turned = side
        result = extract(books)
        assert not any(month.verdict.is_proven for month in result.windows), f"seed {seed}: {books.signs}"
