"""Posting the cases of the oracle through ``Books`` and comparing the outcome with the real ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

from airflow_provider_rma.simulator.books.books import Books

HEADER_AMOUNTS = ("amount", "netamount", "paid", "fxamount", "fxpaid")
HEADER_TEXTS = ("transdate", "duedate", "datepaid", "description", "department")
TAX_ACCOUNTS = frozenset({"1170", "1171", "2201", "2202"})

#: Doubles carry noise in their 17th digit; amounts of the books do not.
NOISE = Decimal("1e-9")


def post(books: Books, document: dict[str, Any]) -> int:
    """Post a case's document by the module it belongs to."""
    if "customernumber" in document:
        return books.post_invoice(document)
    if "vendornumber" in document:
        return books.post_purchase(document)
    return books.post_gl(document)


def play(books: Books, case: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Play a case step by step; yield each state's name, the expected state and the document's id."""
    given, expected = case["input"], case["result"]
    before = iter(expected.get("before") or [])
    if case["kind"] == "delete":
        number = post(books, given["document"])
        yield "before", next(before), number
        books.delete(number)
    elif case["kind"] == "resave":
        number = post(books, given["first"])
        for step, document in enumerate(given["then"]):
            yield f"before {step}", next(before), number
            books.resave(number, document)
    elif given.get("payment_route") in {"save_again", "payment_form"}:
        number = post(books, {key: value for key, value in given.items() if key != "payments"})
        for step, payment in enumerate(given["payments"]):
            yield f"before {step}", next(before), number
            books.pay(number, payment, given["payment_route"])
    else:
        number = post(books, given)
    assert next(before, None) is None, "a state of the case was not compared"
    yield "end", expected, number


def differences(expected: dict[str, Any], document: dict[str, Any], *, netamount: bool = True) -> list[str]:
    """Say in words where a document differs from the state that the real ledger reached."""
    found = []
    for name in HEADER_AMOUNTS:
        if name in expected and (netamount or name != "netamount"):
            difference = abs(Decimal(expected[name]) - document[name])
            if difference > NOISE:
                found.append(f"{name}: expected {expected[name]}, got {document[name]}")
    found += [
        f"{name}: expected {expected[name]}, got {document.get(name)}"
        for name in HEADER_TEXTS
        if name in expected and (expected[name] or None) != (document.get(name) or None)
    ]
    article = bool(expected.get("invoice"))
    wanted = _ordered([_row(posting) for posting in expected["postings"]], article)
    actual = _ordered([_row(posting) for posting in document["postings"]], article)
    if wanted != actual:
        found.append("postings expected:\n  " + "\n  ".join(map(str, wanted)))
        found.append("postings written:\n  " + "\n  ".join(map(str, actual)))
    return found


def _row(posting: dict[str, Any]) -> tuple[Any, ...]:
    amount = Decimal(posting["amount"]).quantize(Decimal("1e-8")).normalize() + 0
    return (
        posting["accno"],
        amount,
        posting["transdate"],
        posting["memo"],
        posting["source"],
        posting["fx_transaction"],
        posting.get("payment_no"),
        posting["department"],
    )


def _ordered(rows: list[tuple[Any, ...]], article: bool) -> list[tuple[Any, ...]]:
    """Sort the tax rows of an article document: their order is random in the real ledger."""
    if not article:
        return rows
    result: list[tuple[Any, ...]] = []
    for is_tax, group in groupby(rows, key=lambda row: row[0] in TAX_ACCOUNTS):
        block = list(group)
        result += sorted(block, key=lambda row: row[:3]) if is_tax else block
    return result
