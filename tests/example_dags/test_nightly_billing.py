"""The example DAG through real Airflow, against the simulator over HTTP."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.files import folder_name
from scripts.demo_erp import create_erp, erp_total
from tests.support.reference import ROOT
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

CONF = {"from": "2026-08-01", "to": "2026-10-31"}


def load() -> Any:
    from tests.support.airflow_versions import DagBag

    bag = DagBag(dag_folder=ROOT / "example_dags" / "nightly_billing.py")
    assert bag.import_errors == {}
    return bag.dags["nightly_billing"]


@dataclass
class Company:
    """An ERP and the books that belong to it."""

    erp: Path
    rma: SimulatorProcess
    outcomes: Path
    run_dag: Callable[..., Any]

    def bill(self, conf: dict[str, str] | None = CONF, **kwargs: Any) -> tuple[Any, dict[str, list[dict[str, Any]]]]:
        """Run the DAG; gives the run and what its outcome files say, by kind."""
        run = self.run_dag(load(), run_conf=conf, **kwargs)
        files = self.outcomes.glob(f"demo/*/nightly_billing/{folder_name(run.run_id)}/*/outcomes.ndjson")
        return run, {file.parents[3].name: [json.loads(line) for line in file.open()] for file in files}

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.erp)) as erp, erp:
            erp.execute(statement)

    def receivables(self) -> Decimal:
        answer = self.rma.get("/gl/v2/saldo", accno="1100", **{"from": "1900-01-01", "to": "2999-12-31"}).json()
        return Decimal(answer["row"]["amount"]) if answer else Decimal(0)

    def posted(self) -> int:
        """How many invoices were sent so far."""
        received = self.rma.control("GET", "/requests")["received"]
        return sum(count for request, count in received.items() if request.startswith("POST") and "invoices" in request)


@pytest.fixture(scope="module")
def erp_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("erp") / "erp.db"
    create_erp(path)
    return path


@pytest.fixture
def company(
    erp_file: Path, tmp_path: Path, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    erp = tmp_path / "erp.db"
    erp.write_bytes(erp_file.read_bytes())
    # Duplicates are accepted: a refusal would hide an invoice sent twice.
    with SimulatorProcess(tmp_path / "books.db", args=["--duplicates", "accept"]) as rma:
        host, _, port = rma.url.rpartition(":")
        connection = {"conn_type": "rma", "host": host, "port": int(port), "schema": rma.tenant, "password": rma.token}
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps({**connection, "extra": {"allow_writes": True}}))
        monkeypatch.setenv("AIRFLOW_CONN_ERP_DEFAULT", json.dumps({"conn_type": "sqlite", "host": str(erp)}))
        monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", f"file://{tmp_path / 'outcomes'}")
        yield Company(erp, rma, tmp_path / "outcomes", run_dag)


def counted(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["outcome"] for row in rows)


def test_all_are_created_and_the_second_run_creates_nothing(company: Company) -> None:
    run, outcomes = company.bill()
    assert run.state == "success"
    assert counted(outcomes["customers"]) == {"created": 60}
    assert counted(outcomes["invoices"]) == {"created": 400}
    assert sum(row["gross"].startswith("-") for row in outcomes["invoices"]) == 28
    # Everything that could be compared was: the ERP's own totals fill what the lines alone do not tell.
    net_only = {tuple(row.get("unchecked", ())) for row in outcomes["invoices"]}
    assert net_only <= {(), ("net",)}
    total = sum(Decimal(row["gross"]) for row in outcomes["invoices"])
    assert total == company.receivables() == erp_total(company.erp)
    assert company.posted() == 400

    run, outcomes = company.bill()
    assert run.state == "success"
    assert counted(outcomes["customers"]) == {"unchanged": 60}
    assert counted(outcomes["invoices"]) == {"unchanged": 400}
    assert company.posted() == 400
    assert company.receivables() == total


def test_a_refused_customer_stops_nobody_else_and_turns_the_run_red(company: Company) -> None:
    company.change("UPDATE customers SET street = 'An der viel zu langen Strasse am Ende 17' WHERE number = 'K-107'")
    query = """
        SELECT i.number FROM invoices i JOIN customers c ON c.id = i.customer_id
        WHERE c.number = 'K-107' AND i.status = 'final' AND i.invoice_date <= '2026-08-31'"""
    with closing(sqlite3.connect(company.erp)) as erp:
        numbers = {number for (number,) in erp.execute(query)}
    assert numbers
    conf = {"from": "2026-08-01", "to": "2026-08-31"}

    run, outcomes = company.bill(conf)
    assert run.state == "failed"
    assert [row["number"] for row in outcomes["customers"] if row["outcome"] == "invalid"] == ["K-107"]
    invalid = {row["number"]: row for row in outcomes["invoices"] if row["outcome"] == "invalid"}
    assert set(invalid) == numbers
    assert all("K-107 was refused" in row["reasons"][0] and "address1" in row["reasons"][0] for row in invalid.values())
    assert counted(outcomes["invoices"])["created"] == len(outcomes["invoices"]) - len(numbers) == company.posted()

    company.change("UPDATE customers SET street = 'Saumweg 17' WHERE number = 'K-107'")
    run, outcomes = company.bill(conf)
    assert run.state == "success"
    assert {row["number"] for row in outcomes["invoices"] if row["outcome"] == "created"} == numbers


def test_a_night_without_invoices_is_green(company: Company) -> None:
    run, outcomes = company.bill({"from": "2025-01-01", "to": "2025-01-31"})
    assert run.state == "success"
    assert outcomes == {"customers": [], "invoices": []}


def test_the_window_is_the_last_35_days_in_zurich() -> None:
    days_before = load().user_defined_macros["days_before"]
    # 2.30 a.m. on 1 November in Zurich is still 31 October in New York, and 1.30 a.m. UTC.
    scheduled = datetime(2026, 11, 1, 1, 30, tzinfo=UTC)
    assert (days_before(scheduled, 35), days_before(scheduled, 1)) == ("2026-09-27", "2026-10-31")
    # Half past eleven at night UTC is the next day in Zurich already.
    assert days_before(datetime(2026, 7, 31, 23, 30, tzinfo=UTC), 0) == "2026-08-01"


def test_without_parameters_the_run_bills_its_last_35_days(company: Company) -> None:
    run, outcomes = company.bill(None, run_after=datetime(2026, 9, 5, 0, 30, tzinfo=UTC))
    assert run.state == "success"
    with closing(sqlite3.connect(company.erp)) as erp:
        days = "invoice_date BETWEEN '2026-08-01' AND '2026-09-04' AND status = 'final'"
        expected = [number for (number,) in erp.execute(f"SELECT number FROM invoices WHERE {days} ORDER BY number")]
    assert [row["number"] for row in outcomes["invoices"]] == expected
    assert 100 < len(expected) < 400


def test_it_is_scheduled_for_production() -> None:
    dag = load()
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    timetable = dag.timetable.serialize()
    assert (timetable["expression"], timetable["timezone"]) == ("30 2 * * *", "Europe/Zurich")
    for task in dag.tasks:
        assert task.retries > 0
        # A retry before RMA has settled could not tell what became of a lost request.
        assert task.retry_delay.total_seconds() > task.settle_time + 120
