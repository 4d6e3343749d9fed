"""A throw-away server for tests: its data in a temporary folder, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

READY_SECONDS = 60
STOP_SECONDS = 20

USER = "rma"
PASSWORD = "example"


class ThrowAwayServer(ABC):
    """A running server; a context manager that stops exactly the process that it started.

    Servers of databases refuse to run as root, so root hands them to an unprivileged user.

    :param binary: the server's program, or the folder that holds it.
    :ivar port: where it listens.
    """

    name: ClassVar[str]
    #: Users to whom root hands it; the first that exists.
    users: ClassVar[Sequence[str]]
    #: Signals that end it, the gentlest first.
    stop_signals: ClassVar[Sequence[signal.Signals]] = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, binary: Path) -> None:
        self.port = 0
        self._binary = binary
        self._identity = self._find_identity() if os.geteuid() == 0 else {}
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count(1)

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix=f"rma-{self.name.lower()}-"))
        if self._identity:
            os.chown(self._folder, self._identity["user"], self._identity["group"])
        try:
            self._prepare()
            for _ in range(3):
                # Between finding a free port and taking it, somebody else may take it.
                if self._start():
                    return self
            raise RuntimeError(f"{self.name} did not start:\n{self.log()[-4000:]}")
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._remove()

    def log(self) -> str:
        """Return what the server wrote so far."""
        return (self._folder / "log").read_text(errors="replace")

    @abstractmethod
    def _prepare(self) -> None:
        """Make its data, before it starts."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Return the command that starts it on its port."""

    def _answers(self) -> bool:
        """Whether it serves clients by now."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _start(self) -> bool:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = self._command()
        with (self._folder / "log").open("ab") as log:
            # Ctrl-C is for pytest, which then stops the server.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._surrounding
            )
        deadline = time.monotonic() + READY_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.05)
        self._stop()
        return False

    def _stop(self) -> None:
        if self._process is None:
            return
        for how in self.stop_signals:
            if self._process.poll() is None:
                self._process.send_signal(how)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        self._process = None

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *command: str | Path) -> None:
        """Run a program of the server to its end."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._surrounding)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    @property
    def _surrounding(self) -> dict[str, Any]:
        # The folder for temporary files of the tests may be closed to the unprivileged user.
        return {"cwd": self._folder, "env": {**os.environ, "TMPDIR": str(self._folder)}, **self._identity}

    def _find_identity(self) -> dict[str, Any]:
        for name in self.users:
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        raise RuntimeError(f"there is no user to whom {self.name} could be handed")


def find_program(name: str) -> Path | None:
    """Return the path of a server's program, None if it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None
