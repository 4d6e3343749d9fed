"""Documents of all kinds, as posted by the real ledger code."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.master_tables import load_master
from tests.support.posting_oracle import differences, play
from tests.support.reference import ORACLE_MASTER, oracle_cases

CASES = oracle_cases("ar_booking", "ar_articles", "ap", "gl")


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    books = Books.create(":memory:", load_master(ORACLE_MASTER))
    yield books
    books.close()


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_document_is_posted_as_by_the_real_ledger(books: Books, case: dict[str, Any]) -> None:
    books.set_close_date((case.get("settings") or {}).get("closedto"))
    for step, expected, number in play(books, case):
        assert not differences(expected, books.document(number)), step


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_header_is_kept_as_entered(books: Books, case: dict[str, Any]) -> None:
    given, expected = case["input"], case["result"]
    for _, _, number in play(books, case):
        document = books.document(number)
    if "payments" not in given:
        assert document["payments"] == []
    for name in ("notes", "intnotes", "ordnumber"):
        assert document.get(name) == given.get(name)
    if expected.get("invnumber") and given["invnumber"]:
        assert document["invnumber"] == expected["invnumber"]
        assert number in books.find_documents(expected["invnumber"], document["module"])
    elif expected.get("invnumber"):
        assert len(document["invnumber"]) == len(expected["invnumber"])
        assert document["invnumber"][:1] == expected["invnumber"][:1], "the number comes from another counter"
    if "invoice" in expected:
        assert document["article"] is expected["invoice"]
        assert document["taxincluded"] is expected["taxincluded"]
        assert document["exchangerate"] == Decimal(expected["exchangerate"])
    for line, wanted in zip(document.get("lines", []), given.get("lines", []), strict=True):
        if "partnumber" in wanted:
            assert line["sellprice"] == wanted["sellprice"], "a read returns the price as it was entered"
