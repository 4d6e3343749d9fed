"""Books that are kept by lot are extracted after every step into each kind of warehouse, and each holds the books.

``LEDGER_SEEDS=200 LEDGER_FIRST=1000 LEDGER_STEPS=8 pytest tests/ledger/test_extract_random_books.py`` tries more; a
failure names its seed and tells what was done. ``make chaos`` does so for a while.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import fsspec
import pytest

from airflow_provider_rma.exceptions import UnprovenError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company, Row, start
from tests.support.ledger.expected_warehouse import CONTENT, Foretold, check_result, content, found, selected
from tests.support.ledger.random_books import MONTHS, PERIOD, Accountant
from tests.support.ledger.warehouses import (
    Warehouse,
    duckdb_warehouse,
    parquet_warehouse,
    postgres_url,
    postgres_warehouse,
)
from tests.support.postgres import PostgresServer
from tests.support.scope import scaled

SEEDS = int(os.environ.get("LEDGER_SEEDS", scaled(2, 20)))
FIRST = int(os.environ.get("LEDGER_FIRST", "0"))
STEPS = int(os.environ.get("LEDGER_STEPS", scaled(3, 8)))
#: No further seed begins after so many seconds.
SECONDS = float(os.environ.get("LEDGER_SECONDS", "inf"))
_BEGUN = time.monotonic()


class Followed:
    """A company whose books are carried into a warehouse of each kind, step by step.

    :param history: the warehouse that keeps superseded postings.
    """

    def __init__(self, company: Company, warehouses: Mapping[str, Warehouse], history: str, seed: int) -> None:
        self._company, self._warehouses, self._history = company, warehouses, history
        self._dice = Random(seed)  # noqa: S311 - a repeatable sequence, not a secret
        self._foretold = Foretold()
        self._known: list[tuple[datetime, Counter[Row]]] = []

    def step(self) -> Counter[str]:
        """Extract, and compare everything; gives what was met."""
        keep = self._dice.random() < 0.75
        expected = self._foretold.extract(self._company.simulator.db, MONTHS, keep=keep)
        for name, warehouse in self._warehouses.items():
            result = self._extract(warehouse, keep=keep, history=name == self._history)
            for window in result.windows:
                check_result(window, expected[window.window.start])
            self._check_warehouse(warehouse)
        self._known.append((datetime.now(UTC), content(self._foretold.rows())))
        return Counter(word for month in expected.values() for word in (month.state, month.verdict))

    def _extract(self, warehouse: Warehouse, *, keep: bool, history: bool) -> LedgerResult:
        results: list[LedgerResult] = []
        refused: dict[str, str] = {}
        more = {"history": True} if history else {}
        kind = self._dice.choice(("xml", "xml", "json"))
        with self._company.client() as client, warehouse.open(**more) as destination:
            try:
                extract_ledger(
                    client, destination, from_date=PERIOD[0], to_date=PERIOD[1], on_result=results.append,
                    on_unproven="keep" if keep else "fail", content_type=kind,
                )  # fmt: skip
            except UnprovenError as error:
                refused = dict(error.windows)
        rejected = (window for window in results[0].windows if window.state == "rejected")
        assert refused == {str(window.window): str(window.verdict) for window in rejected}
        return results[0]

    def _check_warehouse(self, warehouse: Warehouse) -> None:
        assert found(warehouse, "postings") == self._foretold.rows()
        verdicts = warehouse.query("SELECT month, verdict FROM proofs WHERE accno IS NULL AND loaded")
        assert {date.fromisoformat(str(month)): verdict for month, verdict in verdicts} == self._foretold.verdicts

    def check_history(self) -> None:
        """At each moment, the warehouse that keeps superseded postings knew what the books held then."""
        for moment, known in self._known:
            query = f"""
                SELECT {CONTENT} FROM (
                    SELECT {CONTENT}, valid_from, NULL AS valid_to FROM postings
                    UNION ALL SELECT {CONTENT}, valid_from, valid_to FROM postings_history) AS all_times
                WHERE valid_from <= '{moment.isoformat()}'
                    AND (valid_to IS NULL OR valid_to > '{moment.isoformat()}')"""
            assert Counter(selected(self._warehouses[self._history], query)) == known, f"as of {moment}"


def follow(seed: int, folder: Path, postgres: PostgresServer, steps: int = STEPS) -> Counter[str]:
    """Follow generated books; gives what was met.

    :raises AssertionError: a warehouse was not as it must be; names the seed and tells what was done.
    """
    warehouses = {
        "duckdb": duckdb_warehouse(folder / "w.duckdb"),
        "postgres": postgres_warehouse(postgres_url(postgres)),
        "parquet": parquet_warehouse(fsspec.filesystem("file"), str(folder / "w"), "parquet"),
    }
    with start(folder) as simulator:
        company = Company(simulator)
        accountant = Accountant(company, seed)
        followed = Followed(company, warehouses, "duckdb" if seed % 2 else "postgres", seed)
        met: Counter[str] = Counter()
        try:
            for _ in range(steps):
                accountant.step()
                met += followed.step()
            followed.check_history()
        except Exception as error:
            story = "\n".join(accountant.story)
            raise AssertionError(f"seed {seed}: {error}\n{story}") from error
    return met + accountant.met


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_each_warehouse_holds_the_books_after_every_step(seed: int, tmp_path: Path, postgres: PostgresServer) -> None:
    if time.monotonic() - _BEGUN > SECONDS:
        pytest.skip("time is over")
    assert follow(seed, tmp_path, postgres)
