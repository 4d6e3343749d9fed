"""`make demo` as a new user runs it: twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.reference import ROOT

COMMAND = [sys.executable, str(ROOT / "scripts" / "demo.py"), "--folder"]


def run(folder: Path) -> tuple[str, dict[str, Any]]:
    done = subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((folder / "summary.json").read_text())


def alive(folder: Path) -> list[str]:
    """Processes that were started with a path in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder / "books.db") in command:
            found.append(command)
    return found


@pytest.mark.airflow
@pytest.mark.slow
def test_the_first_run_bills_and_the_second_creates_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a demo"
    output, summary = run(folder)
    assert summary["customers"] == {"created": 60}
    assert summary["invoices"] == {"created": 400}
    assert summary["credit_notes"] == {"created": 28}
    assert summary["invoice_total"] == summary["receivables"] == "404837.34"
    assert summary["seconds"] > 0
    assert "CHF 404'837.34" in output
    assert "400 of 400 invoices sent." in output
    assert "Nothing was created" not in output

    output, summary = run(folder)
    assert summary["customers"] == {"unchanged": 60}
    assert summary["invoices"] == {"unchanged": 400}
    assert summary["invoice_total"] == "404837.34"
    assert "Nothing was created" in output
    assert alive(folder) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see processes")
def test_whoever_ends_the_demo_ends_the_simulator(tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    while "RMA " not in (line := process.stdout.readline()):
        assert line, "the demo ended early"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143
    deadline = time.monotonic() + 60
    while alive(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(tmp_path) == []
    assert not (tmp_path / "summary.json").exists()
