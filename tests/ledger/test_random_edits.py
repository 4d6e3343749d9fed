"""Books in memory are edited between any two requests of a run, the chart included: after the next run, the warehouse
holds the books, or the verdict says that it does not.

``EDIT_SEEDS=2000 EDIT_FIRST=1000`` tries more; a failure names its seed and tells what was done.
``test_edits_between_requests.py`` does so over HTTP, with documents and payments.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Any

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.fake_books import FakeBooks
from tests.support.ledger.memory import MemoryDestination
from tests.support.scope import scaled

SEEDS = int(os.environ.get("EDIT_SEEDS", scaled(25, 600)))
FIRST = int(os.environ.get("EDIT_FIRST", "0"))
MONTHS = ("2025-12", "2026-01", "2026-02")
NAMES = {"1000": "Cash", "1020": "Bank", "2000": "Creditors", "2800": "Capital", "3400": "Sales", "6500": "Office"}
#: How often something is done to the books after a request.
SHARE = 0.15


class Editor:
    """Edits books by lot, the same for the same seed.

    :ivar story: what was done, for a failure.
    """

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)  # noqa: S311 - a repeatable sequence, not a secret
        ids = {accno: 7000 + place for place, accno in enumerate(NAMES)}
        signs = {accno: -1 if accno[0] in "16" else 1 for accno in NAMES}
        self.books = FakeBooks(chart=dict(NAMES), ids=ids, signs=signs)
        self.story: list[str] = []
        self._vouchers = 0
        self.books.voucher(99, "2024-03-05", "1020", "2800", "50000")
        for _ in range(12):
            self.book()

    def edit(self) -> None:
        """Do something now and then."""
        if self.dice.random() < SHARE:
            self.dice.choice((self.book, self.book, self.void, self.redate, self.amend, self.rename, self.swap))()

    def _day(self) -> str:
        return self.dice.choice(("2025-11-30", *(f"{month}-{self.dice.randrange(1, 29):02}" for month in MONTHS)))

    def _voucher(self) -> list[dict[str, Any]]:
        number = self.dice.choice([posting["id"] for posting in self.books.postings])
        return [posting for posting in self.books.postings if posting["id"] == number]

    def book(self) -> None:
        self._vouchers += 1
        debit, credit = self.dice.sample([*self.books.chart], k=2)
        self._say("book", day := self._day(), debit, credit)
        self.books.voucher(self._vouchers, day, debit, credit, str(self.dice.randrange(1, 99_999) / 100))

    def void(self) -> None:
        voucher = self._voucher()
        self._say("void", voucher[0]["id"])
        self.books.postings = [posting for posting in self.books.postings if posting not in voucher]

    def redate(self) -> None:
        voucher, day = self._voucher(), self._day()
        self._say("redate", voucher[0]["id"], day)
        for posting in voucher:
            posting["transdate"] = type(posting["transdate"]).fromisoformat(day)

    def amend(self) -> None:
        voucher, factor = self._voucher(), self.dice.choice((2, 3, -1))
        self._say("amend", voucher[0]["id"], factor)
        for posting in voucher:
            posting["amount"] *= factor

    def rename(self) -> None:
        accno = self.dice.choice([*self.books.chart])
        self._say("rename", accno)
        self.books.chart[accno] += "!"

    def swap(self) -> None:
        """Two accounts of a class exchange their numbers, or an account gets a new one."""
        one, other = self.dice.choice((("1000", "1020"), ("2000", "2800"), ("3400", "3401"), ("6500", "6501")))
        self._say("swap", one, other)
        for old, new in ((one, "-"), (other, one), ("-", other)):
            self.books.renumber(old, new)
            if old in self.books.signs:
                self.books.signs[new] = self.books.signs.pop(old)

    def _say(self, *words: object) -> None:
        self.story.append(" ".join(map(str, words)))


def extract(books: FakeBooks, memory: MemoryDestination) -> LedgerResult:
    results: list[LedgerResult] = []
    client: Any = books
    with suppress(UnprovenError):
        extract_ledger(
            client, memory, from_date=f"{MONTHS[0]}-01", to_date=f"{MONTHS[-1]}-28", on_result=results.append
        )  # fmt: skip
    return results[0]


def check(result: LedgerResult, editor: Editor, memory: MemoryDestination, *, seed: int) -> None:
    """Each month that is called proven holds the postings of the books, and states their balances."""
    for month in result.windows:
        if not month.verdict.is_proven:
            continue
        name = month.window.name
        true = Counter(
            (posting["id"], posting["accno"], posting["transdate"], posting["amount"])
            for posting in editor.books.postings
            if posting["transdate"].isoformat()[:7] == name
        )
        loaded = Counter(
            (row["voucher_id"], row["accno"], row["transdate"], row["amount"])
            for row in memory.postings["demo", name].to_pylist()
        )
        assert loaded == true, f"seed {seed}, {name}: {loaded - true} {true - loaded} {editor.story}"
        stated = {row["accno"] for row in memory.balances["demo", name]}
        assert stated <= editor.books.chart.keys(), f"seed {seed}, {name}: {stated} {editor.story}"


def test_after_the_next_run_the_warehouse_holds_the_books() -> None:
    """Twice: on a first load, then on a reload. The run that follows is left alone, and everything is proven."""
    for seed in range(FIRST, FIRST + SEEDS):
        editor, memory = Editor(seed), MemoryDestination()
        for _ in range(2):
            editor.story.append("-- run")
            editor.books.answered = editor.edit
            extract(editor.books, memory)
            editor.books.answered = lambda: None
            result = extract(editor.books, memory)
            assert result.verdict == "exact", f"seed {seed}: {result.reasons()} {editor.story}"
            check(result, editor, memory, seed=seed)
