"""A throw-away MariaDB for tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.throw_away_server import PASSWORD, USER, ThrowAwayServer, find_program


def find_mariadb() -> Path | None:
    """Return the path of ``mariadbd``, None if it is not installed."""
    return find_program("mariadbd") if shutil.which("mariadb-install-db") else None


class MariaDbServer(ThrowAwayServer):
    """A running MariaDB.

    Its databases have the character set latin1, as those that somebody made long ago.

    :param binary: ``mariadbd``.
    """

    name = "MariaDB"
    users = ("mysql", "nobody")

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

    def _prepare(self) -> None:
        self._run(
            "mariadb-install-db", "--no-defaults", f"--datadir={self._folder / 'data'}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M",
        )  # fmt: skip
        (self._folder / "users.sql").write_text(
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def _command(self) -> Sequence[str | Path]:
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
        return [self._binary, "--no-defaults", *(f"--{name}={value}" for name, value in options.items())]

    def _answers(self) -> bool:
        import pymysql

        try:
            self.execute("SELECT 1")
        except pymysql.OperationalError:
            return False
        return True
