from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination
from tests.support.ledger.company import Company, start
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import TamperingProxy


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company with empty books of its own."""
    with start(tmp_path) as simulator:
        yield Company(simulator)


@pytest.fixture
def memory() -> MemoryDestination:
    return MemoryDestination()


@pytest.fixture(params=["memory", "duckdb", "sqlite", "parquet", "postgres"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Destinations of each make."""

    def postgres() -> Any:
        server = request.getfixturevalue("postgres")
        return open_destination(server.url(server.create_database()).replace("+psycopg2", ""))

    make: dict[str, Callable[[], Any]] = {
        "memory": MemoryDestination,
        "duckdb": lambda: open_destination(f"{tmp_path}/w.duckdb"),
        "sqlite": lambda: open_destination(f"sqlite:///{tmp_path}/w.db"),
        "parquet": lambda: ParquetDestination(fsspec.filesystem("file"), str(tmp_path / "w")),
        "postgres": postgres,
    }
    with make[request.param]() as destination:
        yield destination


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company that has traded from January to March 2026; tests of this module only read it."""
    with start(tmp_path_factory.mktemp("trading")) as simulator:
        company = Company(simulator)
        company.voucher("GL-1", "2026-01-01", "1020", "2800", "100000")
        first = company.sale("R-1", "2026-01-15", notes="Lieferung an Frau Beispiel", intnotes="heikel")
        company.articles("R-2", "2026-01-20")
        company.pay(first, "2026-02-03", "108.10", memo="Zahlung von Frau Beispiel", source="Beleg 7")
        company.voucher("GL-2", "2026-02-10", "6500", "1020", "42.50", description="Heikler Text")
        company.voucher("GL-3", "2026-03-31", "1000", "1020", "300")
        yield company


@pytest.fixture
def proxy(trading: Company) -> Iterator[TamperingProxy]:
    """A proxy in front of the trading company that changes nothing yet."""
    with TamperingProxy(trading.simulator.url) as proxy:
        yield proxy
