"""A quarter's books that can be changed in every month, and a warehouse that they are carried into."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import fsspec
import pytest

from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company, Row
from tests.support.ledger.expected_warehouse import found
from tests.support.ledger.extraction_process import Job
from tests.support.ledger.random_books import books_of
from tests.support.ledger.warehouses import (
    Warehouse,
    duckdb_warehouse,
    parquet_warehouse,
    postgres_url,
    postgres_warehouse,
)

KINDS = ("duckdb", "postgres", "parquet")
QUARTER: Mapping[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-03-31"}
FEBRUARY: Mapping[str, Any] = {"from_date": "2026-02-01", "to_date": "2026-02-28"}
MONTHS = ("2026-01", "2026-02", "2026-03")
_FIRST, _LAST = date(2026, 1, 1), date(2026, 3, 31)

#: The rows of each month, sorted.
State = Mapping[str, list[Row]]


class Quarter:
    """A company's first quarter.

    :param lines: lines of one voucher more in each month, with texts that cannot be compressed.
    """

    def __init__(self, company: Company, lines: int = 0) -> None:
        self.company = company
        self._moves = 0
        company.voucher("GL-0", "2025-12-01", "1020", "2800", "100000")
        self._vouchers = {month: company.voucher(f"GL-{month}", f"{month}-10", "6500", "1020", "1") for month in MONTHS}
        for month in MONTHS:
            company.sale(f"R-{month}", f"{month}-20", description=f"Käse & «Brot» {month}")
            if lines:
                self._long(month, lines)

    def _long(self, month: str, lines: int) -> None:
        dice = Random(month)  # noqa: S311 - a repeatable sequence, not a secret
        pairs = [
            {"accno": accno, side: "1", "memo": f"{dice.getrandbits(256):064x}"}
            for _ in range(lines // 2)
            for accno, side in (("6000", "debit"), ("1020", "credit"))
        ]
        self.company.post("/gl", {"reference": f"L-{month}", "transdate": f"{month}-15", "lines": pairs})

    def voucher(self, month: str) -> int:
        """The voucher of a month that is amended."""
        return self._vouchers[month]

    def move(self) -> State:
        """Amend a voucher in each month, to an amount it never had; gives the books of then."""
        self._moves += 1
        for month, number in self._vouchers.items():
            amount = str(Decimal(self._moves) + Decimal("1.05"))
            lines = [{"accno": "6500", "debit": amount}, {"accno": "1020", "credit": amount}]
            self.company.resave(number, {"reference": f"GL-{month}", "transdate": f"{month}-10", "lines": lines})
        return self.state()

    def state(self) -> State:
        """The books as they are."""
        return _by_month(books_of(self.company.simulator.db, _FIRST, _LAST))


def _by_month(rows: list[Row]) -> State:
    months: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        months[row[0][:7]].append(row)
    return months


@dataclass
class Carried:
    """A warehouse of one kind.

    :param address: by which any process opens it.
    """

    quarter: Quarter
    warehouse: Warehouse
    address: str

    def load(self, host: str | None = None, period: Mapping[str, Any] = QUARTER, **settings: Any) -> LedgerResult:
        """Extract in this process; ``settings`` are those of the client."""
        with self.quarter.company.client(host, **settings) as client, self.warehouse.open() as destination:
            return extract_ledger(client, destination, **period)

    def job(self, host: str | None = None, period: Mapping[str, Any] = QUARTER, **more: Any) -> Job:
        """The same for a process of its own."""
        simulator = self.quarter.company.simulator
        connection = {"tenant": simulator.tenant, "token": simulator.token, "host": host or simulator.url}
        return Job(self.address, connection, dict(period), **more)

    def state(self) -> State:
        """What is loaded; the proofs must be those of just these rows.

        :raises AssertionError: postings of one load stand beside the proof of another.
        """
        state = _by_month(found(self.warehouse, "postings"))
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for month, rows in state.items():
            for row in rows:
                sums[month, row[1]] += row[2]
        proofs = self.warehouse.query("SELECT month, accno, movements FROM proofs WHERE loaded AND accno IS NOT NULL")
        proven = {(str(month)[:7], accno): movements for month, accno, movements in proofs if movements}
        assert proven == {key: total for key, total in sums.items() if total}
        return state

    def must_be(self, *allowed: State) -> list[int]:
        """Each month is as in one of these states, all rows of it; gives in which, month by month."""
        state = self.state()
        which = []
        for month in MONTHS:
            fitting = [number for number, books in enumerate(allowed) if books.get(month, []) == state.get(month, [])]
            assert fitting, f"{month} is neither the old one nor a new one: {state.get(month)}"
            which.append(fitting[0])
        return which


def carried(kind: str, quarter: Quarter, folder: Path, request: pytest.FixtureRequest) -> Carried:
    """A new warehouse of a kind that holds the books as they are."""
    made = _new(kind, quarter, folder, request)
    assert made.load().verdict == "exact"
    made.must_be(quarter.state())
    return made


def _new(kind: str, quarter: Quarter, folder: Path, request: pytest.FixtureRequest) -> Carried:
    if kind == "duckdb":
        return Carried(quarter, duckdb_warehouse(folder / "w.duckdb"), str(folder / "w.duckdb"))
    if kind == "postgres":
        url = postgres_url(request.getfixturevalue("postgres"))
        return Carried(quarter, postgres_warehouse(url), url)
    root = str(folder / "w")
    return Carried(quarter, parquet_warehouse(fsspec.filesystem("file"), root, kind), f"parquet:///{root}")
