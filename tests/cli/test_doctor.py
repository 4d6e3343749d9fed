"""``rma doctor``: every line says whether it is well, and what to do if it is not."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import open_engine
from tests.support.desk import Desk
from tests.support.postgres import PostgresServer
from tests.support.throw_away_server import PASSWORD

HASH = "0" * 64


def checks(desk: Desk, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    return {check["name"]: check for check in desk.json("doctor", *arguments, exit_code=exit_code)}


def test_all_is_well(desk: Desk) -> None:
    desk.connect(extra={"allow_writes": True, "closed_until": "2025-12-31"})
    result = desk.run("doctor")
    assert result.exit_code == 0, result.output
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}
    assert "airflow-provider-rma " in result.stdout
    assert "answered for tenant demo" in result.stdout
    assert "2025-12-31" in result.stdout
    assert desk.simulator.token not in result.output
    found = checks(desk)
    assert list(found) == [
        "versions", "connection", "clock", "writes", "closed", "journal", "db clock", "doubts", "storage",
        "temporary", "retention",
    ]  # fmt: skip
    assert [path.name for path in (desk.home / "rma" / "demo").iterdir()] == []


def test_what_is_worth_a_warning(desk: Desk) -> None:
    desk.journal(clock=lambda: time.time() - 600).claim("R-1", HASH, None, settle_after=60)
    found = checks(desk)
    assert {name for name, check in found.items() if check["level"] == "warn"} == {"writes", "closed", "doubts"}
    assert all(check["advice"] for check in found.values() if check["level"] == "warn")
    assert "1 document is in doubt although" in found["doubts"]["text"]


def test_a_doubt_that_is_not_settled_yet(desk: Desk) -> None:
    desk.journal().claim("R-1", HASH, None, settle_after=3600)
    assert "not settled yet" in checks(desk)["doubts"]["text"]


def test_no_connection(desk: Desk) -> None:
    found = checks(desk, "--conn", "rma_nowhere", exit_code=1)
    assert found["connection"]["level"] == "fail"
    assert found["journal"]["level"] == found["storage"]["level"] == "ok"


def test_a_wrong_token(desk: Desk) -> None:
    desk.connect(password="pat_wrong_one")
    found = checks(desk, exit_code=1)
    assert found["connection"]["level"] == "fail"
    assert "refused the token" in found["connection"]["text"]
    assert "pat_wrong_one" not in json.dumps(found)
    assert "clock" not in found


def test_clocks_that_differ(desk: Desk) -> None:
    now = time.time()
    desk.monkeypatch.setattr("airflow_provider_rma.cli.doctor.time.time", lambda: now + 3600)
    check = checks(desk)["db clock"]
    assert check["level"] == "warn"
    assert check["text"] == "The journal's is 60 min behind this machine's."


def test_a_storage_that_cannot_be_written(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    desk.monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", f"file://{tmp_path / 'file'}")
    found = checks(desk, exit_code=1)
    assert found["storage"]["level"] == "fail"
    assert "storage_path" in found["storage"]["advice"]


def test_a_journal_from_the_future(desk: Desk) -> None:
    desk.journal()
    with open_engine(f"sqlite:///{desk.home / 'rma' / 'journal.db'}").begin() as connection:
        connection.execute(sa.text("INSERT INTO rma_journal_step VALUES (99, 0)"))
    found = checks(desk, exit_code=1)
    assert found["journal"]["level"] == "fail"
    assert "step 99" in found["journal"]["text"]


def test_a_local_journal_with_an_executor_that_spans_machines(desk: Desk) -> None:
    desk.monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert "journal_conn_id" in checks(desk, exit_code=1)["journal"]["advice"]


def test_a_journal_on_postgresql(desk: Desk, postgres: PostgresServer) -> None:
    connection = {
        "conn_type": "postgres", "host": "127.0.0.1", "port": postgres.port, "login": "rma", "password": PASSWORD,
        "schema": postgres.create_database(),
    }  # fmt: skip
    desk.monkeypatch.setenv("AIRFLOW_CONN_RMA_JOURNAL", json.dumps(connection))
    desk.monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "rma_journal")
    check = checks(desk)["journal"]
    assert check["level"] == "ok"
    assert f"127.0.0.1:{postgres.port}" in check["text"]
    assert f":{PASSWORD}@" not in check["text"]
    assert desk.run("journal", "status").exit_code == 0


def test_options_of_the_driver_are_not_shown(
    desk: Desk, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url(postgres.create_database())
    connection = {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": postgres.port,
        "login": "rma",
        "password": PASSWORD,
        "schema": url.rpartition("/")[2],
        "extra": {"sslmode": "prefer", "options": "-c application_name=secret_in_options"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_JOURNAL", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__RMA__JOURNAL_CONN_ID", "journal")
    result = desk.run("doctor")
    assert f"postgresql://127.0.0.1:{postgres.port}/" in result.output
    for hidden in (PASSWORD, "secret_in_options", "sslmode"):
        assert hidden not in result.output


def test_a_temporary_folder_that_cannot_be_written(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    found = checks(desk, exit_code=1)["temporary"]
    assert found["level"] == "fail"
    assert "TMPDIR" in found["advice"]
