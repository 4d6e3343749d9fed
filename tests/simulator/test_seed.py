"""Seeded books: the same for the same arguments, balanced, complete, and written by the ledger's own rules."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed.calendar import SeedPlan, euro_rate, next_business_day, share_by_month
from airflow_provider_rma.simulator.seed.run import SeedSummary, seed
from tests.support.simulator import SimulatorProcess

COMMAND = [sys.executable, "-m", "airflow_provider_rma.simulator", "seed"]
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


def test_invoices_are_shared_out_by_season_without_a_rest() -> None:
    months = share_by_month(SeedPlan(invoices=997, months=17))
    assert sum(months) == 997
    assert months[6] > months[0]


def test_calendar() -> None:
    assert next_business_day(date(2024, 6, 1)) == date(2024, 6, 3)
    assert next_business_day(date(2024, 6, 2)) == date(2024, 6, 3)
    assert next_business_day(date(2024, 6, 4)) == date(2024, 6, 4)
    rates = {euro_rate(date(2024, month, 1)) for month in range(1, 13)}
    assert len(rates) > 6
    assert all(Decimal("0.92") <= rate < Decimal("0.99") for rate in rates)


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


def test_the_command_says_what_it_built(tmp_path: Path) -> None:
    db = tmp_path / "b.db"
    arguments = ["--db", str(db), "--customers", "5", "--invoices", "60", "--months", "3", "--start", "2024-02"]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[0::2][:2] == ["documents", "postings"]
    assert int(words[3]) == query(db, "SELECT COUNT(*) FROM posting")[0][0]
    assert "period 2024-02-01 to 2024-04-30" in done.stdout
    assert "2024-04" in done.stderr
    again = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    "wrong",
    [["--invoices", "-1"], ["--months", "0"], ["--start", "2024-13"], ["--payments", "1.5"], ["--customers", "x"]],
)
def test_wrong_arguments_are_refused(wrong: list[str], tmp_path: Path) -> None:
    from airflow_provider_rma.simulator.__main__ import main

    with pytest.raises(SystemExit) as refusal:
        main(["seed", "--db", str(tmp_path / "b.db"), *wrong])
    assert refusal.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_is_streamed_and_never_held(seeded: tuple[Path, SeedSummary], tmp_path: Path) -> None:
    """Four times as many postings take no more memory: the answer is made as it is sent."""
    path = tmp_path / "books.db"
    shutil.copy(seeded[0], path)
    with closing(Books.open(path)) as books, books.in_one_transaction():
        lines = [{"accno": "6500", "debit": "1.25", "memo": "M" * 40}, {"accno": "1020", "credit": "1.25"}] * 400
        for day in range(1, 29):
            books.post_gl({"reference": f"L-{day}", "transdate": date(2026, 2, day), "lines": lines})
    with SimulatorProcess(path) as simulator:
        quarter = received(simulator, "2026-02-07")
        before = memory(simulator.pid)
        whole = received(simulator, "2026-02-28")
        assert whole > 3.9 * quarter
        assert memory(simulator.pid) - before < (whole - quarter) / 4


def received(simulator: SimulatorProcess, last: str) -> int:
    """Bytes of the postings of February 2026 until a day."""
    headers = {"Authorization": f"Bearer {simulator.token}", "Accept": "application/xml"}
    query = {"from_date": "2026-02-01", "to_date": last}
    address = f"{simulator.base}/charts/x/transactions"
    with requests.get(address, params=query, headers=headers, stream=True, timeout=60) as answer:
        return sum(map(len, answer.iter_content(1 << 16)))


def memory(pid: int) -> int:
    """The largest memory of a process so far, in bytes; skips the test where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        pytest.skip("the system does not tell the memory of a process")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return 1024 * int(found[1])
