"""Rules of the interface: what is refused, in German, and what passes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.rules import check_invoice, check_payment
from tests.support.documents import article_invoice, booking_invoice


@pytest.mark.parametrize(
    ("document", "field", "word"),
    [
        (booking_invoice(""), "invnumber", "Rechnungsnummer"),
        (booking_invoice(customernumber="K-999"), "customernumber", "K-999"),
        (booking_invoice(incomeentries=[{"amount": "1", "income_accno": "9999"}]), "income_accno", "9999"),
        (booking_invoice(incomeentries=[{"amount": "1", "income_accno": "3"}]), "income_accno", "'3'"),
        (booking_invoice(taxentries=[{"amount": "1", "tax_accno": "2299"}]), "tax_accno", "2299"),
        (booking_invoice(ar_accno="1199"), "ar_accno", "1199"),
        (booking_invoice(incomeentries=[], taxentries=[]), "incomeentries", "Positionen"),
        (booking_invoice(department="Keller"), "department", "Keller"),
        (booking_invoice(transdate="2012-06-30"), "transdate", "abgeschlossen"),
        (
            booking_invoice(payments=[{"amount": "1", "datepaid": "2012-08-10", "payment_accno": "3400"}]),
            "payment_accno",
            "3400",
        ),
        (booking_invoice(payments=[{"amount": "1", "datepaid": "2012-06-30"}]), "datepaid", "abgeschlossen"),
        (article_invoice(lines=[]), "parts", "Positionen"),
        (article_invoice(lines=[{"partnumber": "X-1"}]), "partnumber", "X-1"),
        (article_invoice(lines=[{"partnumber": "ART-1", "income_accno": "3999"}]), "income_accno", "3999"),
        (booking_invoice(lines=[{"partnumber": "ART-1"}]), "parts", "entweder"),
    ],
)
def test_check_refuses_in_german(books: Books, document: dict[str, Any], field: str, word: str) -> None:
    books.set_close_date("2012-06-30")
    with pytest.raises(RefusalError, match=word) as refusal:
        check_invoice(books, document)
    assert refusal.value.field == field
    assert str(refusal.value) == refusal.value.text
    assert list(books.postings()) == []


def test_check_accepts_what_the_interface_accepts(books: Books) -> None:
    books.set_close_date(date(2012, 6, 30))
    check_invoice(books, booking_invoice(transdate=date(2012, 7, 1)))
    check_invoice(books, article_invoice(department="Department 2"))
    check_invoice(books, booking_invoice(customernumber="K-NEW", customer={"customernumber": "K-NEW"}))
    check_payment(books, {"amount": "12.95", "datepaid": "2012-08-10", "payment_accno": "3800"})
    with pytest.raises(RefusalError):
        check_payment(books, {"amount": "1", "datepaid": "2012-08-10", "payment_accno": "3800"}, link="AP_paid")
