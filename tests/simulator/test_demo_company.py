"""The demo company has what the documented samples need."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from airflow_provider_rma.simulator import demo_company
from airflow_provider_rma.simulator.books.books import Books


@pytest.fixture
def books() -> Iterator[Books]:
    books = Books.create(":memory:", demo_company.build_master())
    yield books
    books.close()


def test_demo_company_has_what_the_samples_need(books: Books) -> None:
    accounts = {account["accno"]: account for account in books.accounts()}
    assert accounts["2201"]["link"] == "AR_tax:IC_taxpart:IC_taxservice"
    assert [tax["rate"] for tax in accounts["2201"]["taxes"]] == [Decimal("0.08"), Decimal("0.077"), Decimal("0.081")]
    for accno in ("1000", "1020", "1021", "1030", "1090", "3800", "3801", "6940"):
        assert "AR_paid" in accounts[accno]["link"].split(":")
    assert accounts["1100"]["allow_gl"] is False
    assert {"ART-1", "ART-2"} <= {part["partnumber"] for part in books.parts()}
    assert all(len(part["unit"]) <= 5 for part in books.parts())
    assert books.find_department("Department 2") is not None
    assert books.tenant["languages"] == ["de", "fr", "it"]
    taxed = {accno for part in books.parts() for accno in part["tax_accnos"]}
    assert {"2201", "2202"} <= taxed
