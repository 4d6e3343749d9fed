from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_rma.simulator import demo_company
from airflow_provider_rma.simulator.books.books import Books


@pytest.fixture
def books() -> Iterator[Books]:
    """New books of the demo company, in memory."""
    books = Books.create(":memory:", demo_company.build_master())
    yield books
    books.close()
