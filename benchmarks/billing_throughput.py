"""Invoices per second at a given latency, beside a careful script of one's own; and memory by size of the input.

``python -m benchmarks.billing_throughput`` prints medians; ratios compare runs that alternate within one process.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import requests
from fsspec.implementations.local import LocalFileSystem

from benchmarks.billing_service import invoice, service

LATENCY = 0.05
_tenants = count(1)


def script(url: str, number: int) -> float:
    """What a careful team writes: look the number up, POST, read back, compare; one after the other."""
    base = f"{url}/api/latest/clients/script-{next(_tenants)}/invoices"
    begin = time.perf_counter()
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer pat_example"
        for position in range(number):
            given = invoice(position)
            wire = given | {
                "incomeentries": {"incomeentry": given["incomeentries"]},
                "taxentries": {"taxentry": given["taxentries"]},
            }
            address = f"{base}/{given['invnumber']}"
            assert session.get(address, timeout=60).status_code == 404
            session.post(base, json=wire, timeout=120).raise_for_status()
            booked = session.get(address, timeout=60)
            assert Decimal(booked.json()["amount"]) == Decimal("108.10")
    return number / (time.perf_counter() - begin)


def ours(url: str, number: int, in_flight: int) -> float:
    """The same through this package, journal on disk and outcome file included."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        summary = bill(url, f"ours-{next(_tenants)}", Path(folder), map(invoice, range(number)), in_flight)
        seconds = time.perf_counter() - begin
    assert summary.counts == {"created": number}, summary
    return number / seconds


def bill(
    url: str, tenant: str, folder: Path, records: Iterable[Any], in_flight: int, *, plan_only: bool = False
) -> Any:
    """Bill or plan through the core; gives the summary."""
    from fsspec.implementations.local import LocalFileSystem

    from airflow_provider_rma.billing.files import RunFolder
    from airflow_provider_rma.billing.journal.engine import open_engine
    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
    from airflow_provider_rma.billing.outcomes import failing_outcomes
    from airflow_provider_rma.billing.policy import Policy
    from airflow_provider_rma.billing.run import BillingRun
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.config import ClientConfig

    config = ClientConfig(
        host=url,
        tenant=tenant,
        token="pat_example",  # noqa: S106 - the service takes any
        allow_writes=True,
        max_in_flight=in_flight,
    )
    journal = Journal(
        open_engine(f"sqlite:///{folder / 'journal.db'}"), base_url=url, tenant=tenant, kind="invoice", run="benchmark"
    )
    policy = Policy(check_master_data=False, max_count=10**9, max_amount=Decimal(10**12))
    output = RunFolder(LocalFileSystem(), str(folder / "out"), str(folder / "out"))
    with RunMyAccountsClient(config) as client:
        run = BillingRun(InvoiceKind(client, policy), journal, output, failing_outcomes(None))
        return run.plan(records) if plan_only else run.send(records)


def peak() -> float:
    """Largest memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_memory(url: str, what: str, number: int) -> dict[str, float]:
    """In a process of its own: how far the memory grows above what the imports need, in MiB."""
    command = [sys.executable, "-m", "benchmarks.billing_throughput", "--memory-of", what, str(number), "--url", url]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def memory_of(url: str, what: str, number: int) -> dict[str, float]:
    """Bill invoices of a Parquet file: ``plan``, ``create`` or ``unchanged`` (all are in the books already)."""
    import pyarrow.parquet

    import airflow_provider_rma.billing.run
    from airflow_provider_rma.billing.records.columns import INVOICE_COLUMNS
    from airflow_provider_rma.billing.records.files import read_file

    assert airflow_provider_rma.billing.run
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "invoices.parquet"
        _in_a_process(_write, path, number)
        pyarrow.parquet.ParquetFile(path).close()
        before, begin = peak(), time.perf_counter()
        records = read_file(LocalFileSystem(), str(path), INVOICE_COLUMNS)
        tenant = f"memory-{what}-{number}-holds-{number if what == 'unchanged' else 0}"
        bill(url, tenant, Path(name), records, 8, plan_only=what == "plan")
        return {"MiB": peak() - before, "seconds": time.perf_counter() - begin}


def _in_a_process(function: Callable[..., None], *arguments: Any) -> None:
    """Without a trace in this process's memory."""
    import multiprocessing

    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join()


def _write(path: Path, number: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [(name, pa.string()) for name in ("invnumber", "customernumber", "transdate", "description")]
        + [
            (name, pa.list_(pa.struct([(field, pa.string()) for field in fields])))
            for name, fields in {
                "incomeentries": ("amount", "income_accno", "description"),
                "taxentries": ("amount", "tax_accno"),
            }.items()
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, number, 5_000):
            writer.write_table(
                pa.Table.from_pylist(
                    [invoice(position) for position in range(start, min(start + 5_000, number))], schema
                )
            )


def main() -> None:
    """Print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[10_000, 100_000], help="inputs whose memory is measured"
    )
    parser.add_argument("--create", action="store_true", help="measure the memory of sending, too (minutes)")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if given.memory_of:
        print(json.dumps(memory_of(given.url, given.memory_of[0], int(given.memory_of[1]))))
        return
    rates: dict[str, list[float]] = {"script": [], "1 in flight": [], "8 in flight": []}
    with service(LATENCY) as url:
        for _ in range(given.rounds):
            rates["script"].append(script(url, 40))
            rates["1 in flight"].append(ours(url, 40, 1))
            rates["8 in flight"].append(ours(url, 400, 8))
    base = statistics.median(rates["script"])
    for name, measured in rates.items():
        median = statistics.median(measured)
        spread = f"{min(measured):.1f} to {max(measured):.1f}"
        print(f"{name:12} {median:7.1f} invoices/s ({spread}), {median / base:.2f} times the script")
    with service(0.0) as url:
        for what in ("plan", "unchanged", *(["create"] if given.create else [])):
            for number in given.sizes:
                found = measure_memory(url, what, number)
                print(f"{what:10} {number:8} invoices: {found['MiB']:7.1f} MiB, {found['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
