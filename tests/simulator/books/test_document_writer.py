"""Documents that are saved again, paid, put out of balance or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.master_tables import load_master
from airflow_provider_rma.simulator.books.refusal import RefusalError
from tests.support.documents import booking_invoice
from tests.support.posting_oracle import differences, play
from tests.support.reference import ORACLE_MASTER, oracle_cases

RESAVES = oracle_cases("resave")


DELETIONS = oracle_cases("delete")


@pytest.fixture(scope="module")
def oracle_books() -> Iterator[Books]:
    books = Books.create(":memory:", load_master(ORACLE_MASTER))
    yield books
    books.close()


def entry_ids(books: Books, number: int) -> list[int]:
    return [posting["entry_id"] for posting in books.document(number)["postings"]]


@pytest.mark.parametrize("case", RESAVES, ids=[case["case"] for case in RESAVES])
def test_saving_again_replaces_every_row(oracle_books: Books, case: dict[str, Any]) -> None:
    seen: set[int] = set()
    for step, expected, number in play(oracle_books, case):
        assert not differences(expected, oracle_books.document(number)), step
        ids = entry_ids(oracle_books, number)
        assert not seen & set(ids)
        assert not seen or min(ids) > max(seen)
        seen |= set(ids)


@pytest.mark.parametrize("case", DELETIONS, ids=[case["case"] for case in DELETIONS])
def test_deleting_leaves_nothing(oracle_books: Books, case: dict[str, Any]) -> None:
    for step, expected, number in play(oracle_books, case):
        if step == "end":
            assert expected["exists"] is False
            with pytest.raises(KeyError):
                oracle_books.document(number)
            assert not any(posting["id"] == number for posting in oracle_books.postings())
        else:
            assert not differences(expected, oracle_books.document(number)), step


def test_a_failed_document_leaves_nothing(books: Books) -> None:
    before = books.post_invoice(booking_invoice())
    with pytest.raises(RefusalError):
        books.post_invoice(booking_invoice(incomeentries=[{"amount": "1", "income_accno": "9876"}]))
    with pytest.raises(RefusalError):
        books.resave(before, booking_invoice(taxentries=[{"amount": "1", "tax_accno": "2"}]))
    assert len(list(books.postings())) == 3
    assert len(books.latest_vouchers(10)) == 1
    assert books.document(before)["amount"] == Decimal("106.92")


def test_payments_have_lasting_ids(books: Books) -> None:
    number = books.post_invoice(booking_invoice())
    first = books.pay(number, {"amount": "100", "datepaid": date(2012, 8, 20), "payment_accno": "1030"}, "save_again")
    second = books.pay(number, {"amount": "6.92", "datepaid": "2012-08-21", "memo": "Rest"})
    assert first["id"] != second["id"]
    assert second["memo"] == "Rest"
    assert second["amount"] == Decimal("6.92")
    assert second["invnumber"] == "R-1"
    document = books.document(number, today="2030-01-01")
    assert document["status"] == "PAID"
    assert [payment["id"] for payment in document["payments"]] == [first["id"], second["id"]]
    third = books.pay(number, {"amount": "-1", "datepaid": "2012-08-22"}, "save_again")
    assert [payment["id"] for payment in books.document(number)["payments"]] == [first["id"], second["id"], third["id"]]
    assert books.document(number)["postings"][-1]["accno"] == "1020", "the default account"


def test_a_voucher_of_the_general_ledger_cannot_be_paid(books: Books) -> None:
    number = books.post_gl({"transdate": "2025-01-02", "lines": [{"accno": "1000", "debit": "1"}]})
    with pytest.raises(RefusalError):
        books.pay(number, {"amount": "1", "datepaid": "2025-01-02"})


def test_unbalance_alters_one_row_in_place(books: Books) -> None:
    number = books.post_invoice(booking_invoice())
    before = books.document(number)["postings"]
    books.unbalance(number)
    after = books.document(number)["postings"]
    assert [posting["entry_id"] for posting in after] == [posting["entry_id"] for posting in before]
    assert sum(posting["amount"] for posting in after) == Decimal("0.01")
    with pytest.raises(KeyError):
        books.unbalance(1)


def test_entry_ids_are_never_reused(books: Books) -> None:
    number = books.post_invoice(booking_invoice())
    last = books.document(number)["postings"][-1]["entry_id"]
    books.delete(number)
    again = books.post_invoice(booking_invoice())
    assert books.document(again)["postings"][0]["entry_id"] == last + 1
    assert again > number
