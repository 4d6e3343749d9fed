"""A process that runs a billing DAG in the Airflow of its environment, for tests that send it signals.

Started with one argument, JSON: ``dag_id``, ``source``, and optionally ``execution_timeout`` (seconds). The run is
always the same one: started again, it is what clearing the task is.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

import pendulum

DAY = pendulum.datetime(2026, 11, 2, tz="Europe/Zurich")


def run(given: dict[str, Any]) -> str:
    """Run it; gives the state of the run."""
    from airflow.models.dagbundle import DagBundleModel  # noqa: TID251 - the metadata database itself is meant
    from airflow.sdk import DAG
    from airflow.utils.session import create_session

    from airflow_provider_rma.operators.billing import RunMyAccountsCreateInvoicesOperator
    from tests.support.airflow_versions import DagBag, sync_bag_to_db

    seconds = given.get("execution_timeout")
    with DAG(given["dag_id"], schedule=None, start_date=DAY.subtract(days=1)) as dag:
        RunMyAccountsCreateInvoicesOperator(
            task_id="bill",
            source=given["source"],
            settle_time=1.0,
            check_master_data=False,
            execution_timeout=timedelta(seconds=seconds) if seconds else None,
        )
    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "testing", None)
    return str(dag.test(logical_date=DAY).state)


if __name__ == "__main__":
    sys.stdout.write(f"state {run(json.loads(sys.argv[1]))}\n")
