"""Billing against a simulator as a task would, for tests of whole runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.customer import CustomerKind
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import RunSummary, failing_outcomes
from airflow_provider_rma.billing.policy import InputRules, Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import RunMyAccountsError
from tests.support.simulator import SimulatorProcess


@dataclass
class Bench:
    """Bills against a simulator as a task would, each run with a client and a journal object of its own.

    :param clock: seconds since 1970 for the journal, settable by a test; None is the database's clock.
    """

    simulator: SimulatorProcess
    folder: Path
    clock: Callable[[], float] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    runs: Iterator[int] = field(default_factory=lambda: count(1))
    summary: RunSummary | None = None
    error: RunMyAccountsError | None = None
    journal_folder: Path | None = None

    def client(self) -> RunMyAccountsClient:
        settings = {"total_deadline": 20.0, "read_timeout": 20.0, "allow_writes": True} | self.options
        config = ClientConfig(host=self.simulator.url, tenant="demo", token=self.simulator.token, **settings)
        return RunMyAccountsClient(config, retry=RetryPolicy(tries=2), sleep=lambda seconds: None)

    def journal(self, kind: str = "invoice") -> Journal:
        engine = open_engine(f"sqlite:///{(self.journal_folder or self.folder) / 'journal.db'}")
        return Journal(engine, base_url=self.simulator.url, tenant="demo", kind=kind, run="run", clock=self.clock)

    def bill(self, *records: dict[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
        """Bill, and give the outcome file's rows by number (by position where there is no number)."""
        failing = failing_outcomes(options.pop("fail_on", None))
        refused = options.pop("refused_customers", {})
        stop = options.pop("stop", threading.Event())
        rules = InputRules(
            **{name: options.pop(name) for name in list(options) if name in InputRules.__dataclass_fields__}
        )
        with self.client() as client:
            kind = InvoiceKind(client, Policy(rules=rules, total_deadline=2.0, **options), refused)
            run = BillingRun(kind, self.journal(), self.output(), failing, stop)
            return self.go(run.folder, lambda: run.send(records))

    def save(self, *records: dict[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
        """Create customers, and give the outcome file's rows by number."""
        failing = failing_outcomes(options.pop("fail_on", None))
        managed = options.pop("managed_fields", ())
        with self.client() as client:
            kind = CustomerKind(client, Policy(total_deadline=2.0, **options), managed)
            run = BillingRun(kind, self.journal("customer"), self.output(), failing)
            return self.go(run.folder, lambda: run.send(records))

    def output(self) -> RunFolder:
        folder = str(self.folder / f"run-{next(self.runs)}")
        return RunFolder(LocalFileSystem(), folder, folder)

    def go(self, output: RunFolder, run: Callable[[], RunSummary]) -> dict[str, dict[str, Any]]:
        self.summary = self.error = None
        try:
            self.summary = run()
        except RunMyAccountsError as error:
            self.error = error
        path = Path(output.folder) / "outcomes.ndjson"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rejects = Path(output.folder) / "rejects.ndjson"
        self.rejects = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
        return {row["number"] or str(row["position"]): row for row in rows}

    def chaos(self, request_class: str, fault: str, **options: Any) -> None:
        self.simulator.control("POST", "/chaos", {"class": request_class, "fault": fault} | options)

    def end_chaos(self) -> None:
        """Drop all faults; requests that they hold go on."""
        self.simulator.control("DELETE", "/chaos")

    @contextmanager
    def after_posts(self, number: int, act: Callable[[], object]) -> Iterator[None]:
        """Do something as soon as the service has received so many invoices, while the block runs."""
        over = threading.Event()

        def watch() -> None:
            while self.posts() < number:
                if over.wait(0.01):
                    return
            act()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def posts(self) -> int:
        """Invoices that the service received since the counters were reset."""
        received = self.simulator.control("GET", "/requests")["received"]
        return int(sum(number for name, number in received.items() if name.startswith("POST") and "invoices" in name))

    def booked(self, number: str) -> list[dict[str, Any]]:
        """The documents of a number, straight from the books."""
        return self.simulator.documents(number)

    def state(self, number: str) -> str:
        """The journal's state of an invoice."""
        return str(self.journal().get([normalize_number(number)])[normalize_number(number)].state)
