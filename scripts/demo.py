"""The main job from nothing, through real Airflow: bill an invented company's invoices into a local RMA, and bring the
general ledger into a warehouse, proven.

`make demo` runs this. Everything it makes lies in the folder demo/: the ERP, the books of the local RMA, an Airflow
home with its log, the outcome files and the warehouse. Run it again and it finds everything in the books already.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from demo_erp import FIRST_DAY, LAST_DAY, create_erp, erp_total
from demo_ledger import read_warehouse, trial_balance_lines

ROOT = Path(__file__).resolve().parent.parent
TENANT = "demo"
TOKEN = "pat_demo"  # noqa: S105 - opens nothing but the local simulator
RECEIVABLES = "1100"

#: What a developer may have set for an Airflow of their own.
_FOREIGN = ("AIRFLOW_", "_AIRFLOW_")
_PROGRESS = re.compile(r"^\S+ \[(?P<level>\w+) *\] (?P<text>.*?) +\[airflow_provider_rma[.\w]*\]")
_TASK = re.compile(r"\[DAG TEST\] starting task_id=(?P<task>\S+)")
_FAILURE = re.compile(r"^(?:airflow\.\S*\.AirflowFailException|airflow_provider_rma\.exceptions\.\w+): (?P<text>.+)")


class DemoError(Exception):
    """The demo cannot go on; the text says why and where to look."""


@dataclass
class Folder:
    """Where the demo keeps its things."""

    path: Path

    @property
    def erp(self) -> Path:
        return self.path / "erp.db"

    @property
    def books(self) -> Path:
        return self.path / "books.db"

    @property
    def warehouse(self) -> Path:
        return self.path / "warehouse.duckdb"

    @property
    def airflow(self) -> Path:
        return self.path / "airflow"

    @property
    def outcomes(self) -> Path:
        return self.path / "outcomes"

    @property
    def log(self) -> Path:
        return self.path / "airflow.log"

    def shown(self, path: Path) -> str:
        """A path as short as the person can use it."""
        here = Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)


def say(title: str, text: str) -> None:
    print(f"{title:<10} {text}", flush=True)


# ---------------------------------------------------------------------- the local RMA


@contextmanager
def simulator(folder: Folder) -> Iterator[str]:
    """Run the local RMA; gives its address, and stops it whatever happens."""
    port_file = folder.path / "simulator.port"
    # The same address as last time if possible: the journal tells one service from another by it.
    port = _free_port(port_file)
    command = [sys.executable, "-m", "airflow_provider_rma.simulator", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--db", str(folder.books), "--tenant", TENANT, "--token", TOKEN]
    log = folder.path / "simulator.log"
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
    try:
        yield _address(process, port_file, log)
    finally:
        _stop(process)


def _free_port(port_file: Path) -> int:
    try:
        port = int(port_file.read_text())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (OSError, ValueError, OverflowError):
        return 0
    return port


def _address(process: subprocess.Popen[str], port_file: Path, log: Path) -> str:
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        ready = re.search(r"ready (http://\S+)", process.stdout.readline() if process.stdout else "")
    finally:
        watchdog.cancel()
    if not ready:
        raise DemoError(f"The simulator did not start:\n{_tail(log)}")
    port_file.write_text(str(urllib.parse.urlsplit(ready[1]).port))
    return ready[1]


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def receivables(address: str) -> Decimal:
    """Balance of the receivables account in the books, in CHF."""
    query = urllib.parse.urlencode({"accno": RECEIVABLES, "from": "1900-01-01", "to": "2999-12-31"})
    request = urllib.request.Request(  # noqa: S310 - the simulator's address
        f"{address}/api/latest/clients/{TENANT}/gl/v2/saldo?{query}",
        headers={"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the simulator's address
        return _balance(json.load(answer))


def _balance(answer: Any) -> Decimal:
    """The one account's balance; the list is empty as long as nothing is booked, and one row comes without a list."""
    rows = (answer or {}).get("row") or []
    rows = rows if isinstance(rows, list) else [rows]
    return sum((Decimal(row["amount"]) for row in rows), Decimal("0.00"))


# ---------------------------------------------------------------------- Airflow


def airflow_environment(folder: Folder, address: str) -> dict[str, str]:
    """Environment of an Airflow of its own, quiet but for the lines of this provider."""
    simulated = urllib.parse.urlsplit(address)
    connections = {
        "ERP_DEFAULT": {"conn_type": "sqlite", "host": str(folder.erp)},
        "RMA_DEFAULT": {
            "conn_type": "rma",
            "host": f"{simulated.scheme}://{simulated.hostname}",
            "port": simulated.port,
            "schema": TENANT,
            "password": TOKEN,
            "extra": {"allow_writes": True},
        },
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # Byte code makes every start of Airflow two seconds shorter.
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **own,
        "AIRFLOW_HOME": str(folder.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        # Not `as_uri()`: Airflow takes a path as it stands, so an escaped blank would name another folder.
        "AIRFLOW__RMA__STORAGE_PATH": f"file://{folder.outcomes}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        **{f"AIRFLOW_CONN_{name}": json.dumps(connection) for name, connection in connections.items()},
    }


def prepare_airflow(folder: Folder, environment: Mapping[str, str]) -> None:
    """Make the metadata database, unless this version of Airflow has made it already."""
    marker = folder.airflow / "migrated"
    airflow = version("apache-airflow")
    if marker.exists() and marker.read_text() == airflow:
        say("Airflow", f"{airflow} in {folder.shown(folder.airflow)}")
        return
    say("Airflow", f"{airflow}: preparing {folder.shown(folder.airflow)}")
    folder.airflow.mkdir(parents=True, exist_ok=True)
    with folder.log.open("w") as log:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"], env=dict(environment), stdout=log, stderr=log, cwd=ROOT
        )
    if done.returncode:
        raise DemoError(f"airflow db migrate failed; its log is {folder.shown(folder.log)}:\n{_tail(folder.log)}")
    marker.write_text(airflow)


def run_dag(folder: Folder, environment: Mapping[str, str], dag_id: str, conf: Mapping[str, str]) -> bool:
    """Run a DAG through `airflow dags test`, showing what its operators log; gives whether the run succeeded."""
    arguments = ["dags", "test", dag_id, "--conf", json.dumps(conf)]
    say("DAG", shlex.join(["airflow", *arguments]))
    command = [sys.executable, "-m", "airflow", *arguments]
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    try:
        with folder.log.open("w") as log:
            shown = ""
            for line in process.stdout or ():
                log.write(line)
                # One error may be wrapped in another that says the same.
                if (text := _for_people(line)) and text != shown:
                    say("", text)
                    shown = text
        return process.wait() == 0
    finally:
        _stop(process)


def _for_people(line: str) -> str:
    """What a line of Airflow's log says to a person who waits; empty for its noise."""
    if task := _TASK.search(line):
        return f"task {task['task']}"
    if progress := _PROGRESS.match(line):
        mark = "" if progress["level"] == "info" else f"{progress['level']}: "
        # The paths are named at the end.
        return f"  {mark}{progress['text'].partition(' Outcome file: ')[0]}"
    if failure := _FAILURE.match(line):
        return f"  FAILED: {failure['text'].partition(' Reasons: ')[0]}"
    return ""


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(f"    {line[:300]}" for line in path.read_text(errors="replace").splitlines()[-lines:])


# ---------------------------------------------------------------------- what came of it


@dataclass
class Result:
    """What the outcome files of one task say."""

    outcomes: Counter[str] = field(default_factory=Counter)
    credit_notes: Counter[str] = field(default_factory=Counter)
    total: Decimal = Decimal("0.00")

    @property
    def created(self) -> int:
        return self.outcomes["created"]


def outcome_files(folder: Folder, dag_id: str) -> set[Path]:
    """Outcome files of all runs of a DAG: tenant/kind/DAG/run/task-try/outcomes.ndjson."""
    return set(folder.outcomes.glob(f"{TENANT}/*/{dag_id}/*/*/outcomes.ndjson"))


def read_outcomes(path: Path) -> Result:
    """Count what a task has written about each document."""
    result = Result()
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        result.outcomes[row["outcome"]] += 1
        gross = Decimal(row.get("gross", "0"))
        if gross < 0:
            result.credit_notes[row["outcome"]] += 1
        if row["outcome"] in ("created", "unchanged"):
            result.total += gross
    return result


def nightly_billing(folder: Folder, environment: Mapping[str, str], address: str) -> dict[str, Any]:
    """Bill three months; gives the part of the summary that belongs to it."""
    before = outcome_files(folder, "nightly_billing")
    conf = {"from": FIRST_DAY.isoformat(), "to": LAST_DAY.isoformat()}
    succeeded = run_dag(folder, environment, "nightly_billing", conf)
    kinds = {path.parents[3].name: path for path in outcome_files(folder, "nightly_billing") - before}
    results = {kind: read_outcomes(path) for kind, path in kinds.items()}
    customers, invoices = results.get("customers", Result()), results.get("invoices", Result())
    balance = receivables(address)
    _print_billing(customers, invoices, balance, erp_total(folder.erp))
    if not succeeded:
        _print_files(folder, kinds.values())
        raise DemoError(
            f"nightly_billing failed; the whole log is {folder.shown(folder.log)}. Its end:\n{_tail(folder.log)}"
        )
    if balance != invoices.total:
        raise DemoError("The books and the outcome files disagree: this must not happen, please report it.")
    return {
        **conf,
        "customers": dict(customers.outcomes),
        "invoices": dict(invoices.outcomes),
        "credit_notes": dict(invoices.credit_notes),
        "invoice_total": f"{invoices.total:.2f}",
        "receivables": f"{balance:.2f}",
        "outcome_files": {kind: str(path) for kind, path in sorted(kinds.items())},
    }


def ledger_to_warehouse(folder: Folder, environment: Mapping[str, str]) -> dict[str, Any]:
    """Bring the ledger of the same months into a warehouse; gives the part of the summary that belongs to it."""
    conf = {
        "from": FIRST_DAY.isoformat(),
        "to": LAST_DAY.isoformat(),
        "destination": f"duckdb:///{folder.warehouse}",
    }
    print()
    succeeded = run_dag(folder, environment, "ledger_to_warehouse", conf)
    if not succeeded:
        raise DemoError(
            f"ledger_to_warehouse failed; the whole log is {folder.shown(folder.log)}. Its end:\n{_tail(folder.log)}"
        )
    ledger = read_warehouse(folder.warehouse)
    print()
    say("Ledger", f"{ledger.rows} postings in {ledger.windows} months, verdict: {ledger.verdict}")
    for line in trial_balance_lines(ledger):
        say("", line)
    if not ledger.changed:
        print()
        say("", "Nothing has changed in the ledger: every month was proven again, none was rewritten.")
    return {
        "rows": ledger.rows,
        "windows": ledger.windows,
        "verdict": ledger.verdict,
        "changed": ledger.changed,
        "warehouse": str(folder.warehouse),
    }


def _print_billing(customers: Result, invoices: Result, balance: Decimal, expected: Decimal) -> None:
    credit_notes = invoices.credit_notes.total()
    print()
    say("Customers", _counted(customers.outcomes))
    say("Invoices", f"{_counted(invoices.outcomes)} (of these {credit_notes} credit notes)")
    say("In total", f"{_chf(invoices.total)} in the books; {_chf(expected)} by the ERP")
    same = "the same" if balance == invoices.total else "NOT THE SAME"
    say("Proof", f"{_chf(balance)} on account {RECEIVABLES} (receivables) of the local RMA: {same}")
    if invoices.outcomes and not customers.created and not invoices.created:
        print()
        say("", "Nothing was created: what was billed before is unchanged.")


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none"


def _chf(amount: Decimal) -> str:
    return f"CHF {amount:,.2f}".replace(",", "'")


def _print_files(folder: Folder, paths: Iterable[Path]) -> None:
    say("", "every customer and invoice with its outcome:")
    for path in paths:
        say("", f"    {folder.shown(path)}")


def _print_pages(folder: Folder, paths: Iterable[Path]) -> None:
    ledger = max(folder.outcomes.glob(f"{TENANT}/ledger/*/*/*/ledger.html"), key=lambda page: page.stat().st_mtime)
    say("", "the pages of these runs, in a browser:")
    for page in [*(path.with_suffix(".html") for path in paths), ledger]:
        say("", f"    {folder.shown(page)}")


def _print_next(folder: Folder, summary: Mapping[str, Any]) -> None:
    command = [folder.shown(Path(sys.executable).with_name("rma-simulator")), "--db", folder.shown(folder.books)]
    print()
    say("Look next", "the books of the local RMA, in a browser at http://127.0.0.1:8756/ while this runs:")
    say("", f"    {shlex.join(command)}")
    outcomes = [Path(path) for path in summary["outcome_files"].values()]
    _print_files(folder, outcomes)
    _print_pages(folder, outcomes)
    say(
        "", f"the warehouse, with DuckDB: {folder.shown(folder.warehouse)} (docs/warehouse.md has its tables and views)"
    )
    say("", "the DAGs: example_dags/; how to use them: docs/invoices.md, docs/ledger.md, docs/connection.md")
    say("", "again: make demo (creates nothing twice); from nothing: make demo-clean demo")


# ---------------------------------------------------------------------- all of it


def demo(folder: Folder) -> None:
    """Prepare, run every DAG of the demo, write the summary."""
    started = time.monotonic()
    folder.path.mkdir(parents=True, exist_ok=True)
    (folder.path / "summary.json").unlink(missing_ok=True)
    created = create_erp(folder.erp)
    say(
        "ERP",
        f"{folder.shown(folder.erp)}{' created' if created else ''}: an invented company's customers and invoices",
    )
    with simulator(folder) as address:
        say("RMA", f"local, at {address}; its books are {folder.shown(folder.books)}")
        environment = airflow_environment(folder, address)
        prepare_airflow(folder, environment)
        summary = nightly_billing(folder, environment, address)
        summary["ledger"] = ledger_to_warehouse(folder, environment)
    summary["seconds"] = round(time.monotonic() - started, 1)
    (folder.path / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    _print_next(folder, summary)
    print()
    say("Done", f"in {summary['seconds']} s; the same as JSON: {folder.shown(folder.path / 'summary.json')}")


def main() -> int:
    """Run the demo; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=ROOT / "demo", help="where everything goes (default: demo)")
    folder = Folder(parser.parse_args().folder.resolve())
    # Whoever ends the demo ends the simulator with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        demo(folder)
    except DemoError as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. `make demo` goes on where this ended: nothing is created twice.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
