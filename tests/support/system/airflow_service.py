"""A whole Airflow of its own: API server, scheduler with LocalExecutor and DAG processor, in one session.

Run as a module it is what starts and ends these processes; it ends them too when the process that holds its standard
input dies, so that a killed test run leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]
import requests

READY_SECONDS = 240
STOP_SECONDS = 15
# The scheduler's server of task logs would listen on all addresses, and on a fixed port.
COMPONENTS = (["api-server"], ["scheduler", "--skip-serve-logs"], ["dag-processor"])

T = TypeVar("T")


class AirflowService:
    """A running Airflow; a context manager that stops exactly the processes it started.

    :param home: its AIRFLOW_HOME; DAG files lie in ``dags`` below.
    :param environment: further variables, such as connections.
    :param heartbeat_timeout: seconds without a heartbeat after which the scheduler gives a task up.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], *, heartbeat_timeout: int) -> None:
        self.home, self.dags = home, home / "dags"
        self.dags.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        foreign = ("AIRFLOW", "PYTHONDONTWRITEBYTECODE")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self._environment |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(heartbeat_timeout),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **environment,
        }
        self._session = requests.Session()
        self._session.trust_env = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> AirflowService:
        with (self.home / "output.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.system.airflow_service"],
                cwd=Path(__file__).parents[3],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # A session and a group of its own: Ctrl-C is for pytest, which then stops them.
                start_new_session=True,
            )
        try:
            wait_for(self._healthy, READY_SECONDS, self.log)
            token = self._session.get(f"{self.url}/auth/token", timeout=60).json()["access_token"]
        except BaseException:
            self.stop()
            raise
        self._session.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all processes of the session."""
        self._session.close()
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            # It has not been reaped, so the id of the group is still its own.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)
        self._process = None

    @property
    def session(self) -> int:
        """Id of the session of all its processes, while it runs."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """The end of what all components, and the tasks, wrote so far."""
        return (self.home / "output.log").read_text(encoding="utf-8", errors="replace")[-20_000:]

    def call(self, method: str, path: str, given: Any = None) -> Any:
        """Call the REST API (``path`` below ``/api/v2``) and give its JSON answer; None if there is no such thing."""
        answer = self._session.request(method, f"{self.url}/api/v2{path}", json=given, timeout=60)
        if answer.status_code == requests.codes.not_found:
            return None
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def trigger(self, dag_id: str, seconds: float = 120) -> str:
        """Start a run as soon as the DAG is known; gives the path of the run."""
        wait_for(lambda: self.call("GET", f"/dags/{dag_id}"), seconds, self.log)
        run = self.call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None})
        return f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"

    def wait_until_over(self, run: str, seconds: float) -> str:
        """Wait for the end of a run; gives its state."""

        def final() -> str | None:
            state = str(self.call("GET", run)["state"])
            return state if state in ("success", "failed") else None

        return wait_for(final, seconds, self.log, every=0.25)

    def tries(self, run: str, task_id: str) -> list[tuple[int, str]]:
        """Number and state of each try of a task, in order."""
        found = self.call("GET", f"{run}/taskInstances/{task_id}/tries")["task_instances"]
        return sorted((one["try_number"], one["state"]) for one in found)

    def _healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=60).json()
        except (requests.ConnectionError, requests.Timeout):
            return False
        return all(health[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))


def wait_for(condition: Callable[[], T | None], seconds: float, log: Callable[[], str], every: float = 0.05) -> T:
    """Wait until a condition gives something, and give that; asked ``every`` so many seconds.

    :raises AssertionError: with the log, if it takes longer than ``seconds``.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"nothing after {seconds} seconds\n{log()}"
        time.sleep(every)
    return found


def main() -> None:
    """Run Airflow until standard input ends, and end with all that it started."""
    # A handler, since what is ignored here would be ignored by the components too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    airflow = [sys.executable, "-m", "airflow"]
    try:
        subprocess.run([*airflow, "db", "migrate"], stdin=subprocess.DEVNULL, check=True)
        components = [subprocess.Popen([*airflow, *one], stdin=subprocess.DEVNULL) for one in COMPONENTS]
        sys.stdin.read()
        os.killpg(0, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for component in components:
            component.wait(max(0.0, end - time.monotonic()))
    finally:
        for pid in _running_tasks():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)


def _running_tasks() -> list[int]:
    """Processes of this session that are outside of its group: Airflow gives each task a group of its own."""
    found = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == os.getpid() != os.getpgid(pid):
                found.append(pid)
    return found


if __name__ == "__main__":
    main()
