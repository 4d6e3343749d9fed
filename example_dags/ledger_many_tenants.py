"""The general ledgers of several tenants into one warehouse, every morning.

One token opens one tenant, so each tenant has a connection of its own: list their ids in `TENANTS`. Each is a task of
its own; one that fails turns the run red, and the others are loaded all the same. Every table has the column `tenant`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param
from airflow.timetables.trigger import CronTriggerTimetable  # in airflow.sdk from Airflow 3.2 on

from airflow_provider_rma.operators.ledger import RunMyAccountsExtractLedgerOperator

TENANTS = ["rma_musterfirma", "rma_beispiel", "rma_probe"]

with DAG(
    dag_id="ledger_many_tenants",
    schedule=CronTriggerTimetable("0 5 * * *", timezone="Europe/Zurich"),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich")),
    catchup=False,
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
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
    tags=["ledger", "rma"],
    doc_md=__doc__,
):
    RunMyAccountsExtractLedgerOperator.partial(
        task_id="ledger",
        destination="{{ params.destination }}",
        from_date="{{ params['from'] or '' }}",
        to_date="{{ params['to'] or '' }}",
        # The service is one for all tenants, and tasks in different processes do not know of each other. If other DAGs
        # ask it as well, create an Airflow pool (Admin > Pools) and give its name here as `pool`.
        max_active_tis_per_dag=2,
        map_index_template="{{ task.rma_conn_id }}",
    ).expand(rma_conn_id=TENANTS)
