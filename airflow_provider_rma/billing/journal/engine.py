"""The journal's database: SQLite or PostgreSQL, opened so that what was committed survives a crash.

A write on SQLite takes the database's write lock before it reads (``BEGIN IMMEDIATE``): two writers wait for each other
instead of finding out at the commit.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from airflow_provider_rma.exceptions import JournalError

#: Seconds for which a writer waits for another one on SQLite, and a thread for a free connection.
BUSY_SECONDS = 30

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
_sqlite_writers: WeakKeyDictionary[sa.Engine, threading.Lock] = WeakKeyDictionary()
_registry = threading.Lock()


def open_engine(url: str, *, threads: int = 8) -> sa.Engine:
    """Open a journal's database. Nothing is created in it yet.

    :param url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
    :param threads: how many threads use it at a time; connections kept open. Four times as many are served.
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
        options |= _sqlite_options(parsed)
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


def _sqlite_options(url: sa.engine.URL) -> dict[str, Any]:
    if not url.database or url.database == ":memory:" or "mode=memory" in str(url):
        raise JournalError("the journal cannot live in memory", advice="Give the path of a SQLite file.")
    if not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # A claim must survive a power cut: it is all that stands between a crash and a second POST.
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "journal_mode=WAL", "synchronous=FULL"):
        _execute_when_unlocked(connection, f"PRAGMA {pragma}")


def _execute_when_unlocked(connection: Any, statement: str) -> None:
    """Repeat while the database is locked: switching a new file to WAL does not wait for the busy time-out."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(statement).close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # A server that acknowledges before it has written would forget a claim when it crashes.
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.close()
    connection.commit()


@contextmanager
def write_transaction(engine: sa.Engine) -> Iterator[sa.engine.Connection]:
    """Open a transaction that is committed at the end and rolled back on an error."""
    sqlite = engine.dialect.name == "sqlite"
    with _writer_lock(engine) if sqlite else nullcontext(), engine.begin() as connection:
        if sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _writer_lock(engine: sa.Engine) -> threading.Lock:
    with _registry:
        return _sqlite_writers.setdefault(engine, threading.Lock())


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
