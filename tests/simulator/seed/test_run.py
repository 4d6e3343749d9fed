"""Seeded books: the same for the same arguments, balanced, complete, and written by the ledger's own rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed.calendar import SeedPlan
from airflow_provider_rma.simulator.seed.run import SeedSummary, seed

PLAN = SeedPlan(customers=30, invoices=400, months=26, seed=7, start=date(2023, 11, 1))


TABLES = ("posting", "document", "payment", "party", "yearend", "daily", "meta", "sqlite_sequence")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SeedSummary]:
    path = tmp_path_factory.mktemp("seed") / "new" / "books.db"
    return path, seed(path, PLAN)


@pytest.fixture(scope="module")
def books(seeded: tuple[Path, SeedSummary]) -> Iterator[Books]:
    books = Books.open(seeded[0])
    yield books
    books.close()


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {table: query(path, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}


def test_the_same_arguments_give_the_same_books(seeded: tuple[Path, SeedSummary], tmp_path: Path) -> None:
    seed(tmp_path / "again.db", PLAN)
    seed(tmp_path / "other.db", SeedPlan(customers=30, invoices=400, months=26, seed=8, start=date(2023, 11, 1)))
    first, again, other = content(seeded[0]), content(tmp_path / "again.db"), content(tmp_path / "other.db")
    for table in TABLES:
        assert first[table] == again[table], table
    assert first["posting"] != other["posting"]


def test_every_voucher_and_the_whole_balance(seeded: tuple[Path, SeedSummary]) -> None:
    assert query(seeded[0], "SELECT document_id, SUM(units) FROM posting GROUP BY 1 HAVING SUM(units)") == []
    assert query(seeded[0], "SELECT SUM(units) FROM posting") == [(0,)]


def test_vouchers_are_off_by_a_rappen_only_where_it_is_asked_for(tmp_path: Path) -> None:
    seed(tmp_path / "b.db", SeedPlan(customers=5, invoices=400, months=6, unbalanced=3))
    sums = query(tmp_path / "b.db", "SELECT SUM(units) FROM posting GROUP BY document_id HAVING SUM(units)")
    assert sums == [(1_000_000,)] * 3


def test_it_counts_what_it_built(seeded: tuple[Path, SeedSummary], books: Books) -> None:
    path, summary = seeded
    assert len(list(books.invoices(today="2026-01-01"))) == PLAN.invoices
    assert summary.documents == query(path, "SELECT COUNT(*) FROM document")[0][0]
    assert summary.postings == query(path, "SELECT COUNT(*) FROM posting")[0][0] == books.count_rows()
    assert (summary.first_day, summary.last_day) == (date(2023, 11, 1), date(2025, 12, 31))
    assert summary.size == path.stat().st_size
    assert query(path, "SELECT MIN(transdate), MAX(transdate) FROM posting") == [("2023-11-01", "2025-12-31")]
    assert {one.name for one in path.parent.iterdir()} <= {"books.db", "books.db-wal", "books.db-shm"}


def test_documents_of_every_kind_are_there(seeded: tuple[Path, SeedSummary], books: Books) -> None:
    path, _ = seeded
    kinds = {tuple(row) for row in query(path, "SELECT DISTINCT module, article, currency FROM document")}
    assert kinds == {
        ("ar", 0, "CHF"), ("ar", 1, "CHF"), ("ar", 0, "EUR"), ("ap", 0, "CHF"), ("gl", 0, "CHF"), ("gl", 0, "EUR"),
    }  # fmt: skip
    invoices = list(books.invoices(today="2026-01-01"))
    assert any(one["amount"] < 0 for one in invoices), "credit notes"
    assert {one["status"] for one in invoices} >= {"PAID", "OVERDUE"}
    assert any(one["department"] for one in invoices)
    accounts = {row[0] for row in query(path, "SELECT a.accno FROM account a JOIN daily t ON t.account_id = a.id")}
    assert accounts >= {"3800", "6940", "5000", "6000", "6800", "2200", "1000", "6952", "2990"}
    assert query(path, "SELECT MAX(LENGTH(notes)) FROM document")[0][0] > 200


def test_most_invoices_are_paid_and_none_if_so_wanted(seeded: tuple[Path, SeedSummary], tmp_path: Path) -> None:
    paid = "SELECT AVG(CAST(paid AS REAL) <> 0) FROM document WHERE module = 'ar' AND transdate < '2025-07-01'"
    assert 0.78 < query(seeded[0], paid)[0][0] < 0.92
    seed(tmp_path / "b.db", SeedPlan(customers=5, invoices=40, months=3, payments=0.0))
    assert query(tmp_path / "b.db", "SELECT COUNT(*) FROM payment") == [(0,)]


def test_saved_again_and_deleted_documents_leave_gaps(seeded: tuple[Path, SeedSummary]) -> None:
    count, first, last = query(seeded[0], "SELECT COUNT(*), MIN(entry_id), MAX(entry_id) FROM posting")[0]
    assert last - first + 1 > count
    assert query(seeded[0], "SELECT COUNT(*) FROM document WHERE description LIKE '%(korrigiert)'")[0][0] > 0


def test_years_that_ended_are_closed(seeded: tuple[Path, SeedSummary], books: Books) -> None:
    closings = query(seeded[0], "SELECT transdate FROM yearend ORDER BY 1")
    assert closings == [("2023-12-31",), ("2024-12-31",), ("2025-12-31",)]
    assert {row["amount"] for row in books.balances("3xxx", to_date="2025-12-31")} == {Decimal(0)}
    open_result = books.balances("3xxx", to_date="2025-12-31", exclude_yearend=True)
    assert all(row["amount"] for row in open_result)


def test_saving_a_seeded_document_again_changes_none_of_its_rows(books: Books) -> None:
    wanted = [one["id"] for one in books.invoices(today="2026-01-01") if one["currency"] == "CHF"][::7]
    compared = 0
    for number in wanted:
        document = books.document(number)
        if document["payments"]:
            continue
        before = [(row["accno"], row["amount"], row["transdate"]) for row in document["postings"]]
        again = {**document, "exchangerate": None, "paid": None}
        books.resave(number, again)
        after = [(row["accno"], row["amount"], row["transdate"]) for row in books.document(number)["postings"]]
        assert after == before
        compared += 1
    assert compared > 3


def test_a_file_that_exists_is_not_touched(seeded: tuple[Path, SeedSummary]) -> None:
    before = seeded[0].stat().st_mtime_ns
    with pytest.raises(FileExistsError):
        seed(seeded[0], PLAN)
    assert seeded[0].stat().st_mtime_ns == before


def test_what_is_not_finished_leaves_no_file(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(tmp_path / "b.db", SeedPlan(customers=5, invoices=10, months=1), interrupt)
    assert list(tmp_path.iterdir()) == []
