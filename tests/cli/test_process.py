"""The installed command itself, as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from airflow_provider_rma.billing.booked import BookedDocument
from tests.support.desk import Desk

RMA = Path(sys.executable).with_name("rma")


def rma(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([RMA, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_the_commands_and_does_not_need_airflow() -> None:
    probe = "import sys, airflow_provider_rma.cli.main; print('airflow' in sys.modules or 'sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    shown = rma("--help")
    assert shown.returncode == 0, shown.stderr
    for command in ("journal", "doctor", "evidence", "ledger", "purge"):
        assert command in shown.stdout
    assert rma("--version").stdout.strip().endswith(version("airflow-provider-rma"))


def test_json_is_all_that_stands_on_stdout(desk: Desk) -> None:
    desk.journal().import_booked(BookedDocument("R-1"), "0" * 64)
    done = rma("journal", "status", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"][0]["states"] == {"created": 1}
    done = rma("journal", "rebuild", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tenant"] == "demo"


def test_errors_stand_on_stderr_with_advice(desk: Desk) -> None:
    done = rma("journal", "show", "R-2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "R-2" in done.stderr
    assert "Traceback" not in done.stderr
