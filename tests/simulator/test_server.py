"""The process: its ready line, its end, its books after a crash, https, logs."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import trustme

from tests.support.documents import invoice_request
from tests.support.simulator import SimulatorProcess

COMMAND = [sys.executable, "-m", "airflow_provider_rma.simulator"]


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


def test_books_survive_an_orderly_end_and_a_crash(tmp_path: Path) -> None:
    db = tmp_path / "books.db"
    with SimulatorProcess(db) as process:
        assert process.post("/invoices", invoice_request("P-1", "2026-05-01")).status_code == 204
    process = SimulatorProcess(db)
    process.start()
    assert process.get("/invoices/P-1").status_code == 200
    assert process.post("/invoices", invoice_request("P-2", "2026-05-01")).status_code == 204
    process.kill()
    with SimulatorProcess(db) as process:
        assert process.get("/invoices/P-2").status_code == 200
        assert process.stop() == 0


def test_it_starts_quickly(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "books.db"):
        pass
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with SimulatorProcess(tmp_path / "books.db"):
        pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 3, "seconds of the processor; 0.3 s on a quiet machine"


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
    end = time.monotonic() + 30
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
