"""The simulator as its own process, for every test that wants a service to talk to over HTTP."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

#: As long as a busy machine may need.
READY_SECONDS = 60
STOP_SECONDS = 30


class SimulatorProcess:
    """A running simulator; a context manager that stops exactly the process it started.

    ``url`` is the address without a path, ``base`` the tenant's resources below it.

    :param db: SQLite file of the books, re-opened if it exists.
    :param master: master data for new books; without it the demo company.
    :param args: further command-line arguments, such as ``["--duplicates", "accept"]``.
    """

    def __init__(
        self,
        db: Path,
        *,
        master: Path | None = None,
        tenant: str = "demo",
        token: str = "pat_demo",  # noqa: S107 - the simulator's own default
        args: Sequence[str] = (),
    ) -> None:
        self.db, self.tenant, self.token = db, tenant, token
        self._command = [sys.executable, "-m", "airflow_provider_rma.simulator", "--port", "0", "--db", str(db)]
        # a killed test run leaves no process behind
        self._command += ["--exit-with-parent"]
        self._command += ["--tenant", tenant, "--token", token]
        self._command += ["--master", str(master)] if master else []
        self._command += args
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed in stop
        self._session = requests.Session()
        self._session.trust_env = False
        self.url = ""

    def __enter__(self) -> SimulatorProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base(self) -> str:
        """Address of the tenant's resources."""
        return f"{self.url}/api/latest/clients/{self.tenant}"

    @property
    def pid(self) -> int:
        """Process id, while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        lines: queue.Queue[str] = queue.Queue()
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            line = ""
        words = line.split()
        if words[:2] != ["rma-simulator", "ready"]:
            self.kill()
            raise RuntimeError(f"the simulator did not start: {line!r}\n{self.stderr()}")
        self.url = words[2]

    def stop(self) -> int | None:
        """End the process as an operator would (SIGTERM); returns its exit status."""
        if self._process is None:
            return None
        self._session.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._reap()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def _reap(self) -> int:
        assert self._process is not None
        status = self._process.wait(STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return status

    def stderr(self) -> str:
        """What the process wrote to stderr so far."""
        self._errors.seek(0)
        return self._errors.read()

    def control(self, method: str, path: str, given: Any = None) -> Any:
        """Call the control endpoint and return its JSON response.

        :param path: below ``/__control__``, for instance ``/settings``.
        :raises RuntimeError: if it is refused, with the text of the refusal.
        """
        response = self._session.request(
            method,
            f"{self.url}/__control__{path}",
            json=given,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        if not response.ok:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        return response.json()

    def get(self, path: str, *, form: str = "json", **query: str) -> requests.Response:
        """GET a resource of the tenant; ``form`` is ``json``, ``xml`` or a full media type."""
        return self._session.get(
            self.base + path,
            params=query,
            headers={"Authorization": f"Bearer {self.token}", "Accept": _media(form)},
            timeout=30,
            allow_redirects=False,
        )

    def post(self, path: str, content: Any, *, form: str = "json", accept: str = "") -> requests.Response:
        """POST content to a resource of the tenant: text or bytes as they are, anything else as JSON."""
        body = content if isinstance(content, bytes | str) else json.dumps(content)
        return self._session.post(
            self.base + path,
            data=body.encode() if isinstance(body, str) else body,
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": _media(form),
                "Accept": _media(accept or form),
            },
            timeout=30,
            allow_redirects=False,
        )

    def documents(self, number: str) -> list[dict[str, Any]]:
        """All invoices with a number, with their postings, straight from the books."""
        ids = self.control("GET", f"/invoices?number={requests.utils.quote(number, safe='')}")["ids"]
        return [self.control("GET", f"/documents/{document_id}") for document_id in ids]


def _media(form: str) -> str:
    return form if "/" in form else f"application/{form}"


def xml_root(text: bytes) -> ElementTree.Element:
    """Root of an XML response or sample."""
    return ElementTree.fromstring(text)  # noqa: S314 - our own server and documented samples
