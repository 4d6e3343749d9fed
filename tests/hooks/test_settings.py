"""The section ``[rma]`` of Airflow's configuration: where files go, where the journal lives, and when it is refused."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy

from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.exceptions import ConfigurationError, JournalError
from airflow_provider_rma.hooks import settings
from tests.support.postgres import PostgresServer
from tests.support.throw_away_server import PASSWORD, USER


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    for name in [name for name in os.environ if name.startswith("AIRFLOW__RMA__")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AIRFLOW_IS_K8S_EXECUTOR_POD", raising=False)
    return tmp_path


def test_files_go_below_airflow_home(home: Path) -> None:
    path = settings.storage_path()
    assert str(path) == f"file://{home}/rma"
    (path / "outcomes").mkdir(parents=True)
    assert (home / "rma" / "outcomes").is_dir()


def test_files_go_where_the_setting_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", f"file://{tmp_path}/elsewhere")
    assert str(settings.storage_path()) == f"file://{tmp_path}/elsewhere"


def test_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.retention_days() == 400
    monkeypatch.setenv("AIRFLOW__RMA__RETENTION_DAYS", "30")
    assert settings.retention_days() == 30


@pytest.mark.parametrize("text", ["0", "-1", "a year", "1.5"])
def test_a_retention_that_is_no_number_of_days(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AIRFLOW__RMA__RETENTION_DAYS", text)
    with pytest.raises(ConfigurationError, match="retention_days"):
        settings.retention_days()


def test_the_journal_is_a_file_below_airflow_home(home: Path) -> None:
    assert settings.journal_url() == f"sqlite:///{home}/rma/journal.db"
    engine = settings.journal_engine()
    assert stat.S_IMODE((home / "rma" / "journal.db").stat().st_mode) == 0o600
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
    engine.dispose()
    assert (home / "rma" / "journal.db").is_file()


@pytest.mark.parametrize(
    "executor",
    [
        "CeleryExecutor",
        "KubernetesExecutor",
        "CeleryKubernetesExecutor",
        "LocalKubernetesExecutor",
        "EdgeExecutor",
        "LocalExecutor,CeleryExecutor",
        "LocalExecutor, queue:CeleryExecutor",
        "airflow.providers.edge3.executors.EdgeExecutor",
        "pods:airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor",
        "LocalExecutor;finance=LocalExecutor,CeleryExecutor",
        "my_company.executors.MyLocalExecutor",
    ],
)
def test_a_file_is_refused_where_tasks_may_run_on_several_machines(
    monkeypatch: pytest.MonkeyPatch, home: Path, executor: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    with pytest.raises(ConfigurationError) as caught:
        settings.journal_engine()
    assert "journal_conn_id" in str(caught.value)
    assert "allow_local_journal" in str(caught.value)
    assert not (home / "rma").exists()


@pytest.mark.parametrize(
    "executor",
    ["LocalExecutor", "here:LocalExecutor", "airflow.executors.local_executor.LocalExecutor", "LocalExecutor,"],
)
def test_a_file_is_accepted_on_one_machine(monkeypatch: pytest.MonkeyPatch, executor: str) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert settings.journal_url().startswith("sqlite:")


def test_a_pod_of_the_kubernetes_executor_is_seen_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_IS_K8S_EXECUTOR_POD", "True")
    with pytest.raises(ConfigurationError, match="KubernetesExecutor"):
        settings.journal_url()


def test_who_knows_better_may_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__RMA__ALLOW_LOCAL_JOURNAL", "True")
    assert settings.journal_url().startswith("sqlite:")


def test_the_journal_of_a_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "shared" / "journal.db"
    monkeypatch.setenv("AIRFLOW_CONN_RMA_JOURNAL", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "rma_journal")
    engine = settings.journal_engine()
    assert Path(engine.url.database or "").resolve() == file
    engine.dispose()
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    with pytest.raises(ConfigurationError, match="SQLite"):
        settings.journal_engine()


def journal_connection(postgres: PostgresServer, **fields: Any) -> str:
    values = {"conn_type": "postgres", "host": "127.0.0.1", "port": postgres.port, "login": USER, "password": PASSWORD}
    return json.dumps(values | fields)


def test_the_journal_of_a_postgresql_connection(monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer) -> None:
    database = postgres.create_database()
    monkeypatch.setenv("AIRFLOW_CONN_RMA_JOURNAL", journal_connection(postgres, schema=database))
    monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "rma_journal")
    # Several machines are no objection to a database that all of them reach.
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    engine = settings.journal_engine()
    journal = Journal(engine, base_url="https://rma.example", tenant="demo", kind="invoice", run="run")
    assert journal.claim("R-1", "0" * 64, None, settle_after=60)
    engine.dispose()
    assert postgres.execute("SELECT number, state FROM rma_journal", database) == [("R-1", "claimed")]


def test_how_a_connection_encrypts_counts_for_the_journal_too(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    extra = {"sslmode": "require", "cursor": "dictcursor"}
    monkeypatch.setenv("AIRFLOW_CONN_RMA_JOURNAL", journal_connection(postgres, schema="postgres", extra=extra))
    monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "rma_journal")
    engine = settings.journal_engine()
    assert dict(engine.url.query) == {"sslmode": "require"}
    # The server for tests offers no encryption, so the connection must be refused, not made in clear.
    with pytest.raises(JournalError):
        Journal(engine, base_url="https://rma.example", tenant="demo", kind="invoice", run="run")


@pytest.mark.parametrize(
    "connection", ['{"conn_type": "http", "host": "example.com", "password": "geheim123"}', '{"conn_type": "nothing"}']
)
def test_a_connection_that_is_no_database(monkeypatch: pytest.MonkeyPatch, connection: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RMA_JOURNAL", connection)
    monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "rma_journal")
    with pytest.raises(ConfigurationError, match="rma_journal") as caught:
        settings.journal_url()
    assert "geheim123" not in str(caught.value)


def test_a_journal_connection_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "rma_journal")
    with pytest.raises(ConfigurationError, match="rma_journal"):
        settings.journal_url()


def folder_of(**values: object) -> str:
    ti = SimpleNamespace(
        **{"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": -1, "try_number": 1} | values
    )
    return str(settings.run_folder("demo", "invoices", ti))


def test_no_two_tries_share_a_folder(home: Path) -> None:
    tries: list[dict[str, object]] = [
        {"task_id": "x", "map_index": 1},
        {"task_id": "x-1"},
        {"task_id": "x~map1"},
        {"task_id": "x", "map_index": 11},
        {"task_id": "x-try1"},
        {"task_id": "x", "try_number": 11},
        {"run_id": ".."},
        {"run_id": "a:b"},
        {"run_id": "a+b"},
        {"run_id": "r" * 250},
        {"run_id": "r" * 249},
        {"dag_id": "müller"},
        {"dag_id": "möller"},
        {"dag_id": "run", "run_id": "dag"},
    ]
    folders = {folder_of(**values) for values in tries}
    assert len(folders) == len(tries)
    for folder in folders:
        path = Path(folder.removeprefix("file://"))
        assert path.resolve().is_relative_to(home / "rma" / "demo" / "invoices")
        path.mkdir(parents=True)


@pytest.mark.parametrize(("text", "mode"), [("", 0o600), ("600", 0o600), ("0o660", 0o660), ("0640", 0o640)])
def test_the_mode_of_files(monkeypatch: pytest.MonkeyPatch, text: str, mode: int) -> None:
    monkeypatch.setenv("AIRFLOW__RMA__FILE_MODE", text)
    assert settings.file_mode() == mode


@pytest.mark.parametrize("text", ["rw", "999", "060", "400", "755", "-600", "6000"])
def test_a_mode_that_does_not_let_the_owner_write(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AIRFLOW__RMA__FILE_MODE", text)
    with pytest.raises(ConfigurationError, match="file_mode must be three octal digits"):
        settings.file_mode()
