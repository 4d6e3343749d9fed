"""A process that bills through the core, and stops for ever at a point where a test wants to kill it.

Started with one argument, JSON: ``url``, ``token``, ``journal`` (SQLAlchemy URL), ``folder``, ``records``, and
optionally ``stop_at`` with ``nth``, ``wait_for`` (a file that starts it), ``settle_time`` and ``max_in_flight``. It
says ``at <point>`` when it stops.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.outcomes import failing_outcomes
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import BillingError
from tests.support.system.workers import MortalClient, MortalJournal, MortalOutput, Worker

DEADLINE = 60.0


def say(what: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def bill(given: dict[str, Any]) -> None:
    """Bill, or stop on the way."""
    passages = {given.get("stop_at"): given.get("nth", 1)}
    lock = threading.Lock()

    def step(_: str, point: str) -> None:
        with lock:
            if point not in passages:
                return
            passages[point] -= 1
            if passages[point] == 0:
                say(f"at {point}")
                time.sleep(3600)

    worker = Worker(f"process-{given['folder']}", step)
    config = ClientConfig(
        host=given["url"],
        tenant="demo",
        token=given["token"],
        allow_writes=True,
        total_deadline=DEADLINE,
        read_timeout=DEADLINE,
        max_in_flight=given.get("max_in_flight", 1),
    )
    journal = MortalJournal(
        open_engine(given["journal"]), base_url=given["url"], tenant="demo", kind="invoice", run=worker.name
    )
    journal.worker = worker
    policy = Policy(total_deadline=DEADLINE, settle_time=given.get("settle_time", 1.0))
    output = MortalOutput(LocalFileSystem(), given["folder"], given["folder"], worker=worker)
    say("ready")
    while given.get("wait_for") and not Path(given["wait_for"]).exists():
        time.sleep(0.002)
    with MortalClient(config) as client:
        client.worker = worker
        run = BillingRun(InvoiceKind(client, policy), journal, output, failing_outcomes(None))
        run.send(given["records"])


if __name__ == "__main__":
    try:
        bill(json.loads(sys.argv[1]))
    except BillingError as error:
        say(str(error))
        sys.exit(1)
