"""The section ``[rma]`` of Airflow's configuration: where files go, where the journal lives, and when it is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import sqlalchemy

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks import settings


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
    assert (home / "rma").is_dir()
    engine = settings.journal_engine()
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
