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
