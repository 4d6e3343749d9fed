"""The operator that cancels invoices, in a real DAG run against the simulator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, task

from airflow_provider_rma.operators.billing import RunMyAccountsCreateInvoicesOperator
from airflow_provider_rma.operators.cancellation import RunMyAccountsCancelInvoicesOperator
from tests.support.simulator import SimulatorProcess

pytestmark = pytest.mark.airflow

_numbers = count(1)


def invoice(**fields: Any) -> dict[str, Any]:
    return {
        "invnumber": f"CA-{next(_numbers)}",
        "customernumber": "K-001",
        "transdate": "2026-09-15",
        "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
    } | fields


def dag(name: str) -> DAG:
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Zurich"))


def test_numbers_of_an_upstream_task_are_cancelled(
    rma: SimulatorProcess, storage: Path, run_dag: Callable[..., Any]
) -> None:
    records = [invoice(), invoice()]
    with dag("cancel_upstream") as one:

        @task
        def mistakes() -> list[str]:
            return [record["invnumber"] for record in records]

        bill = RunMyAccountsCreateInvoicesOperator(task_id="bill", invoices=records)
        numbers = mistakes()
        bill >> numbers
        RunMyAccountsCancelInvoicesOperator(
            task_id="cancel",
            numbers=numbers,
            suffix="{{ params.suffix }}",
            transdate="{{ params.day }}",
            reason="{{ params.reason }}",
            params={"suffix": ".ST", "day": "2026-09-30", "reason": "doppelt erfasst"},
        )
    run = run_dag(one)
    assert run.state == "success"
    (instance,) = [ti for ti in run.get_task_instances() if ti.task_id == "cancel"]
    result = instance.xcom_pull(task_ids="cancel")
    assert result["counts"] == {"created": 2}
    assert result["credit_notes"] == {"created": 2}
    assert result["total"] == "-200.00"
    assert str(storage) in result["outcome_path"]
    for record in records:
        (note,) = rma.documents(record["invnumber"] + ".ST")
        assert Decimal(note["amount"]) == -100
        assert note["transdate"] == "2026-09-30"
        assert note["intnotes"].startswith(f"Storno Rechnung {record['invnumber']}: doppelt erfasst")


def test_one_number_that_cannot_be_cancelled_fails_the_task_for_good(
    rma: SimulatorProcess,
    storage: Path,
    run_dag: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with dag("cancel_nothing") as one:
        RunMyAccountsCancelInvoicesOperator(task_id="cancel", numbers="CA-NONE", retries=3)
    with caplog.at_level(logging.ERROR):
        assert run_dag(one).state == "failed"
    assert "invoice CA-NONE: is not in the books" in caplog.text + capsys.readouterr().out


def test_parameters_of_records_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Invalid arguments.*\n.*invoices.*source"):
        RunMyAccountsCancelInvoicesOperator(task_id="cancel", numbers="R-1", invoices=[], source="x.csv")
