"""A throw-away MariaDB for tests: its own data in a temporary folder, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

READY_SECONDS = 30
STOP_SECONDS = 20

USER = "rma"
PASSWORD = "example"


def find_mariadb() -> Path | None:
    """Return the path of ``mariadbd``, None if it is not installed."""
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found and shutil.which("mariadb-install-db") else None


class MariaDbServer:
    """A running MariaDB; a context manager that stops exactly the process it started.

    Its databases have the character set latin1, as those that somebody made long ago.

    :param binary: ``mariadbd``.
    """

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        # MariaDB refuses to run as root, so root hands it to an unprivileged user.
        self._identity = _unprivileged() if os.geteuid() == 0 else {}
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count(1)
        self.port = 0

    def __enter__(self) -> MariaDbServer:
        self._folder = Path(tempfile.mkdtemp(prefix="rma-mariadb-"))
        if self._identity:
            os.chown(self._folder, self._identity["user"], self._identity["group"])
        self._run(
            "mariadb-install-db", "--no-defaults", f"--datadir={self._folder / 'data'}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M",
        )  # fmt: skip
        (self._folder / "users.sql").write_text(
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        for _ in range(3):
            # Between finding a free port and taking it, somebody else may take it.
            if self._start():
                return self
        log = (self._folder / "log").read_text(errors="replace")
        self._remove()
        raise RuntimeError(f"MariaDB did not start:\n{log[-4000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._remove()

    def url(self, database: str, *, dialect: str = "mariadb") -> str:
        """SQLAlchemy URL of a database."""
        return f"{dialect}+pymysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None, **options: Any) -> Any:
        """Open a connection."""
        import pymysql

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=database, **options
        )

    def create_database(self) -> str:
        """Make an empty database; return its name."""
        name = f"db{next(self._databases)}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET latin1")
        return name

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Execute statements; return the rows of the last."""
        found: tuple[tuple[Any, ...], ...] = ()
        with self.connect(database, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                found = cursor.fetchall()
        return list(found)

    @property
    def _environment(self) -> dict[str, str]:
        # The folder for temporary files of the tests may be closed to the unprivileged user.
        return {**os.environ, "TMPDIR": str(self._folder)}

    def _start(self) -> bool:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = {
            "datadir": self._folder / "data",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "socket": self._folder / "socket",
            "pid-file": self._folder / "pid",
            "init-file": self._folder / "users.sql",
            "skip-name-resolve": 1,
            "character-set-server": "latin1",
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-buffer-pool-size": "32M",
            "innodb-log-file-size": "4M",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, "--no-defaults", *arguments],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # Ctrl-C is for pytest, which then stops the server.
                start_new_session=True,
                env=self._environment,
                **self._identity,
            )
        deadline = time.monotonic() + READY_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.05)
        self._stop()
        return False

    def _answers(self) -> bool:
        import pymysql

        try:
            self.execute("SELECT 1")
        except pymysql.OperationalError:
            return False
        return True

    def _stop(self) -> None:
        if self._process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(how)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        self._process = None

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [name, *arguments],
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=self._environment,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{done.stdout}{done.stderr}")


def _unprivileged() -> dict[str, Any]:
    for name in ("mysql", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no user to whom MariaDB could be handed")
