"""Months whose balances have not moved are left alone, if that was asked for, and are never called proven."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.ledger import arrow_schemas
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from airflow_provider_rma.ledger.resume import FULL_EVERY, last_reading
from airflow_provider_rma.ledger.windows import list_windows
from tests.support.ledger.company import Company
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy, amounts

JANUARY, FEBRUARY = list_windows("2026-01-01", "2026-02-28")


def extract(company: Company, destination: Any, host: str | None = None, **kwargs: Any) -> LedgerResult:
    plain = {"from_date": "2026-01-01", "to_date": "2026-02-28", "skip_unchanged": True}
    with company.client(host) as client:
        return extract_ledger(client, destination, **plain | kwargs)


@pytest.fixture
def books(company: Company) -> Company:
    company.voucher("GL-1", "2026-01-02", "1020", "2800", "1000")
    company.voucher("GL-2", "2026-02-02", "6500", "1020", "10.55")
    return company


def aged(memory: MemoryDestination, age: timedelta) -> None:
    """The readings so far lie back so long."""
    for load in memory.loads:
        load["started_at"] -= age
        load["finished_at"] -= age


def test_a_month_whose_balances_stand_is_not_read_and_marked(books: Company, destination: Any) -> None:
    first = extract(books, destination)
    assert (first.verdict, first.as_dict()["skipped"]) == ("exact", [])
    second = extract(books, destination)
    assert second.verdict == "balances_only"
    result = second.as_dict()
    assert (result["skipped"], result["changed"], result["unproven"], result["reasons"]) == (
        ["2026-01", "2026-02"], [], {}, [],
    )  # fmt: skip
    assert result["calls"] == 6
    for window in (JANUARY, FEBRUARY):
        assert destination.count_postings("demo", window) == 2, "what is loaded stays"
        proofs = destination.read_table("proofs", "demo", window).to_pylist()
        assert {row["verdict"] for row in proofs} == {"balances_only"}
        assert {row["load_id"] for row in proofs} == {second.load_id}
        (whole,) = (row for row in proofs if row["accno"] is None)
        assert [reason["code"] for reason in json.loads(whole["reasons"])] == ["not_read"]
        (bank,) = (row for row in proofs if row["accno"] == "1020")
        assert bank["movements"] == (Decimal(-1000) if window is JANUARY else Decimal("10.55"))
        loads = destination.read_table("loads", "demo", window)
        assert loads.schema == arrow_schemas.schema("loads")
        assert sorted((row["verdict"], row["rows"], row["calls"]) for row in loads.to_pylist())[0] == (
            "balances_only", 2, 3,
        )  # fmt: skip


def test_a_month_that_moved_is_read_and_the_others_are_not(books: Company, destination: Any) -> None:
    extract(books, destination)
    books.voucher("GL-3", "2026-02-20", "6500", "1020", "5")
    result = extract(books, destination)
    assert (result.as_dict()["skipped"], result.as_dict()["changed"]) == (["2026-01"], ["2026-02"])
    assert result.as_dict()["verdicts"] == {"balances_only": 1, "exact": 1}
    books.voucher("GL-4", "2026-01-20", "6500", "1020", "5")
    assert extract(books, destination).as_dict()["skipped"] == [], "February's opening moved too"


def test_a_skipped_month_becomes_exact_again_when_it_is_read(books: Company, memory: MemoryDestination) -> None:
    extract(books, memory)
    extract(books, memory)
    assert memory.whole("2026-01")["verdict"] == "balances_only"
    result = extract(books, memory, skip_unchanged=False)
    assert (result.verdict, result.as_dict()["skipped"]) == ("exact", [])
    assert {row["verdict"] for row in memory.proofs["demo", "2026-01"]} == {"exact"}


def test_every_month_is_read_at_least_every_seven_days_however_often_it_is_skipped(
    books: Company, memory: MemoryDestination
) -> None:
    """A run a day for three weeks, each some minutes earlier or later than the one before."""
    read = []
    for day in range(22):
        if extract(books, memory).months("skipped") == []:
            read.append(day)
        aged(memory, timedelta(days=1, minutes=-20 if day % 2 else 20))
    assert read == [0, 7, 14, 21]


def test_nothing_is_skipped_unless_asked_for(books: Company, memory: MemoryDestination) -> None:
    extract(books, memory, skip_unchanged=False)
    assert extract(books, memory, skip_unchanged=False).verdict == "exact"
    assert {load["verdict"] for load in memory.loads} == {"exact"}


def test_a_reading_that_was_not_proven_is_not_built_upon(books: Company, memory: MemoryDestination) -> None:
    extract(books, memory)
    with TamperingProxy(books.simulator.url) as proxy:
        proxy.change("saldo.*to=2026-02", amounts(lambda accno, amount: "1" if accno == "1020" else amount))
        with pytest.raises(UnprovenError):
            extract(books, memory, proxy.url)
    result = extract(books, memory)
    assert (result.as_dict()["skipped"], result.as_dict()["unchanged"]) == (["2026-01"], 1)


def test_an_account_that_vanished_from_the_balances_makes_the_month_be_read(
    books: Company, memory: MemoryDestination
) -> None:
    extract(books, memory)
    memory.balances["demo", "2026-01"].pop()
    assert extract(books, memory).as_dict()["skipped"] == ["2026-02"]


def test_postings_are_not_asked_for(books: Company, memory: MemoryDestination) -> None:
    with TamperingProxy(books.simulator.url) as proxy:
        proxy.change("transactions", lambda _: Reply(b"", 500))
        with pytest.raises(Exception, match="transactions"):
            extract(books, memory, proxy.url)
        proxy.leave()
        extract(books, memory, proxy.url)
        proxy.change("transactions", lambda _: Reply(b"", 500))
        assert extract(books, memory, proxy.url).verdict == "balances_only"


def load(verdict: str, days: float, loaded: bool = True) -> dict[str, Any]:
    moment = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=days)
    return {
        "load_id": "L", "tenant": "demo", "month": JANUARY.start, "started_at": moment, "finished_at": moment,
        "rows": 2, "verdict": verdict, "loaded": loaded,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("loads", "day"),
    [
        ([], None),
        ([load("exact", 1)], 1),
        ([load("tolerated", 2), load("exact", 1)], 2),
        ([load("exact", 1), load("balances_only", 5)], 1),
        ([load("balances_only", 5)], None),
        ([load("exact", 1), load("broken", 2, loaded=False)], None),
        ([load("exact", 1), load("broken", 2), load("balances_only", 3)], None),
        ([load("broken", 1, loaded=False), load("exact", 2)], 2),
    ],
)
def test_only_the_last_full_reading_counts(loads: list[dict[str, Any]], day: int | None) -> None:
    found = last_reading(pa.Table.from_pylist(loads, arrow_schemas.schema("loads")))
    assert (found and found["started_at"]) == (
        None if day is None else datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day)
    )
    assert timedelta(days=6) < FULL_EVERY < timedelta(days=7)
