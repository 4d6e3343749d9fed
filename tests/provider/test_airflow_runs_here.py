"""The throw-away Airflow of the tests runs a DAG, so a failing DAG test elsewhere is about the DAG."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, timezone

pytestmark = pytest.mark.airflow


class _Adding(BaseOperator):
    def execute(self, context: Any) -> int:
        return int(context["dag_run"].conf["left"]) + 2


def test_a_dag_runs_with_its_conf(run_dag: Callable[..., Any]) -> None:
    with DAG("rma_test_adding", schedule=None, start_date=timezone.datetime(2026, 1, 1)) as dag:
        _Adding(task_id="add")
    run = run_dag(dag, run_conf={"left": 40})
    assert run.state == "success"
    (instance,) = run.get_task_instances()
    assert instance.xcom_pull(task_ids="add") == 42


def test_nothing_touches_the_developers_airflow() -> None:
    from airflow.configuration import conf
    from airflow.settings import engine

    home = os.environ["AIRFLOW_HOME"]
    assert "rma-airflow-" in home
    assert home in conf.get("database", "sql_alchemy_conn")
    assert home in str(engine.url)
