"""The demo's ERP has what it promises, and always the same."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.simulator.demo_company import build_master
from scripts.demo_erp import create_erp, erp_total


@pytest.fixture(scope="module")
def erp_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("erp") / "erp.db"
    assert create_erp(path) is True
    return path


@pytest.fixture
def erp(erp_file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(erp_file)) as connection:
        yield connection


def rows(erp: sqlite3.Connection, query: str) -> list[Any]:
    return erp.execute(query).fetchall()


def test_an_existing_erp_stays_as_it_is(erp_file: Path) -> None:
    before = erp_file.read_bytes()
    assert create_erp(erp_file) is False
    assert erp_file.read_bytes() == before


def test_it_is_the_same_on_every_machine(erp_file: Path, erp: sqlite3.Connection, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    create_erp(other)
    with closing(sqlite3.connect(other)) as connection:
        assert list(connection.iterdump()) == list(erp.iterdump())
    # Written down, so that another version of Python would be noticed.
    assert erp_total(erp_file) == Decimal("404837.34")


def test_counts(erp: sqlite3.Connection) -> None:
    documents = "SELECT kind, status, COUNT(*) FROM invoices GROUP BY 1, 2 ORDER BY 1, 2"
    assert rows(erp, documents) == [("credit note", "final", 28), ("invoice", "draft", 3), ("invoice", "final", 372)]
    assert rows(erp, "SELECT COUNT(*), COUNT(DISTINCT number) FROM customers") == [(60, 60)]
    assert rows(erp, "SELECT COUNT(DISTINCT customer_id) FROM invoices WHERE status = 'final'") == [(60,)]
    days = "SELECT MIN(invoice_date), MAX(invoice_date) FROM invoices WHERE status = 'final'"
    assert rows(erp, days) == [("2026-08-01", "2026-10-31")]


def test_every_final_document_has_lines_or_bookings_but_not_both(erp: sqlite3.Connection) -> None:
    articles = {key for (key,) in rows(erp, "SELECT DISTINCT invoice_id FROM invoice_lines")}
    booked = {key for (key,) in rows(erp, "SELECT DISTINCT invoice_id FROM bookings")}
    assert not articles & booked
    assert articles | booked == {key for (key,) in rows(erp, "SELECT id FROM invoices")}
    assert len(booked) >= 40


def test_the_cases_that_bite_are_in_it(erp: sqlite3.Connection) -> None:
    prices = {price for (price,) in rows(erp, "SELECT DISTINCT unit_price FROM invoice_lines")}
    assert "0.125" in prices
    assert any(price.endswith("5") for price in prices - {"0.125"})
    assert {vat for (vat,) in rows(erp, "SELECT DISTINCT vat FROM articles")} >= {"standard", "reduced"}
    twice = "SELECT COUNT(*) FROM (SELECT 1 FROM invoice_lines GROUP BY invoice_id, article_id HAVING COUNT(*) > 1)"
    assert rows(erp, twice)[0][0] > 10
    assert rows(erp, "SELECT number FROM customers WHERE email IS NULL") == [("K-103",)]
    assert len(rows(erp, "SELECT DISTINCT payment_days FROM customers")) == 3
    assert len(rows(erp, "SELECT DISTINCT prices_include_vat FROM invoices WHERE status = 'final'")) == 2
    assert len(rows(erp, "SELECT DISTINCT department_id FROM invoices")) == 3
    names = "".join(str(name) for row in rows(erp, "SELECT company, first_name, last_name, town FROM customers")
                    for name in row)  # fmt: skip
    assert set("äöüéàë") <= set(names) | set(names.lower())
    assert rows(erp, "SELECT COUNT(*) FROM bookings b JOIN invoices i ON i.id = b.invoice_id "
                "WHERE i.kind = 'credit note'")[0][0] > 0  # fmt: skip


def test_ibans_are_the_sample_one_and_mail_goes_nowhere(erp: sqlite3.Connection) -> None:
    assert rows(erp, "SELECT DISTINCT iban FROM customers WHERE iban IS NOT NULL") == [("CH9300762011623852957",)]
    assert all(mail.endswith(".example") for (mail,) in rows(erp, "SELECT email FROM customers WHERE email > ''"))


def test_amounts_are_exact_text(erp: sqlite3.Connection) -> None:
    columns = (
        ("invoices", "total"),
        ("articles", "list_price"),
        ("invoice_lines", "quantity"),
        ("invoice_lines", "unit_price"),
        ("bookings", "amount"),
    )
    for table, column in columns:
        for (value,) in rows(erp, f"SELECT {column} FROM {table}"):
            assert isinstance(value, str), (table, column)
            assert re.fullmatch(r"-?\d+(\.\d+)?", value), (table, column)


def test_a_credit_note_takes_back_one_invoice_and_none_is_credited_twice(erp: sqlite3.Connection) -> None:
    notes = rows(erp, "SELECT title, total, customer_id, number FROM invoices WHERE kind = 'credit note'")
    credited = [title.rpartition(" ")[2] for title, *_ in notes]
    assert len(set(credited)) == len(credited)
    for number, (_, total, customer, own) in zip(credited, notes, strict=True):
        found = rows(erp, f"SELECT total, customer_id, number < '{own}' FROM invoices WHERE number = '{number}'")
        assert found == [(total.removeprefix("-"), customer, 1)]


def test_bookings_add_up_to_the_total(erp: sqlite3.Connection) -> None:
    booked: dict[int, Decimal] = {}
    for invoice, amount in rows(erp, "SELECT invoice_id, amount FROM bookings"):
        booked[invoice] = booked.get(invoice, Decimal(0)) + Decimal(amount)
    assert booked
    totals = dict(rows(erp, "SELECT id, total FROM invoices"))
    assert booked == {invoice: Decimal(totals[invoice]) for invoice in booked}


def test_the_accounting_knows_its_articles_and_departments(erp: sqlite3.Connection) -> None:
    company = build_master()
    parts = {part["partnumber"]: part for part in company["parts"]}
    vat = {"standard": {"2201"}, "reduced": {"2202"}, "none": set()}
    for sku, name, unit, price, rate in rows(erp, "SELECT sku, name, unit, list_price, vat FROM articles"):
        part = parts[sku]
        assert (part["description"], part["unit"], Decimal(part["sellprice"])) == (name, unit, Decimal(price))
        assert {accno for accno in part["tax_accnos"] if accno.startswith("22")} == vat[rate]
    departments = {department["name"] for department in company["departments"]}
    assert {name for (name,) in rows(erp, "SELECT name FROM departments")} <= departments
    accounts = {account["accno"] for account in company["accounts"]}
    assert {accno for (accno,) in rows(erp, "SELECT DISTINCT account FROM bookings")} <= accounts
