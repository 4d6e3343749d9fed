"""The command line: what it prints, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.simulator import SimulatorProcess

COMMAND = [sys.executable, "-m", "airflow_provider_rma.simulator"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_a_connection_to_paste(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--db", str(tmp_path / "b.db"), "--tenant", "t1", "--print-connection"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    process.terminate()
    process.wait(10)
    process.stdout.close()
    text = lines[-1].removeprefix("AIRFLOW_CONN_RMA_DEFAULT='").removesuffix("'\n")
    connection = json.loads(text)
    assert f"{connection['host']}:{connection['port']}" == lines[0].split()[2]
    assert (connection["conn_type"], connection["schema"], connection["password"]) == ("rma", "t1", "pat_demo")
    assert connection["extra"] == {"allow_writes": True}


def test_what_cannot_work_is_said_at_once(tmp_path: Path) -> None:
    assert "--db" in run().stderr
    old = run("--db", str(tmp_path / "a.db"), "--token", "old")
    assert old.returncode == 2
    assert "--legacy-auth" in old.stderr
    missing = run("--db", str(tmp_path / "a.db"), "--master", str(tmp_path / "none.json"), "--port", "0")
    assert missing.returncode == 1
    assert missing.stderr.startswith("The simulator could not start:")
    (tmp_path / "empty.json").write_text("{}")
    empty = run("--db", str(tmp_path / "c.db"), "--master", str(tmp_path / "empty.json"), "--port", "0")
    assert (empty.returncode, empty.stdout) == (1, "")


def test_an_occupied_port_is_said(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "a.db") as process:
        port = process.url.rpartition(":")[2]
        second = run("--db", str(tmp_path / "b.db"), "--port", port)
    assert second.returncode == 1
    assert "could not start" in second.stderr


def test_the_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from airflow_provider_rma.simulator.__main__ import main\n"
        f"sys.exit(main(['--db', {str(tmp_path / 'a.db')!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "pip install 'airflow-provider-rma[simulator]'" in result.stderr
