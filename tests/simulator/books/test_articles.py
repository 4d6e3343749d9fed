"""Invoices of the article method: prices, accounts and taxes that come from the article."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from airflow_provider_rma.simulator.books.books import Books
from tests.support.documents import article_invoice


def test_article_sample_takes_price_account_and_tax_of_its_day(books: Books) -> None:
    number = books.post_invoice(article_invoice())
    assert books.document(number)["amount"] == Decimal("534.60")  # 495.00 and 8.0 %
    first = books.document(number)["postings"][0]
    assert (first["accno"], first["amount"]) == ("3400", Decimal("495"))
    later = books.post_invoice(article_invoice(transdate=date(2025, 1, 2)))
    assert books.document(later)["amount"] == Decimal("535.10")  # 8.1 %, rounded half away from zero
    assert books.document(later)["transdate"] == "2025-01-02"


def test_line_is_filled_from_the_article_where_it_is_silent(books: Books) -> None:
    number = books.post_invoice(article_invoice(lines=[{"partnumber": "HB-104", "quantity": Decimal("1000")}]))
    line = books.document(number)["lines"][0]
    assert (line["sellprice"], line["unit"], line["income_accno"]) == ("0.125", "Stk", "3200")
    assert line["description"].startswith("Holzschraube")
    assert books.document(number)["netamount"] == Decimal("125")


def test_tax_needs_both_article_and_customer(books: Books) -> None:
    number = books.post_invoice(article_invoice(customernumber="K-901"))
    assert books.document(number)["amount"] == books.document(number)["netamount"] == Decimal("495")
    untaxed = books.post_invoice(article_invoice(lines=[{"partnumber": "DL-302", "quantity": "2"}]))
    assert books.document(untaxed)["amount"] == Decimal("30")
