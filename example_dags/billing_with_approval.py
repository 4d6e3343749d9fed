"""Billing with a person in between: plan what would be booked, have it approved, then book exactly that.

Trigger the DAG with `source`, the path of a file with invoices (JSON, NDJSON, CSV or Parquet, on any object storage).
The approval waits under "Required Actions" in Airflow's UI and takes no worker slot.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param

from airflow_provider_rma.operators.approval import RunMyAccountsApprovePlanOperator
from airflow_provider_rma.operators.billing import (
    RunMyAccountsCreateInvoicesOperator,
    RunMyAccountsPlanInvoicesOperator,
)

with DAG(
    dag_id="billing_with_approval",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich")),
    catchup=False,
    max_active_runs=1,
    params={"source": Param(type="string", description="Path or URL of a file with invoices.")},
    # Longer than RMA may take to book a document whose reply was lost (see nightly_billing).
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["billing", "rma"],
    doc_md=__doc__,
):
    plan = RunMyAccountsPlanInvoicesOperator(task_id="plan", source="{{ params.source }}")
    approve = RunMyAccountsApprovePlanOperator(
        task_id="approve", plan=plan.output["plan"], plan_hash=plan.output["plan_hash"], retries=0
    )
    RunMyAccountsCreateInvoicesOperator(
        task_id="book",
        # From the task that asked, not from the one that planned: that may have another plan since.
        plan=approve.output["plan"],
        # The hash ties the approval to this very file: a plan that was changed afterwards is refused.
        plan_hash=approve.output["plan_hash"],
        approver=approve.output["approver"],
    )
