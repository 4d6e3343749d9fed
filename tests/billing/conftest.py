"""A running simulator that accepts duplicate numbers (a refusal would hide a second POST), and books in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.base import DocumentKind
from airflow_provider_rma.billing.kinds.customer import CustomerDocument, CustomerKind
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.policy import Policy
from tests.support.billing_bench import Bench
from tests.support.billing_desk import Clock, Desk
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice
from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    books = tmp_path_factory.mktemp("books") / "books.db"
    with SimulatorProcess(books, args=["--duplicates", "accept"]) as process:
        yield process


@pytest.fixture
def bench(simulator: SimulatorProcess, tmp_path: Path) -> Iterator[Bench]:
    simulator.control("DELETE", "/requests")
    yield Bench(simulator, tmp_path)
    simulator.control("DELETE", "/chaos")
    simulator.control("PUT", "/close-date", {"day": None})


@pytest.fixture
def invoice() -> Callable[..., dict[str, Any]]:
    """Makes a valid invoice in the booking method with a number of its own: 100.00 and 8.10 tax."""
    return make_invoice


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def desk(client: FakeClient, tmp_path: Path) -> Iterator[Desk[InvoiceDocument]]:
    """Billing of invoices over books in memory; give another policy with ``replace(desk.kind, policy=…)``."""
    yield from _open_desk(InvoiceKind(client.as_client(), Policy()), client, tmp_path)


@pytest.fixture
def customer_desk(client: FakeClient, tmp_path: Path) -> Iterator[Desk[CustomerDocument]]:
    """Creation of customers over books in memory; e-mail addresses are managed."""
    yield from _open_desk(CustomerKind(client.as_client(), Policy(), ("email",)), client, tmp_path)


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[[], Desk[InvoiceDocument]]]:
    """Makes desks of invoices, each over books and a journal of its own."""
    numbers = count(1)
    with ExitStack() as stack:

        def make() -> Desk[InvoiceDocument]:
            client, folder = FakeClient(), tmp_path / f"desk-{next(numbers)}"
            folder.mkdir()
            kind = InvoiceKind(client.as_client(), Policy())
            return stack.enter_context(contextmanager(_open_desk)(kind, client, folder))

        yield make


def _open_desk(kind: DocumentKind[Any], client: FakeClient, folder: Path) -> Iterator[Desk[Any]]:
    clock = Clock()
    engine = open_engine(f"sqlite:///{folder / 'journal.db'}")
    journal = Journal(engine, base_url="http://rma.example", tenant="demo", kind=kind.name, run="this", clock=clock)
    desk: Desk[Any] = Desk(kind, client, journal, clock)
    with desk.working_set:
        yield desk
    engine.dispose()
