"""A process that bills with evidence, as a task would, and kills itself with SIGKILL at a fault point.

Started with one argument, JSON: ``url``, ``token``, ``journal`` (SQLAlchemy URL), ``folder``, ``evidence`` (folder),
``run`` (its name), ``records``, and optionally ``kill_at`` with ``nth``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import nullcontext
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.outcomes import failing_outcomes
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.billing.run_record import Provenance
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import BillingError
from airflow_provider_rma.fault_points import at


class Killer:
    """Kills this process when a point is reached for the n-th time."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, **_: object) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def bill(given: dict[str, Any]) -> None:
    """Bill, and put the run on record."""
    config = ClientConfig(host=given["url"], tenant="demo", token=given["token"], allow_writes=True)
    engine, fs = open_engine(given["journal"]), LocalFileSystem()
    journal = Journal(engine, base_url=given["url"], tenant="demo", kind="invoice", run=given["run"])
    writer = EvidenceWriter(engine, fs, given["evidence"], config.origin, "demo")
    with RunMyAccountsClient(config) as client:
        run = BillingRun(
            InvoiceKind(client, Policy()),
            journal,
            RunFolder(fs, given["folder"], given["folder"]),
            failing_outcomes(None),
            provenance=Provenance(writer),
        )
        point = at(given["kill_at"], Killer(given.get("nth", 1))) if given.get("kill_at") else nullcontext()
        with point:
            run.send(given["records"])


if __name__ == "__main__":
    try:
        bill(json.loads(sys.argv[1]))
    except BillingError as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(1)
