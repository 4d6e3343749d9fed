"""Connections: an absent one is told in the same way, and PostgreSQL is reached by psycopg 3 whatever the hook has."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import psycopg
import psycopg2
import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_rma.hooks.lookup import connect_by_psycopg, get_connection
from tests.support.postgres import PASSWORD, USER, PostgresServer


def test_a_connection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BOOKS", json.dumps({"conn_type": "postgres", "host": "db"}))
    assert get_connection("books").host == "db"


def test_an_absent_connection_is_airflows_error() -> None:
    with pytest.raises(AirflowNotFoundException, match="no_such_connection"):
        get_connection("no_such_connection")


def test_what_airflow_31_raises_outside_a_task_is_that_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(conn_id: str) -> None:
        raise ImportError("cannot import name 'SUPERVISOR_COMMS' from 'airflow.sdk.execution_time.task_runner'")

    monkeypatch.setattr(BaseHook, "get_connection", fail)
    with pytest.raises(AirflowNotFoundException, match="books"):
        get_connection("books")


def test_a_package_that_is_missing_is_no_absent_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(conn_id: str) -> None:
        raise ImportError("No module named 'hvac'")

    monkeypatch.setattr(BaseHook, "get_connection", fail)
    with pytest.raises(ImportError, match="hvac"):
        get_connection("books")


@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=["psycopg", "psycopg2"])
def test_postgresql_is_reached_by_psycopg_3_whatever_driver_the_hook_has(postgres: PostgresServer, driver: Any) -> None:
    database = postgres.create_database()
    made: list[Any] = []

    def connect() -> Any:
        made.append(
            driver.connect(
                host="127.0.0.1",
                port=postgres.port,
                user=USER,
                password=PASSWORD,
                dbname=database,
                application_name="nightly books",
                options="-c statement_timeout=4711",
            )
        )
        return made[-1]

    with connect_by_psycopg(SimpleNamespace(get_conn=connect)) as connection:
        assert isinstance(connection, psycopg.Connection)
        shown = connection.execute(
            "SELECT current_database(), current_setting('application_name'), current_setting('statement_timeout')"
        ).fetchone()
    assert shown == (database, "nightly books", "4711ms")
    assert made[0].closed
