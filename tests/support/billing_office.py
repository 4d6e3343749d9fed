"""Runs of one task over books in memory, with a journal, storage and a chain of evidence."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, list_recorded_links
from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.outcomes import RunSummary, failing_outcomes
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.billing.run_record import Provenance
from airflow_provider_rma.exceptions import RunMyAccountsError
from tests.support.fake_client import FakeClient

ORIGIN = "http://127.0.0.1:1"


@dataclass
class Office:
    """Runs of one task over books in memory, with a journal, storage and a chain of evidence."""

    fs: Any
    base: str
    journal_folder: Path
    client: FakeClient = field(default_factory=lambda: FakeClient(customers=[{"customernumber": "K-001"}]))
    policy: Policy = field(default_factory=Policy)
    runs: int = 0

    def __post_init__(self) -> None:
        self.engine = open_engine(f"sqlite:///{self.journal_folder / 'journal.db'}")

    def journal(self) -> Journal:
        return Journal(self.engine, base_url=ORIGIN, tenant="demo", kind="invoice", run="nightly/1/bill")

    def run(self) -> BillingRun[Any]:
        self.runs += 1
        folder = f"{self.base}/run-{self.runs}"
        writer = EvidenceWriter(self.engine, self.fs, f"{self.base}/evidence", ORIGIN, "demo")
        return BillingRun(
            InvoiceKind(self.client.as_client(), self.policy),
            self.journal(),
            RunFolder(self.fs, folder, folder),
            failing_outcomes(None),
            provenance=Provenance(writer),
        )

    def bill(self, records: list[dict[str, Any]]) -> RunSummary | RunMyAccountsError:
        """Bill; anything but an error of ours passes through."""
        try:
            return self.run().send(records)
        except RunMyAccountsError as error:
            return error

    def read(self, path: str) -> list[dict[str, Any]]:
        with self.fs.open(path, "rb") as stream:
            return [json.loads(line) for line in stream.read().splitlines()]

    def links(self) -> list[dict[str, Any]]:
        return [self.read(path)[0] for path in sorted(self.fs.glob(f"{self.base}/evidence/*.json"))]

    def judge(self) -> None:
        """The books are what the journal says, and each document is created in one link of a chain that holds."""
        booked = [invoice["invnumber"] for invoice in self.client.invoices]
        assert len(set(booked)) == len(booked)
        rows = self.journal().get(number.casefold() for number in booked)
        assert {row.number for row in rows.values() if row.state == "created"} == set(booked)
        documents = [document for link in self.links() for document in link["documents"]]
        created = Counter(document["number"] for document in documents if document["outcome"] == "created")
        assert created == dict.fromkeys(booked, 1)
        expected = list_recorded_links(self.engine, ORIGIN, "demo")
        assert verify_chain(self.fs, f"{self.base}/evidence", expected=expected) == []

    def outcomes(self) -> set[str]:
        """Numbers that any outcome file says were created."""
        paths = [path for path in self.fs.find(self.base) if "outcomes" in path and path.endswith(".ndjson")]
        return {row["number"] for path in paths for row in self.read(path) if row["outcome"] == "created"}
