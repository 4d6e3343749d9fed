"""The books that ``rma-simulator seed`` builds are carried into a warehouse as a whole, and off only where they were
meant to be."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.simulator.seed.calendar import SeedPlan
from airflow_provider_rma.simulator.seed.run import seed
from tests.support.ledger.company import Company
from tests.support.ledger.expected_warehouse import Foretold, check_result, found
from tests.support.ledger.warehouses import duckdb_warehouse
from tests.support.simulator import SimulatorProcess

MONTHS = (date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1))
PLAN = SeedPlan(customers=10, invoices=120, months=len(MONTHS), seed=3, start=MONTHS[0], unbalanced=1)


@pytest.mark.parametrize("content_type", ["xml", "json"])
def test_a_seeded_company_arrives_as_a_whole(tmp_path: Path, content_type: Any) -> None:
    books = tmp_path / "books.db"
    summary = seed(books, PLAN)
    foretold, warehouse = Foretold(), duckdb_warehouse(tmp_path / "w.duckdb")
    expected = foretold.extract(books, MONTHS, keep=False)
    with SimulatorProcess(books) as simulator, Company(simulator).client() as client, warehouse.open() as destination:
        result = extract_ledger(client, destination, from_date=summary.first_day, to_date=summary.last_day,
                                content_type=content_type)  # fmt: skip
    for window in result.windows:
        check_result(window, expected[window.window.start])
    assert found(warehouse, "postings") == foretold.rows()
    assert len(foretold.rows()) > 700
    assert sum(len(month.unbalanced) for month in expected.values()) == PLAN.unbalanced
    assert result.verdict == "tolerated"
