"""The process: its one line, its end, its books over a restart, its complaints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import trustme

from tests.simulator.test_http_lists import invoice
from tests.support.simulator import SimulatorProcess

COMMAND = [sys.executable, "-m", "airflow_provider_rma.simulator"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_one_line_says_that_it_is_ready_and_holds_no_secret(tmp_path: Path) -> None:
    db = tmp_path / "new" / "books.db"
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--db", str(db), "--token", "pat_secret"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.fullmatch(rf"rma-simulator ready http://127\.0\.0\.1:\d+ tenant=demo db={re.escape(str(db))}\n", line)
    headers = {"Authorization": "Bearer pat_secret"}
    base = line.split()[2] + "/api/latest/clients/demo"
    assert requests.get(base + "/departments", headers=headers, timeout=10).status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stdout.read() == ""
    process.stdout.close()


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


def test_books_survive_an_orderly_end_and_a_crash(tmp_path: Path) -> None:
    db = tmp_path / "books.db"
    with SimulatorProcess(db) as process:
        assert process.post("/invoices", invoice("P-1", "2026-05-01")).status_code == 204
    process = SimulatorProcess(db)
    process.start()
    assert process.get("/invoices/P-1").status_code == 200
    assert process.post("/invoices", invoice("P-2", "2026-05-01")).status_code == 204
    process.kill()
    with SimulatorProcess(db) as process:
        assert process.get("/invoices/P-2").status_code == 200
        assert process.stop() == 0


def test_it_starts_quickly(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "books.db"):
        pass
    started = time.monotonic()
    with SimulatorProcess(tmp_path / "books.db"):
        assert time.monotonic() - started < 3, "0.3 s on a quiet machine"


def test_https_with_a_given_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with SimulatorProcess(tmp_path / "b.db", args=["--certfile", str(tmp_path / "server.pem")]) as process:
        assert process.url.startswith("https://")
        with pytest.raises(requests.exceptions.SSLError):
            process.get("/departments")
        answer = requests.get(process.url + "/", verify=str(tmp_path / "ca.pem"), timeout=10)
        assert answer.status_code == 200


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


def test_requests_can_be_logged_without_secrets(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "a.db", args=["--log-requests"]) as process:
        process.get("/invoices/geheim")
        assert "GET /invoices/{number} 404" in process.stderr()
        assert "pat_demo" not in process.stderr()
        assert "geheim" not in process.stderr()


def test_no_orphan_survives_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tests.support.simulator import SimulatorProcess\n"
        f"process = SimulatorProcess(Path({str(tmp_path / 'b.db')!r})); process.start()\n"
        "print(process.url, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert requests.get(url, timeout=10).status_code == 200
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            requests.get(url, timeout=10)
        except requests.ConnectionError:
            return
        time.sleep(0.1)
    pytest.fail("the simulator outlived its parent")


def test_without_being_told_it_outlives_its_parent(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--db", str(tmp_path / "b.db")]
    code = (
        "import subprocess\n"
        f"child = subprocess.Popen({command!r}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)\n"
        "print(child.pid, child.stdout.readline().split()[2], flush=True)"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    pid, url = parent.stdout.split()
    time.sleep(1.5)
    assert requests.get(url, timeout=10).status_code == 200
    os.kill(int(pid), signal.SIGTERM)
