"""Posting, reading and listing documents through the facade of the books."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from tests.support.documents import booking_invoice


def rows(books: Books, number: int) -> list[tuple[str, Decimal]]:
    return [(posting["accno"], posting["amount"]) for posting in books.document(number)["postings"]]


def test_booking_sample_totals_106_92(books: Books) -> None:
    number = books.post_invoice(booking_invoice("A1.1"))
    document = books.document(number, today="2012-09-06")
    assert document["amount"] == Decimal("106.92")
    assert document["netamount"] == Decimal("99")
    assert document["status"] == "OVERDUE"
    assert rows(books, number) == [("3400", Decimal("99")), ("2201", Decimal("7.92")), ("1100", Decimal("-106.92"))]


def test_down_payment_sample_totals_648(books: Books) -> None:
    entries = [{"amount": "600.0", "income_accno": "2030", "description": "Anzahlung"}]
    taxes = [{"amount": "48.0", "tax_accno": "2201"}]
    number = books.post_invoice(booking_invoice("A3.1", incomeentries=entries, taxentries=taxes))
    assert books.document(number)["amount"] == Decimal("648.00")
    assert books.document(number)["postings"][0]["memo"] == "Anzahlung"


def test_extra_header_texts_come_back_as_given(books: Books) -> None:
    texts = {
        "ordnumber": "O/1", "notes": "gedruckt", "intnotes": "intern", "description": "Titel", "language_code": "de",
        "dcn": "210000000003139471430009017", "payment_accno": "1030", "department": "Department 2",
    }  # fmt: skip
    document = books.document(books.post_invoice(booking_invoice(**texts)))
    assert {name: document[name] for name in texts} == texts
    assert document["postings"][0]["department"] == "Department 2"
    assert document["ar_accno"] == "1100"


def test_numbers_need_not_be_unique_and_compare_exactly(books: Books) -> None:
    first, second = books.post_invoice(booking_invoice("R-7")), books.post_invoice(booking_invoice("R-7"))
    assert books.find_invoices("R-7") == [first, second]
    assert books.find_invoices("r-7") == books.find_invoices("R-") == []
    purchase = books.post_purchase({"invnumber": "R-7", "vendornumber": "L-001", "transdate": "2025-01-02",
                                    "expenseentries": [{"amount": "10", "expense_accno": "6500"}]})  # fmt: skip
    assert books.find_invoices("R-7") == [first, second]
    assert books.find_documents("R-7", "ap") == [purchase]


def test_documents_written_together_stand_or_fall_together(books: Books) -> None:
    def two() -> None:
        with books.in_one_transaction():
            books.post_invoice(booking_invoice("T-1"))
            books.post_invoice(booking_invoice("T-2", customernumber="K-999"))

    with pytest.raises(RefusalError):
        two()
    assert books.find_invoices("T-1") == []
    with books.in_one_transaction():
        books.post_invoice(booking_invoice("T-1"))
    assert len(books.find_invoices("T-1")) == 1


def test_ids_of_all_kinds_are_one_sequence(books: Books) -> None:
    ids = [entity["id"] for entity in (*books.accounts(), *books.departments(), *books.projects(), *books.parts(),
                                       *books.customers(), *books.vendors())]  # fmt: skip
    ids.append(books.post_invoice(booking_invoice()))
    assert len(set(ids)) == len(ids)
    assert min(ids) == 10001


def test_status_rules(books: Books) -> None:
    def status(paid: str | None, today: str, **changes: Any) -> str:
        number = books.post_invoice(booking_invoice(**changes))
        if paid:
            books.pay(number, {"amount": paid, "datepaid": "2012-08-10"})
        return str(books.document(number, today=today)["status"])

    assert status(None, "2012-09-05") == "OPEN"
    assert status(None, "2012-09-06") == "OVERDUE"
    assert status("106.92", "2030-01-01") == "PAID"
    assert status("106.93", "2012-09-01") == "OPEN", "an over-paid invoice counts as open"
    assert status(None, "2030-01-01", incomeentries=[], taxentries=[]) == "PAID", "nothing to pay"


def test_invoice_list_filters(books: Books) -> None:
    books.post_invoice(booking_invoice("JAN", transdate="2025-01-31", duedate="2025-03-01"))
    paid = books.post_invoice(booking_invoice("FEB", transdate="2025-02-01", duedate="2025-02-10"))
    books.post_invoice(booking_invoice("FEB2", transdate="2025-02-28", customernumber="K-901", duedate="2025-02-28"))
    books.pay(paid, {"amount": "106.92", "datepaid": "2025-02-05"})

    def numbers(**filters: Any) -> list[str]:
        return [invoice["invnumber"] for invoice in books.invoices(today="2025-02-28", **filters)]

    assert numbers() == ["JAN", "FEB", "FEB2"]
    assert numbers(from_date="2025-01-31", to_date=date(2025, 2, 1)) == ["JAN", "FEB"], "both dates inclusive"
    assert numbers(status="PAID") == ["FEB"]
    assert numbers(status="OPEN") == ["JAN", "FEB2"]
    assert numbers(status="OVERDUE") == []
    assert numbers(customernumber="K-901") == ["FEB2"]
    overdue = books.invoices(today="2025-03-01", status="OPEN")
    assert [invoice["status"] for invoice in overdue] == ["OPEN", "OVERDUE"], "open includes overdue"
    assert [invoice["invnumber"] for invoice in books.open_invoices("2025-03-01")] == ["JAN", "FEB2"]
