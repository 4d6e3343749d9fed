"""Planning beside validating: processor time by invoice, and memory by where documents are kept.

``python -m benchmarks.billing_planning`` prints medians of rounds that take turns within one process. *Decided* is a
plan without its files: read, validated, kept, decided. *Planned* is all of it: plan file, statistics, page and summary
too.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.billing_service import invoice, service
from benchmarks.billing_throughput import bill, peak


def article_invoice(number: int, lines: int) -> dict[str, Any]:
    """Make an invoice over articles as a shop writes it."""
    part = {
        "partnumber": "ART-1",
        "quantity": "3",
        "sellprice": "0.125",
        "unit": "Stk",
        "description": "Schraube verzinkt M8",
        "discount": "10",
    }
    return {
        "invnumber": f"R-{number}",
        "ordnumber": f"B-{number}",
        "customernumber": "K-001",
        "transdate": "2026-09-15",
        "duedate": "2026-10-15",
        "description": f"Bestellung {number}",
        "notes": "Danke",
        "parts": [dict(part) for _ in range(lines)],
    }


def validate(records: Iterable[dict[str, Any]]) -> None:
    """Validate each record once."""
    from airflow_provider_rma.billing.kinds.invoice_document import read_invoice
    from airflow_provider_rma.billing.policy import InputRules

    rules = InputRules()
    for position, record in enumerate(records, start=1):
        read_invoice(record, position, rules)


def decide(records: Iterable[dict[str, Any]], url: str, folder: Path, live: int | None = None) -> None:
    """Read, validate, keep and decide."""
    from airflow_provider_rma.billing.journal.engine import open_engine
    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
    from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
    from airflow_provider_rma.billing.planner import Planner
    from airflow_provider_rma.billing.policy import Policy
    from airflow_provider_rma.billing.working_set import LIVE, WorkingSet
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.config import ClientConfig

    config = ClientConfig(host=url, tenant=f"decide-{folder.name}", token="pat_example")  # noqa: S106 - any will do
    engine = open_engine(f"sqlite:///{folder / 'journal.db'}")
    journal = Journal(engine, base_url=url, tenant=config.tenant, kind="invoice", run="benchmark")
    with (
        RunMyAccountsClient(config) as client,
        WorkingSet[InvoiceDocument](live=LIVE if live is None else live) as working_set,
    ):
        kind = InvoiceKind(client, Policy(check_master_data=False))
        for position, record in enumerate(records, start=1):
            working_set.add(kind.read(record, position), record)
        Planner(kind, journal, working_set).run()


def measure(act: Callable[[Path], object]) -> float:
    """Measure the processor time of something that gets a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        act(Path(folder))
        return time.process_time() - begin


def compare(url: str, number: int, lines: int, rounds: int) -> None:
    """Print what deciding and planning cost, in validations."""
    records = [article_invoice(position, lines) if lines else invoice(position) for position in range(number)]
    cases: dict[str, Callable[[Path], object]] = {
        "validated": lambda _: validate(records),
        "decided": lambda folder: decide(records, url, folder),
        "decided, all pickled": lambda folder: decide(records, url, folder, live=0),
        "planned": lambda folder: bill(url, folder.name, folder, records, 1, plan_only=True),
    }
    for act in cases.values():
        measure(act)
    measured: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, act in cases.items():
            measured[name].append(measure(act))
    base = statistics.median(measured["validated"])
    what = f"{lines} article lines" if lines else "one entry and its tax"
    for name, seconds in measured.items():
        median = statistics.median(seconds)
        print(f"{what:22} {name:21} {median / number * 1e6:7.0f} µs an invoice, {median / base:.2f} validations")


def memory_of(url: str, number: int, lines: int, live: int) -> float:
    """Decide in this process; returns how far its memory grew above what the imports need, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        decide([article_invoice(0, lines)], url, path)
        before = peak()
        decide((article_invoice(position, lines) for position in range(number)), url, path, live)
        return peak() - before


def main() -> None:
    """Print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-of", type=int, nargs=3, metavar=("INVOICES", "LINES", "LIVE"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if given.memory_of:
        print(json.dumps(memory_of(given.url, *given.memory_of)))
        return
    with service(0.0) as url:
        # First, for a child begins with the peak of its parent.
        for live, where in ((10_000, "10,000 as objects"), (0, "all pickled"), (10**9, "all as objects")):
            command = [sys.executable, "-m", "benchmarks.billing_planning", "--url", url]
            command += ["--memory-of", str(10 * given.invoices), "4", str(live)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{10 * given.invoices} invoices of 4 lines, {where}: {found:.0f} MiB", flush=True)
        for lines in (0, 4, 12):
            compare(url, given.invoices, lines, given.rounds)


if __name__ == "__main__":
    main()
