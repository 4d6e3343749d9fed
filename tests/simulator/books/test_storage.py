"""The file of the books: restarts, connections, threads, and totals that follow every change."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_rma.simulator import demo_company
from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed.calendar import SeedPlan
from airflow_provider_rma.simulator.seed.run import seed
from tests.support.documents import booking_invoice


def test_books_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    books = Books.create(path, demo_company.build_master())
    number = books.post_invoice(booking_invoice(None))  # type: ignore[arg-type]
    books.set_close_date("2011-12-31")
    before = books.document(number, today="2012-08-06")
    books.close()
    books = Books.open(path)
    assert books.document(number, today="2012-08-06") == before
    assert before["invnumber"] == "90001"
    assert books.tenant["closedto"] == "2011-12-31"
    assert books.document(books.post_invoice(booking_invoice("")))["invnumber"] == "90002"
    books.close()
    with pytest.raises(FileNotFoundError):
        Books.open(tmp_path / "absent.db")
    with pytest.raises(sqlite3.OperationalError):
        Books.create(path, demo_company.build_master())


def test_two_connections_see_each_others_writes(tmp_path: Path) -> None:
    writer = Books.create(tmp_path / "books.db", demo_company.build_master())
    reader = Books.open(tmp_path / "books.db")
    number = writer.post_invoice(booking_invoice())
    writer.set_close_date("2011-12-31")
    assert reader.document(number)["amount"] == Decimal("106.92")
    assert reader.tenant["closedto"] == "2011-12-31"
    writer.close()
    reader.close()


def test_a_long_read_sees_one_state(tmp_path: Path) -> None:
    books = Books.create(tmp_path / "books.db", demo_company.build_master())
    for day in ("01", "02", "03"):
        books.post_invoice(booking_invoice(transdate=f"2025-01-{day}"))
    count, postings = books.counted_postings()
    seen = [next(postings)]
    books.post_invoice(booking_invoice(transdate="2025-01-04"))
    seen += postings
    assert len(seen) == count == 9
    assert books.count_postings() == 12
    books.close()


def test_many_threads_post_at_once(tmp_path: Path) -> None:
    books = Books.create(tmp_path / "books.db", demo_company.build_master())

    def work(worker: int) -> None:
        for turn in range(20):
            books.post_invoice(booking_invoice(f"T-{worker}-{turn}"))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(books.invoices(today="2025-01-01"))) == 80
    assert books.count_postings() == 240
    books.close()


RAW = """SELECT transdate, account_id, fx, COUNT(*), SUM(units <> 0), SUM(units / 100000000), SUM(units % 100000000)
         FROM posting GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""


KEPT = "SELECT * FROM daily WHERE lines ORDER BY 1, 2, 3"


def differs(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        raw, kept = connection.execute(RAW).fetchall(), connection.execute(KEPT).fetchall()
    assert raw
    return raw != kept


def test_totals_follow_every_change(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    seed(path, SeedPlan(customers=30, invoices=150, months=13, unbalanced=2))
    assert not differs(path)
    books = Books.open(path)
    vouchers = [one["id"] for one in books.latest_vouchers(5) if one["module"] == "gl"]
    books.unbalance(vouchers[0], "0.99")
    books.delete(vouchers[1])
    invoice = books.open_invoices("2024-12-31")[0]["id"]
    books.resave(invoice, books.document(invoice))
    books.pay(invoice, {"amount": "1.005", "datepaid": "2024-05-05"})
    books.close()
    assert not differs(path)


def test_books_from_before_the_totals_get_them(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    seed(path, SeedPlan(customers=5, invoices=30, months=3))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TRIGGER posting_added; DROP TRIGGER posting_taken; DROP TRIGGER posting_changed; DROP TABLE daily;"
        )
    books = Books.open(path)
    books.delete(books.latest_vouchers(1)[0]["id"])
    books.close()
    assert not differs(path)


def test_balances_are_the_sums_of_the_postings(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    seed(path, SeedPlan(customers=30, invoices=300, months=14))
    books = Books.open(path)
    period = ("2023-11-07", "2024-01-09")
    closing_ids = {row[0] for row in books._store.fetch("SELECT document_id FROM yearend")}
    for department in (None, "Hüttenshop"):
        for without_closing in (False, True):
            for main_currency in (False, True):
                sums: dict[str, Decimal] = {}
                for row in books.postings("x", *period):
                    left_out = without_closing and row["id"] in closing_ids
                    left_out |= not main_currency and row["fx_transaction"]
                    left_out |= bool(department) and (row["department"] or {}).get("name") != department
                    if not left_out:
                        sums[row["accno"]] = sums.get(row["accno"], Decimal(0)) + row["amount"]
                found = books.balances(
                    "x", *period, department=department, exclude_yearend=without_closing,
                    main_currency=main_currency, include_openings=False,
                )  # fmt: skip
                assert {row["accno"]: abs(row["amount"]) for row in found if row["amount"]} == {
                    accno: abs(amount) for accno, amount in sums.items() if amount
                }
    books.close()


def test_balances_see_what_is_being_written_together() -> None:
    books = Books.create(":memory:", demo_company.build_master())
    with books.in_one_transaction():
        books.post_gl({"transdate": "2025-01-01", "reference": "G", "lines": [
            {"accno": "1000", "debit": "5"}, {"accno": "2800", "credit": "5"}]})  # fmt: skip
        assert [row["amount"] for row in books.balances("1000")] == [Decimal(5)]
        customer = {"customernumber": "K-5", "name": "Eins", "created": "2025-01-01"}
        books.save_customer(customer)
        assert books.customer("K-5")["name"] == "Eins"  # type: ignore[index]
        books.save_customer({**customer, "name": "Zwei"})
        assert books.customer("K-5")["name"] == "Zwei"  # type: ignore[index]
    books.close()


def test_what_was_read_in_a_failed_transaction_is_forgotten(tmp_path: Path) -> None:
    books = Books.create(tmp_path / "b.db", demo_company.build_master())

    def fail() -> None:
        with books.in_one_transaction():
            books.save_customer({"customernumber": "K-5", "name": "Eins"})
            assert books.customer("K-5")
            raise RuntimeError

    try:
        fail()
    except RuntimeError:
        assert books.customer("K-5") is None
    first = books.save_customer({"customernumber": "K-6", "name": "Eins"})
    second = books.save_customer({"customernumber": "K-7", "name": "Eins"})
    assert second == first + 1
    books.close()


def test_closing_rows_are_of_the_moment_in_which_the_read_began(tmp_path: Path) -> None:
    voucher = {"transdate": "2025-01-01", "reference": "G", "lines": [
        {"accno": "1000", "debit": "5"}, {"accno": "2800", "credit": "5"}]}  # fmt: skip
    for path in (":memory:", tmp_path / "b.db"):
        books = Books.create(path, demo_company.build_master())
        books.post_gl(voucher)
        count, rows = books.counted_postings("1000", "2025-01-01", "2025-12-31", include_closings=True)
        first = next(rows)
        late = threading.Thread(target=books.post_gl, args=({**voucher, "transdate": "2025-06-01"},))
        late.start()
        late.join()
        found = [first, *rows]
        assert found[-1]["reference"] == "Schlusssaldo"
        assert found[-1]["amount"] == Decimal(-5)
        assert count == 2
        books.close()
