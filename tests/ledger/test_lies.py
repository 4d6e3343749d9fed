"""Lies of the service between extraction and books: none that the figures contradict is accepted.

After each lie, either the run says that the month is not proven and the old month is still there, or the warehouse
holds what the books hold. Lies that no figure can show say so, with the reason.

``LIES=all`` tells each lie in both forms into DuckDB and in one form into the other kinds of warehouses, and lets an
honest run follow where it was refused; so does ``make test-all``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.liar import FEBRUARY, HARMLESS, PROVEN, QUARTER, REFUSED, TAKEN, Liar, Lie, lie
from tests.support.ledger.lied_about_books import MONTHS, Recorded, recorded_books
from tests.support.ledger.lies.changes import amended, counted, cut, emptied, line, on_day, text, voucher, without
from tests.support.ledger.lies.requests import OfOneMonth, everything, postings
from tests.support.ledger.lies.table import LIES
from tests.support.ledger.picture import MonthPicture, books_picture, warehouse_picture
from tests.support.ledger.told_run import Run, check_verdict, check_warehouse, run_extraction
from tests.support.ledger.warehouses import Warehouse, make_warehouse
from tests.support.scope import IS_WHOLE

ALL = IS_WHOLE or os.environ.get("LIES") == "all"
KINDS = ("duckdb", "parquet", "postgres") if ALL else ("duckdb",)
SITUATIONS = ("first", "reload")
FORMS = ("xml", "json")


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded_books(tmp_path_factory.mktemp("books")) as books:
        yield books


@pytest.fixture(scope="module")
def liar(books: Recorded) -> Iterator[Liar]:
    with Liar(books.urls) as liar:
        yield liar


class Told:
    """Warehouses for lies: new ones, and ones into which the books of before are loaded."""

    def __init__(self, books: Recorded, liar: Liar, templates: Path) -> None:
        self.books, self.liar, self._templates = books, liar, templates

    def warehouse(self, kind: str, situation: str, folder: Path, request: pytest.FixtureRequest) -> Warehouse:
        """A warehouse in a situation; what lies in files is loaded once and copied."""
        template = self._templates / kind
        if situation == "reload" and template.exists():
            shutil.copytree(template, folder, dirs_exist_ok=True)
            _keep_open(kind, folder, request)
            return make_warehouse(kind, folder, request)
        warehouse = make_warehouse(kind, folder, request)
        if situation == "reload":
            self.load(warehouse, "before")
            if kind != "postgres":
                shutil.copytree(folder, template)
        elif kind == "duckdb":
            (folder / "new").mkdir(parents=True)
            _keep_open(kind, folder, request)
        return warehouse

    def load(self, warehouse: Warehouse, book: str) -> None:
        """Load books without a lie, which must be taken."""
        self.liar.tell(None, book)
        books = self.books.files[book]
        run = run_extraction(self.books.companies[book], self.liar.url, warehouse, **QUARTER)
        assert run.is_proven, f"{run.refused} {run.error} {run.codes()}"
        assert warehouse_picture(warehouse, MONTHS, books) == books_picture(books, MONTHS)


def _keep_open(kind: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """A second connection to a DuckDB file: to open and close it anew for each month would take half of the time."""
    if kind == "duckdb":
        connection = connect_duckdb(str(folder / "new" / "ledger.duckdb"))
        request.addfinalizer(connection.close)


@pytest.fixture(scope="module")
def told(books: Recorded, liar: Liar, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(books, liar, tmp_path_factory.mktemp("templates"))


def _cases() -> Iterator[object]:
    """Each lie in both situations; a usual run tells it in one form each, a harmless one only once."""
    for number, entry in enumerate(LIES):
        for place, situation in enumerate(SITUATIONS):
            if not ALL and entry.finding(situation) in (HARMLESS, TAKEN) and place == number % 2:
                continue
            for form in FORMS:
                is_usual = form == FORMS[(number + place) % 2]
                # One lie in four is told by `make test`, in one situation; `make test-slow` tells the rest.
                marks = [] if number % 4 == 0 and place == number // 4 % 2 else [pytest.mark.slow]
                for kind in KINDS if is_usual else KINDS[:ALL]:
                    name = f"{entry.name}-{situation}-{form}-{kind}"
                    yield pytest.param(_usual(entry), situation, form, kind, marks=marks, id=name)


def _usual(entry: Lie) -> Lie:
    """A lie that only February depends on is told to a run of February, unless everything is tried."""
    return entry if ALL or not isinstance(entry.where, OfOneMonth) else replace(entry, period=FEBRUARY)


@pytest.mark.parametrize(("entry", "situation", "form", "kind"), [*_cases()])
def test_a_lie_is_refused_or_the_warehouse_holds_the_books(
    told: Told, tmp_path: Path, request: pytest.FixtureRequest, entry: Lie, situation: str, form: str, kind: str
) -> None:
    warehouse = told.warehouse(kind, situation, tmp_path / "w", request)
    old = told_before(told, situation)
    told.liar.tell(entry)
    finding = entry.finding(situation)
    now = told.books.companies["now"]
    run = run_extraction(now, told.liar.url, warehouse, **entry.period, content_type=form)
    assert told.liar.told, "no request fits the lie: its `where` needs another look"
    check_verdict(run, finding)
    if not (finding.unseen and run.is_proven):
        read = {month: picture for month, picture in old.items() if _is_within(month, entry)}
        check_warehouse(run, warehouse, read, told.books.files["now"], unlinked=finding.unlinked)
    # Where the lie was taken, the truth may contradict it: an account that seemed to be a contra account is none.
    if ALL and not run.is_proven:
        told.load(warehouse, "now")


def told_before(told: Told, situation: str) -> dict[str, MonthPicture]:
    """What a warehouse in a situation holds."""
    if situation == "first":
        return {month: MonthPicture() for month in MONTHS}
    return books_picture(told.books.files["before"], MONTHS)


def _is_within(month: str, entry: Lie) -> bool:
    return entry.period["from_date"][:7] <= month <= entry.period["to_date"][:7]


def test_the_table_holds_enough_lies_and_no_name_twice() -> None:
    names = [entry.name for entry in LIES]
    assert len(names) == len(set(names))
    assert len(names) >= 120


# ---------------------------------------------------------------------- what else must come of a lie


def tell(told: Told, warehouse: Warehouse, entry: Lie, **parameters: object) -> Run:
    told.liar.tell(entry)
    run = run_extraction(told.books.companies["now"], told.liar.url, warehouse, **{**entry.period, **parameters})
    assert told.liar.told or parameters
    return run


@pytest.fixture
def loaded(told: Told, tmp_path: Path, request: pytest.FixtureRequest) -> Warehouse:
    """A warehouse that holds the books of before."""
    return told.warehouse("duckdb", "reload", tmp_path / "w", request)


@pytest.fixture
def new(told: Told, tmp_path: Path, request: pytest.FixtureRequest) -> Warehouse:
    return told.warehouse("duckdb", "first", tmp_path / "w", request)


LIST = postings("2026-02")
WRONG_COUNT = lie("a wrong count", LIST, counted(lambda number: str(number + 1)))
#: February cannot be read.
UNREADABLE = [
    WRONG_COUNT,
    lie("a posting outside the month", LIST, amended(line("GL-", "6500"), on_day("2026-03-10"))),
    lie("an unreadable amount", LIST, amended(line("GL-", "6500"), text("viel"))),
    lie("a list that is cut off", LIST, cut(0.5)),
]


@pytest.mark.parametrize("entry", UNREADABLE, ids=lambda entry: entry.name)
def test_a_month_that_cannot_be_read_does_not_keep_the_others_from_their_turn(
    told: Told, loaded: Warehouse, entry: Lie
) -> None:
    run = tell(told, loaded, entry)
    assert set(run.refused) == {"2026-02"}, f"{run.refused} {run.error}"
    assert {str(window.window): str(window.verdict) in PROVEN for window in run.results[0].windows} == {
        "2026-01": True, "2026-02": False, "2026-03": True,
    }  # fmt: skip
    files = told.books.files
    true, before = books_picture(files["now"], MONTHS), books_picture(files["before"], MONTHS)
    found = warehouse_picture(loaded, MONTHS, files["now"])
    assert found == {"2026-01": true["2026-01"], "2026-02": before["2026-02"], "2026-03": true["2026-03"]}


@pytest.mark.parametrize("wrong", ["1", "-1"])
def test_a_wrong_count_splits_no_month(told: Told, new: Warehouse, wrong: str) -> None:
    count = lie("a wrong count", LIST, counted(lambda number: str(number + int(wrong))))
    before = len(told.liar.targets)
    run = tell(told, new, count)
    lists = [target for target in told.liar.targets[before:] if "from_date=2026-02" in target]
    assert len(lists) <= 3, f"{len(lists)} requests for the postings of one month"
    assert "count_wrong" in run.codes() | set(run.refused.values())


def test_a_voucher_that_is_gone_from_the_list_is_named(told: Told, loaded: Warehouse) -> None:
    run = tell(told, loaded, lie("a voucher is missing", LIST, without(voucher("R-2026-02"))))
    assert set(run.refused) == {"2026-02"}
    assert any("R-2026-02" in reason for reason in run.results[0].reasons(1000))


ALL_EMPTY = lie("everything is empty", everything, emptied)


def test_months_that_are_emptied_altogether_are_suspicious(told: Told, loaded: Warehouse) -> None:
    run = tell(told, loaded, ALL_EMPTY)
    assert run.refused == dict.fromkeys(MONTHS, "suspicious_empty")


def test_a_first_load_of_nothing_is_unproven_and_never_done(told: Told, new: Warehouse) -> None:
    run = tell(told, new, ALL_EMPTY)
    assert run.refused == dict.fromkeys(MONTHS, "unproven")
    told.liar.tell(None)
    later = run_extraction(
        told.books.companies["now"], told.liar.url, new, **QUARTER, resume_since="1900-01-01"
    )  # fmt: skip
    assert later.is_proven
    assert not later.results[0].months("done")


def test_nothing_is_never_done(told: Told, new: Warehouse) -> None:
    tell(told, new, ALL_EMPTY)
    told.liar.tell(None)
    run_extraction(told.books.companies["now"], told.liar.url, new, **QUARTER, resume_since="1900-01-01")
    books = told.books.files["now"]
    assert warehouse_picture(new, MONTHS, books) == books_picture(books, MONTHS)


def test_a_period_wholly_in_the_future_is_refused(told: Told, new: Warehouse) -> None:
    told.liar.tell(None)
    period = {"from_date": "2930-01-01", "to_date": "2930-01-31"}
    run = run_extraction(told.books.companies["now"], told.liar.url, new, **period)
    assert run.error is not None
    assert "2930" in str(run.error)


def test_a_lie_that_is_kept_on_request_is_marked(told: Told, loaded: Warehouse) -> None:
    """With ``keep`` the month is loaded, and its verdict says what it is."""
    run = tell(told, loaded, lie("a voucher is missing", LIST, without(voucher("GL-"))), on_unproven="keep")
    assert run.words - PROVEN == {"broken"}
    rows = loaded.query("SELECT verdict FROM proofs WHERE accno IS NULL AND loaded AND month = DATE '2026-02-01'")
    assert rows == [("broken",)]


def test_the_truth_is_taken_after_a_lie(told: Told, loaded: Warehouse) -> None:
    entry = lie("a voucher is missing", LIST, without(voucher("GL-")), REFUSED, period=FEBRUARY)
    assert not tell(told, loaded, entry).is_proven
    told.load(loaded, "now")
