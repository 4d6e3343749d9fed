"""A music shop's database through the SQL operators: accented names, missing fields and five years of invoices."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_provider_rma.transfers.sql_to_rma import (
    SqlToRunMyAccountsCustomersOperator,
    SqlToRunMyAccountsInvoicesOperator,
)
from tests.support import music_shop
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

CUSTOMERS = """
SELECT 'CH-' || CustomerId AS customernumber, coalesce(Company, FirstName || ' ' || LastName) AS name,
       FirstName AS firstname, LastName AS lastname, Address AS address1, PostalCode AS zipcode, City AS city,
       State AS state, Country AS country, Phone AS phone, Fax AS fax, Email AS email
FROM Customer ORDER BY CustomerId
"""

INVOICES = """
SELECT 'CH-' || i.InvoiceId AS invnumber, 'CH-' || i.CustomerId AS customernumber, i.InvoiceDate AS transdate,
       i.Total AS expected_amount, l.UnitPrice * l.Quantity AS incomeentries__amount,
       '3200' AS incomeentries__income_accno, t.Name AS incomeentries__description
FROM Invoice i JOIN InvoiceLine l USING (InvoiceId) JOIN Track t USING (TrackId)
ORDER BY i.InvoiceId, l.InvoiceLineId
"""


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "books.db", args=["--duplicates", "accept"]) as process:
        yield process


def rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    path = Path(result["outcome_path"].removeprefix("file://"))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_five_years_of_a_shop_are_billed(
    simulator: SimulatorProcess,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = {
        "conn_type": "rma",
        "host": simulator.url,
        "schema": "demo",
        "password": simulator.token,
        "extra": {"allow_writes": True},
    }
    monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(connection))
    music_shop.create(tmp_path / "shop.sqlite")
    database = {"conn_type": "sqlite", "host": str(tmp_path / "shop.sqlite")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(database))
    with DAG("music_shop", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Zurich")) as dag:
        common = {"sql_conn_id": "shop", "output_path": (tmp_path / "out").as_uri(), "fail_on": ["rejected"]}
        customers = SqlToRunMyAccountsCustomersOperator(task_id="customers", sql=CUSTOMERS, **common)
        invoices = SqlToRunMyAccountsInvoicesOperator(
            task_id="invoices", sql=INVOICES, customer_outcomes=customers.output["outcome_path"], **common
        )
        customers >> invoices

    run = run_dag(dag)
    assert run.state == "success"
    results = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in run.get_task_instances()}

    total = bookable(tmp_path / "shop.sqlite")
    assert results["customers"]["counts"] == {"created": 57, "invalid": 2}
    refused = [row for row in rows(results["customers"]) if row["outcome"] == "invalid"]
    assert [row["number"] for row in refused] == ["CH-7", "CH-35"]
    assert [len(row["reasons"]) for row in refused] == [1, 1]
    for row, length in zip(refused, map(len, music_shop.LONG_ADDRESSES.values()), strict=True):
        assert row["reasons"][0].startswith(f"customer {row['number']}: address1: {length} characters")
        assert "32" in row["reasons"][0]

    assert results["invoices"]["counts"] == {"created": 154, "invalid": 6}
    assert results["invoices"]["total"] == str(total)
    invalid = [row for row in rows(results["invoices"]) if row["outcome"] == "invalid"]
    assert Counter(row["reasons"][0].split()[2] for row in invalid) == {"CH-7": 3, "CH-35": 3}
    assert all("was refused (customer CH-" in row["reasons"][0] for row in invalid)

    assert receivables(simulator) == total
    received = simulator.control("GET", "/requests")["received"]
    assert (received["POST /customers"], received["POST /invoices"]) == (57, 154)

    again = run_dag(dag)
    results = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in again.get_task_instances()}
    assert results["customers"]["counts"] == {"unchanged": 57, "invalid": 2}
    assert results["invoices"]["counts"] == {"unchanged": 154, "invalid": 6}
    assert receivables(simulator) == total


def bookable(database: Path) -> Decimal:
    """What the invoices come to whose customers RMA takes."""
    refused = tuple(music_shop.LONG_ADDRESSES)
    with closing(sqlite3.connect(database)) as shop:
        cents = shop.execute("SELECT sum(round(Total * 100)) FROM Invoice WHERE CustomerId NOT IN (?, ?)", refused)
        return Decimal(int(cents.fetchone()[0])) / 100


def receivables(simulator: SimulatorProcess) -> Decimal:
    import requests

    answer = requests.get(
        f"{simulator.base}/gl/v2/saldo",
        params={"accno": "1100"},
        headers={"Authorization": f"Bearer {simulator.token}", "Accept": "application/json"},
        timeout=10,
    )
    return Decimal(answer.json()["row"]["amount"])
