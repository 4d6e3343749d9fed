"""The journal's database: SQLite or PostgreSQL, opened so that what was committed survives a crash.

A write on SQLite takes the database's write lock before it reads (``BEGIN IMMEDIATE``): two writers wait for each other
instead of finding out at the commit.

PostgreSQL may be behind a pooler that hands every transaction to another session. So no statement is prepared on the
server, and every setting is one of its transaction.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from airflow_provider_rma.billing.storage import OWNER_ONLY, describe_error, make_folder, set_mode
from airflow_provider_rma.exceptions import JournalError

log = logging.getLogger(__name__)

#: Seconds for which a writer waits for another one on SQLite, and a thread for a free connection.
BUSY_SECONDS = 30

#: Seconds after which a log says what is waited for.
SILENT_SECONDS = 2.0

#: Milliseconds for which SQLite itself waits while a log is kept, and otherwise.
_WATCHED_BUSY, _BUSY = 100, BUSY_SECONDS * 1000

#: What libpq understands: found out soon that the database is gone, and named in the database's list of sessions.
_LIBPQ: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "airflow-provider-rma journal",
}

# Threads of one process queue up here in order: SQLite itself lets them poll, with pauses that grow to 100 ms.
_sqlite_writers: WeakKeyDictionary[sa.Engine, threading.RLock] = WeakKeyDictionary()


def open_engine(url: str, *, threads: int = 8, file_mode: int = OWNER_ONLY) -> sa.Engine:
    """Open a journal's database. Nothing is created in it yet.

    :param url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
    :param threads: how many threads use it at a time; connections kept open. Four times as many are served.
    :param file_mode: of a SQLite file; its folder follows.
    :raises JournalError: for any other database, for one in memory, or if its driver is not installed.
    """
    parsed = sa.engine.make_url(url)
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise JournalError(f"the journal cannot live in {backend}", advice="Use SQLite (one machine) or PostgreSQL.")
    options: dict[str, Any] = {
        "future": True,
        # Error texts would quote what was being written.
        "hide_parameters": True,
        "poolclass": QueuePool,
        "pool_size": max(1, threads),
        "max_overflow": 3 * max(1, threads),
        "pool_timeout": BUSY_SECONDS,
    }
    prepare: Callable[[Any, Any], None]
    if backend == "sqlite":
        options |= _sqlite_options(parsed, file_mode)
        prepare = _prepare_sqlite
    else:
        options |= {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
        if parsed.drivername in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
            options["connect_args"] = {name: value for name, value in _LIBPQ.items() if name not in parsed.query}
        prepare = _prepare_postgresql
    try:
        engine = sa.create_engine(parsed, **options)
    except ImportError as error:
        raise JournalError(
            f"the driver of {parsed.drivername} is not installed",
            advice="Install airflow-provider-rma[postgres].",
        ) from error
    sa.event.listen(engine, "connect", prepare)
    return engine


def _sqlite_options(url: sa.engine.URL, file_mode: int) -> dict[str, Any]:
    if not url.database or url.database == ":memory:" or "mode=memory" in str(url):
        raise JournalError("the journal cannot live in memory", advice="Give the path of a SQLite file.")
    if not url.database.startswith("file:"):
        _make_private_file(url.database, file_mode)
    return {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}


def _make_private_file(path: str, mode: int) -> None:
    """Make the file before SQLite does, which would heed the umask; its companions take the mode of the file."""
    try:
        make_folder(LocalFileSystem(), os.path.dirname(os.path.abspath(path)), mode)
        if not os.path.exists(path):
            set_mode(path, mode)
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be made ({describe_error(error)})",
            advice="Nothing is posted without it. Make its folder writable for the worker, then run again.",
            retryable=True,
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # A claim must survive a power cut: it is all that stands between a crash and a second POST.
    pragmas = (f"PRAGMA {pragma}" for pragma in ("journal_mode=WAL", "synchronous=FULL"))
    _execute_when_unlocked(connection, *pragmas, deadline=time.monotonic() + BUSY_SECONDS)


def _execute_when_unlocked(connection: sqlite3.Connection, *statements: str, deadline: float) -> None:
    """Execute statements that need a lock, waiting until a deadline while others hold it.

    SQLite's own waiting tells nobody, and switching a new file to WAL does not wait at all.

    :raises JournalError: if the database is locked beyond the deadline.
    """
    started = time.monotonic()
    announced = False
    connection.execute(f"PRAGMA busy_timeout={_WATCHED_BUSY}").close()
    try:
        for statement in statements:
            while not _is_executed(connection, statement):
                now = time.monotonic()
                if now > deadline:
                    raise _locked(connection)
                if not announced and now - started > SILENT_SECONDS:
                    announced = True
                    left = deadline - now
                    log.warning(
                        "Waiting for the journal %s: another process has it locked. At most %.0f s more.",
                        _file_name(connection),
                        left,
                    )
                time.sleep(0.02)
    finally:
        connection.execute(f"PRAGMA busy_timeout={_BUSY}").close()


def _is_executed(connection: sqlite3.Connection, statement: str) -> bool:
    """Execute a statement; False if the database is locked."""
    try:
        connection.execute(statement).close()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return False
    return True


def _locked(connection: sqlite3.Connection) -> JournalError:
    return JournalError(
        f"the journal {_file_name(connection)} is locked by another process, for {BUSY_SECONDS} s now",
        advice="Nothing is posted without it. Find the process that has the file open (`fuser`, `lsof`) and end it, "
        "then run again.",
        retryable=True,
    )


def _file_name(connection: sqlite3.Connection) -> str:
    try:
        return str(connection.execute("PRAGMA database_list").fetchone()[2])
    except sqlite3.Error:
        return "(SQLite)"


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    # psycopg prepares what it sees five times; behind a pooler the next transaction may meet another session.
    if hasattr(connection, "prepare_threshold"):
        connection.prepare_threshold = None


#: A server that acknowledges before it has written would forget a claim when it crashes.
_COMMIT_DURABLY = (
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


@contextmanager
def write_transaction(engine: sa.Engine) -> Iterator[sa.engine.Connection]:
    """Open a transaction that is committed at the end and rolled back on an error."""
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            connection.exec_driver_sql(_COMMIT_DURABLY)
            yield connection
        return
    deadline = time.monotonic() + BUSY_SECONDS
    with _writer_turn(engine), engine.begin() as connection:
        database: Any = connection.connection.dbapi_connection
        _execute_when_unlocked(database, "BEGIN IMMEDIATE", deadline=deadline)
        yield connection


@contextmanager
def _writer_turn(engine: sa.Engine) -> Iterator[None]:
    """Wait for the other threads of this process."""
    # One step, without a lock that an interruption could leave locked. The thread that was interrupted in its turn may
    # have the next one: an interrupted run still writes its evidence.
    lock = _sqlite_writers.setdefault(engine, threading.RLock())
    has_turn = False
    try:
        has_turn = lock.acquire(timeout=BUSY_SECONDS)
        if not has_turn:
            raise JournalError(
                f"the journal is busy: other threads of this task have written to it for {BUSY_SECONDS} s",
                advice="Nothing is posted without it. Run again.",
                retryable=True,
            )
        yield
    finally:
        if has_turn:
            lock.release()


def db_now(engine: sa.Engine) -> sa.ColumnElement[float]:
    """Return the expression for the present on the database's clock, in seconds since 1970."""
    if engine.dialect.name == "sqlite":
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)
    return sa.literal_column("extract(epoch from clock_timestamp())::double precision", sa.Float)


@contextmanager
def journal_errors() -> Iterator[None]:
    """Turn database errors into :class:`JournalError`, except the one that says that a row exists already."""
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        raise JournalError(
            f"the journal cannot be read or written ({type(error).__name__})",
            advice="Nothing is posted without it. Check the journal's database and run again.",
            retryable=True,
        ) from error
