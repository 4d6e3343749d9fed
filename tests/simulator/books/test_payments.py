"""Payments, as the real ledger code posts them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.master_tables import load_master
from tests.support.posting_oracle import differences, play
from tests.support.reference import ORACLE_MASTER, oracle_cases

PAYMENTS = oracle_cases("payment")


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    books = Books.create(":memory:", load_master(ORACLE_MASTER))
    yield books
    books.close()


def entry_ids(books: Books, number: int) -> list[int]:
    return [posting["entry_id"] for posting in books.document(number)["postings"]]


@pytest.mark.parametrize("case", PAYMENTS, ids=[case["case"] for case in PAYMENTS])
def test_payment_is_posted_as_by_the_real_ledger(books: Books, case: dict[str, Any]) -> None:
    # saving a paid tax-inclusive article document repairs its net amount or not, by the noise of doubles (D5)
    strict = not (case["input"].get("taxincluded") and "lines" in case["input"])
    earlier: list[int] = []
    for step, expected, number in play(books, case):
        document = books.document(number)
        assert not differences(expected, document, netamount=strict), step
        ids = entry_ids(books, number)
        if case["input"].get("payment_route") == "payment_form":
            assert ids[: len(earlier)] == earlier, "the payment form keeps older rows"
        elif earlier:
            assert not set(ids) & set(earlier), "saving again writes all rows anew"
        earlier = ids
        assert len(document["payments"]) == len(expected["payment_rows"] or [])
        for payment, row in zip(document["payments"], expected["payment_rows"] or [], strict=True):
            assert payment["exchangerate"] == Decimal(row["exchangerate"])


@pytest.mark.parametrize(
    "case",
    [case for case in PAYMENTS if case["result"].get("extra_documents")],
    ids=lambda case: case["case"],
)
def test_surplus_of_the_payment_form_is_a_document_of_its_own(books: Books, case: dict[str, Any]) -> None:
    known = {voucher["id"] for voucher in books.latest_vouchers(10_000)}
    for _, _, number in play(books, case):
        known.add(number)
    extra = [voucher for voucher in books.latest_vouchers(10) if voucher["id"] not in known]
    assert len(extra) == len(case["result"]["extra_documents"]) == 1
    assert not differences(case["result"]["extra_documents"][0], extra[0])
    assert extra[0]["customernumber"] == case["input"]["customernumber"]


CASES = {case["case"]: case["input"] for kind in ("payment", "ap") for case in oracle_cases(kind)}


def rows(books: Books, number: int) -> list[tuple[str, str]]:
    return [(row["accno"], format(row["amount"], "f")) for row in books.document(number)["postings"]]


def test_an_article_sale_states_several_payments_as_one_amount(books: Books) -> None:
    payment = {"amount": "10.07", "datepaid": "2025-04-10", "exchangerate": "0.95", "payment_accno": "1030"}
    sale = CASES["pay_ar_eur_partial_with_document"] | {"payments": [payment, payment]}
    document = books.document(books.post_invoice(sale))
    assert (document["paid"], document["fxpaid"]) == (Decimal("19.13"), Decimal("20.14"))
    assert [row["amount"] for row in document["postings"] if row["accno"] == "1102"][1:] == [Decimal("9.57")] * 2


def test_the_header_of_a_foreign_article_purchase_keeps_its_tax_unrounded(books: Books) -> None:
    purchase = CASES["ap_art_paid"]
    line = purchase["lines"][0] | {"sellprice": "10.07"}
    foreign = purchase | {"currency": "EUR", "exchangerate": "0.95", "lines": [line], "payments": []}
    assert books.document(books.post_purchase(foreign))["fxamount"] == Decimal("10.88567")


@pytest.mark.parametrize("route", ["with_document", "save_again", "payment_form"])
def test_a_paid_article_purchase_writes_gain_or_loss_before_the_bank(books: Books, route: str) -> None:
    payment = {"amount": "97.29", "datepaid": "2025-04-10", "exchangerate": "0.97", "payment_accno": "1020"}
    purchase = CASES["ap_art_paid"] | {"currency": "EUR", "exchangerate": "0.95", "payments": []}
    if route == "with_document":
        number = books.post_purchase(purchase | {"payments": [payment]})
    else:
        number = books.post_purchase(purchase)
        books.pay(number, payment, route)
    assert rows(books, number)[3:7] == [("2000", "-92.43"), ("1020", "97.29"), ("6942", "-1.94"), ("1020", "-2.92")]
