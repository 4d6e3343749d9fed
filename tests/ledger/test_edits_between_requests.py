"""Books are edited between any two requests of a run: afterwards, or after the next run, the warehouse holds the books,
or the verdict says that it does not.

``EDIT_SEEDS=200 EDIT_FIRST=1000 pytest tests/ledger/test_edits_between_requests.py`` tries more; a failure names its
seed and tells what was done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.support.ledger.company import Company, start
from tests.support.ledger.lied_about_books import MONTHS as QUARTER
from tests.support.ledger.picture import MonthPicture, warehouse_picture
from tests.support.ledger.random_books import MONTHS, PERIOD, Accountant
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy
from tests.support.ledger.told_run import Run, check_warehouse, run_extraction
from tests.support.ledger.warehouses import Warehouse, duckdb_warehouse
from tests.support.scope import scaled

SEEDS = int(os.environ.get("EDIT_SEEDS", scaled(3, 60)))
FIRST = int(os.environ.get("EDIT_FIRST", "0"))
#: How often something is done to the books after a request.
SHARE = 0.15
#: Unread months, by name.
NOTHING = {f"{month:%Y-%m}": MonthPicture() for month in MONTHS}


@dataclass
class Edited:
    """A company, a warehouse, and a proxy after whose requests the books are edited."""

    company: Company
    warehouse: Warehouse
    proxy: TamperingProxy
    edits: list[str] = field(default_factory=list)

    def run(self, edit: Callable[[str], None] | None = None, period: tuple[object, object] = PERIOD) -> Run:
        """Extract.

        :param edit: is given path and query of each request after it was answered.
        """
        self.proxy.leave()
        if edit is not None:

            def between(_: Reply) -> None:
                edit(self.proxy.targets[-1])

            self.proxy.change("", between)
        return run_extraction(self.company, self.proxy.url, self.warehouse, from_date=period[0], to_date=period[1])

    def picture(self, months: Iterable[str]) -> dict[str, MonthPicture]:
        """Months of the warehouse."""
        return warehouse_picture(self.warehouse, months, self.company.simulator.db)


@contextmanager
def edited(folder: Path) -> Iterator[Edited]:
    with start(folder) as simulator, TamperingProxy(simulator.url) as proxy:
        yield Edited(Company(simulator), duckdb_warehouse(folder / "w.duckdb"), proxy)


@contextmanager
def randomly_edited(seed: int, folder: Path) -> Iterator[tuple[Edited, Accountant, Random]]:
    folder.mkdir(exist_ok=True)
    with edited(folder) as books:
        accountant = Accountant(books.company, seed)
        try:
            yield books, accountant, Random(seed)  # noqa: S311 - a repeatable sequence, not a secret
        except Exception as error:
            story = "\n".join(accountant.story)
            raise AssertionError(f"seed {seed}: {error}\n{story}") from error


def editing(accountant: Accountant, dice: Random) -> Callable[[str], None]:
    """Do something now and then, and put down after which request."""

    def edit(target: str) -> None:
        if dice.random() < SHARE:
            accountant.story.append(f"-- after {target.split('/demo/')[-1]}")
            accountant.act()

    return edit


def _some_slow(count: int) -> list[object]:
    """Seeds, of which `make test` tries the first."""
    seeds = range(FIRST, FIRST + count)
    return [pytest.param(seed, marks=[] if seed == FIRST else pytest.mark.slow) for seed in seeds]


def check_chain(run: Run, edited: Edited, months: list[str]) -> None:
    """Months that one run has read and calls proven lead from one to the next, account by account."""
    pictures = edited.picture(months)
    for month, following in pairwise(months):
        if run.error or {month, following} & run.refused.keys():
            continue
        closings = {accno: figures[2] for accno, figures in pictures[month].stated.items() if figures[2]}
        openings = {accno: figures[0] for accno, figures in pictures[following].stated.items() if figures[0]}
        assert closings == openings, f"{month} does not lead to {following}"


@pytest.mark.parametrize("seed", _some_slow(SEEDS))
def test_after_the_next_run_the_warehouse_holds_the_books(seed: int, tmp_path: Path) -> None:
    """First on a first load, then on a reload; the run that follows is left alone."""
    with randomly_edited(seed, tmp_path) as (books, accountant, dice):
        accountant.step()
        old = NOTHING
        for _ in range(2):
            books.run(editing(accountant, dice))
            old = books.picture(old)
            check_warehouse(books.run(), books.warehouse, old, books.company.simulator.db)
            old = books.picture(old)


@pytest.mark.slow
def test_months_of_a_run_that_are_proven_lead_from_one_to_the_next(tmp_path: Path) -> None:
    for seed in range(FIRST, FIRST + max(SEEDS, 4)):
        with randomly_edited(seed, tmp_path / str(seed)) as (books, accountant, dice):
            accountant.step()
            check_chain(books.run(editing(accountant, dice)), books, [*NOTHING])


# ---------------------------------------------------------------------- the edits that the issue names

FEBRUARY_ASKED = "transactions?from_date=2026-02-01"
JANUARY_ASKED = "transactions?from_date=2026-01-01"
WHOLE = ("2026-01-01", "2026-03-31")
EMPTY = dict.fromkeys(QUARTER, MonthPicture())


@pytest.fixture
def quarter(tmp_path: Path) -> Iterator[Edited]:
    with edited(tmp_path) as books:
        books.company.voucher("G-0", "2025-12-01", "1020", "2800", "100000")
        for month in QUARTER:
            books.company.sale(f"R-{month}", f"{month}-05")
            books.company.voucher(f"G-{month}", f"{month}-10", "6500", "1020", "42.50")
        yield books


def redate(company: Company, voucher: int, day: str) -> None:
    document = company.document(voucher)
    lines = [{"accno": "1000", "debit": "30"}, {"accno": "1020", "credit": "30"}]
    company.resave(voucher, {"reference": document["number"], "transdate": day, "lines": lines})


#: A voucher is dated from one day to another, once after the closing balances behind this list were asked again.
MOVES = {
    "from February to January": ("2026-02-15", "2026-01-15"),
    "from January to February": ("2026-01-15", "2026-02-15"),
    "from March to January": ("2026-03-15", "2026-01-15"),
    "from January to March": ("2026-01-15", "2026-03-15"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("loaded", [False, True], ids=["first load", "reload"])
@pytest.mark.parametrize("move", MOVES)
def test_a_voucher_that_moves_after_its_month_was_read_is_there_after_the_run(
    quarter: Edited, move: str, loaded: bool
) -> None:
    """January is read, February is not yet: the same run finds that they do not lead from one to the next."""
    old_day, new_day = MOVES[move]
    voucher = quarter.company.voucher("G-MOVED", old_day, "1000", "1020", "30")
    if loaded:
        assert quarter.run(period=WHOLE).is_proven
    old = quarter.picture(QUARTER) if loaded else EMPTY
    # Charts, six balances and a list for January; the next request is the first of February.
    asked: list[str] = []

    def edit(target: str) -> None:
        asked.append(target)
        if _january_is_read(asked):
            redate(quarter.company, voucher, new_day)

    run = quarter.run(edit, WHOLE)
    check_warehouse(run, quarter.warehouse, old, quarter.company.simulator.db)
    check_chain(run, quarter, [*QUARTER])
    assert run.is_proven, f"an ordinary re-dating: {run.refused} {run.error}"


def _january_is_read(asked: list[str]) -> bool:
    """Whether the last request was the last of January: the three balances that follow its list."""
    lists = [place for place, target in enumerate(asked) if JANUARY_ASKED in target]
    return bool(lists) and len(asked) - 1 == lists[0] + 3


@pytest.mark.parametrize("loaded", [False, True], ids=["first load", "reload"])
def test_a_voucher_that_is_booked_while_its_month_is_read_is_there_after_the_run(quarter: Edited, loaded: bool) -> None:
    if loaded:
        assert quarter.run(period=WHOLE).is_proven
    old = quarter.picture(QUARTER) if loaded else EMPTY
    booked: list[int] = []

    def edit(target: str) -> None:
        if FEBRUARY_ASKED in target and not booked:
            booked.append(quarter.company.voucher("G-LATE", "2026-02-20", "6500", "1020", "5"))

    run = quarter.run(edit, WHOLE)
    check_warehouse(run, quarter.warehouse, old, quarter.company.simulator.db)
    assert booked
    assert run.is_proven
