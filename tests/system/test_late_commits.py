"""A document that comes into the books after the settle time is no longer prevented: it is found and named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.policy import Policy
from tests.support.system.service import Books, BooksServer, Call, Reply
from tests.support.system.workers import Report, Worker, Workshop

DEADLINE, SETTLE = 120.0, 300.0


class Night:
    """A service whose replies to POSTs are lost, and whose documents come into the books after so many seconds."""

    def __init__(self, server: BooksServer, folder: Path) -> None:
        self.now = 1_790_000_000.0
        self.delays: list[float] = []
        self.books = Books(self._decide, lambda: self.now)
        server.tenants["demo"] = self.books
        self._engine = open_engine(f"sqlite:///{folder / 'journal.db'}")
        policy = Policy(total_deadline=DEADLINE, settle_time=SETTLE, check_master_data=False)
        self._shop = Workshop(
            server.url, "demo", lambda _: self._engine, lambda: self.now, lambda seconds: None, policy
        )

    def bill(self, *numbers: str) -> Report:
        return self._shop.bill(Worker("w1", lambda name, point: None), [invoice(number) for number in numbers])

    def outcome(self, number: str) -> dict[str, Any]:
        return (self.bill(number).rows or {})[number.casefold()]

    def journal(self) -> Journal:
        return Journal(self._engine, base_url=self._shop.url, tenant="demo", kind="invoice", run="test")

    def _decide(self, call: Call) -> Reply:
        if call.kind != "post":
            return Reply()
        if self.delays:
            return Reply("lost", self.now + self.delays.pop(0))
        return Reply("normal", self.now)


def invoice(number: str) -> dict[str, Any]:
    return {
        "invnumber": number,
        "customernumber": "K-001",
        "transdate": date(2026, 9, 15),
        "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
    }


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with BooksServer() as server:
        yield Night(server, tmp_path)


def test_within_the_settle_time_the_document_is_waited_for(night: Night) -> None:
    night.delays = [DEADLINE + SETTLE]
    assert night.outcome("R-1")["outcome"] == "unknown"
    night.now += DEADLINE + SETTLE - 1
    assert night.outcome("R-1")["outcome"] == "unknown"
    night.now += 1
    assert night.outcome("R-1")["outcome"] == "unchanged"
    assert night.books.posts["r-1"] == 1


def test_after_the_settle_time_both_documents_are_named(night: Night) -> None:
    night.delays = [DEADLINE + SETTLE + 600]
    assert night.outcome("R-1")["outcome"] == "unknown"
    night.now += DEADLINE + SETTLE
    assert night.outcome("R-1")["outcome"] == "created"
    night.now += 600
    row = night.outcome("R-1")
    assert row["outcome"] == "duplicate"
    first, second = night.books.visible("R-1")
    assert f"ids {first.id}, {second.id}" in row["reasons"][0]


def test_a_duplicate_leaves_no_doubt_in_the_journal(night: Night) -> None:
    night.delays = [DEADLINE + SETTLE + 600, 600]
    night.outcome("R-1")
    night.now += DEADLINE + SETTLE
    assert night.outcome("R-1")["outcome"] == "unknown"
    night.now += 600
    assert night.outcome("R-1")["outcome"] == "duplicate"
    assert not list(night.journal().open_rows())
    assert [event.note for event in night.journal().history("R-1")][-1] == "duplicate"


def test_a_duplicate_of_an_earlier_run_is_named_by_a_run_that_does_not_carry_it(night: Night) -> None:
    night.delays = [DEADLINE + SETTLE + 600, 600]
    night.outcome("R-1")
    night.now += DEADLINE + SETTLE
    night.outcome("R-1")
    night.now += 600
    report = night.bill("R-2")
    assert (report.rows or {})["r-2"]["outcome"] == "created"
    # The run is red, although everything it was given is as it should be.
    assert "invoice R-1: 2 documents carry this number (ids 10001, 10002)" in str(report.error)
    assert not list(night.journal().open_rows())


def test_another_number_is_billed_while_one_is_in_doubt(night: Night) -> None:
    night.delays = [200.0]
    assert night.outcome("R-1")["outcome"] == "unknown"
    assert night.outcome("R-2")["outcome"] == "created"
