"""Years of the general ledger into a warehouse, over as many nights as it takes.

Set `from`, `to` and `destination`. Each night the first task says how much is left and how long it will take; the
second one goes on where the night before ended, and begins no month after `stop_at`. When all months are loaded and
proven, a run asks the service nothing and ends in seconds: then pause this DAG. The current months are the business of
the DAG `ledger_to_warehouse`, which may load the same warehouse.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param
from airflow.timetables.trigger import CronTriggerTimetable  # in airflow.sdk from Airflow 3.2 on

from airflow_provider_rma.operators.ledger import (
    RunMyAccountsEstimateLedgerOperator,
    RunMyAccountsExtractLedgerOperator,
)

HISTORY = {
    "from_date": "{{ params['from'] }}",
    "to_date": "{{ params['to'] }}",
    "destination": "{{ params.destination }}",
    # Every month that was ever loaded and proven is done, whichever night it was.
    "resume_since": "1900-01-01",
}

with DAG(
    dag_id="ledger_backfill",
    # When nobody books: a month whose balances move is read again.
    schedule=CronTriggerTimetable("0 22 * * *", timezone="Europe/Zurich"),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich")),
    catchup=False,
    # Two runs would read the same months.
    max_active_runs=1,
    params={
        "from": Param("2016-01-01", type="string", format="date", description="A day in the first month."),
        "to": Param("2025-12-31", type="string", format="date", description="A day in the last month, inclusive."),
        "destination": Param(
            "duckdb:///ledger.duckdb",
            type="string",
            description="Address of the warehouse, e.g. duckdb:////data/ledger.duckdb or s3://bucket/ledger.",
        ),
        "stop_at": Param(
            "06:00",
            type=["null", "string"],
            description="No month is begun after it is so late in Zurich; empty: go on to the end.",
        ),
    },
    # A retry goes on as the next night does: what is done is done.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
    tags=["ledger", "rma"],
    doc_md=__doc__,
):
    estimate = RunMyAccountsEstimateLedgerOperator(task_id="estimate", **HISTORY)
    backfill = RunMyAccountsExtractLedgerOperator(task_id="backfill", stop_at="{{ params.stop_at or '' }}", **HISTORY)
    estimate >> backfill
