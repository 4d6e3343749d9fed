"""The general ledger into a warehouse, every morning: proven month by month, then ready for queries.

Set the parameter `destination` to where the warehouse shall be: a DuckDB file, or a folder for Parquet files on any
object storage. To load the history once, trigger the DAG with `from`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param
from airflow.timetables.trigger import CronTriggerTimetable  # in airflow.sdk from Airflow 3.2 on

from airflow_provider_rma.operators.ledger import RunMyAccountsExtractLedgerOperator

with DAG(
    dag_id="ledger_to_warehouse",
    # After the night's billing, before people begin to book: books that stand still are read once.
    schedule=CronTriggerTimetable("0 5 * * *", timezone="Europe/Zurich"),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich")),
    catchup=False,
    # A DuckDB file has one writer.
    max_active_runs=1,
    params={
        "from": Param(None, type=["null", "string"], format="date", description="A day in the first month."),
        "to": Param(None, type=["null", "string"], format="date", description="A day in the last month, inclusive."),
        "destination": Param(
            "duckdb:///ledger.duckdb",
            type="string",
            description="Address of the warehouse, e.g. duckdb:////data/ledger.duckdb or s3://bucket/ledger.",
        ),
    },
    # Retries help against books that move and a service that is busy; a month that is broken fails at once.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
    tags=["ledger", "rma"],
    doc_md=__doc__,
):
    RunMyAccountsExtractLedgerOperator(
        task_id="ledger",
        destination="{{ params.destination }}",
        # Without them, the last 90 days in whole months: the time in which vouchers are usually still changed. Nothing
        # is taken from the data interval, which a run started by hand does not have.
        from_date="{{ params['from'] or '' }}",
        to_date="{{ params['to'] or '' }}",
    )
