"""The file in which the books are kept: SQLite tables, transactions, numbers.

Amounts are kept twice: as the text the ledger would print, and as an integer of 1e-8 CHF, of which sums are
made exactly. One lock serialises the writers; a file can be read by others meanwhile (write-ahead log).

Sums per day and account are kept beside the postings by triggers, so that a balance never reads the postings.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from airflow_provider_rma.simulator.books.rounding import ZERO

#: First numbers of the two sequences: documents, parties, parts and accounts share one; postings have their own.
FIRST_ID = 10001
FIRST_ENTRY_ID = 20001

#: A stored integer of 1 stands for this many CHF.
UNIT = Decimal("1e-8")
_UNITS = 10**8

#: SQL of a posting's whole CHF and of its rest in units: summed apart, they cannot overflow.
WHOLE = f"units / {_UNITS}"
FRACTION = f"units % {_UNITS}"

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE account (
    id INTEGER PRIMARY KEY, accno TEXT NOT NULL UNIQUE, description TEXT NOT NULL, charttype TEXT NOT NULL,
    category TEXT NOT NULL, link TEXT NOT NULL, allow_gl INTEGER NOT NULL, contra INTEGER NOT NULL,
    is_active INTEGER NOT NULL);
CREATE TABLE tax (accno TEXT NOT NULL, rate TEXT NOT NULL, validfrom TEXT, validto TEXT);
CREATE TABLE department (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL);
CREATE TABLE project (id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE party (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, number TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, number));
CREATE TABLE part (id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE document (
    id INTEGER PRIMARY KEY, module TEXT NOT NULL, number TEXT NOT NULL, article INTEGER NOT NULL,
    party TEXT, transdate TEXT NOT NULL, duedate TEXT, datepaid TEXT, description TEXT, currency TEXT NOT NULL,
    exchangerate TEXT, taxincluded INTEGER NOT NULL, amount TEXT, netamount TEXT, paid TEXT, fxamount TEXT,
    fxpaid TEXT, department_id INTEGER, arap_accno TEXT, notes TEXT, intnotes TEXT, body TEXT NOT NULL);
CREATE INDEX document_number ON document (number, module);
CREATE INDEX document_date ON document (module, transdate);
CREATE TABLE posting (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT, document_id INTEGER NOT NULL, account_id INTEGER NOT NULL,
    amount TEXT NOT NULL, units INTEGER NOT NULL, transdate TEXT NOT NULL, source TEXT, memo TEXT,
    fx INTEGER NOT NULL, payment_no INTEGER, project_id INTEGER);
CREATE INDEX posting_document ON posting (document_id);
CREATE INDEX posting_date ON posting (transdate, account_id);
CREATE INDEX posting_account ON posting (account_id, transdate);
CREATE TABLE payment (
    id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL, payment_no INTEGER NOT NULL, body TEXT NOT NULL,
    changed TEXT NOT NULL, UNIQUE (document_id, payment_no));
CREATE TABLE yearend (document_id INTEGER PRIMARY KEY, transdate TEXT NOT NULL);
"""

#: Tables that books of earlier versions lack.
_ADDED_TABLES = """
CREATE TABLE IF NOT EXISTS payment_state (
    token TEXT NOT NULL, payment_id INTEGER NOT NULL, content TEXT NOT NULL, processed TEXT,
    PRIMARY KEY (token, payment_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, checksum TEXT NOT NULL, file_name TEXT NOT NULL,
    media_type TEXT NOT NULL, comment TEXT NOT NULL, received TEXT NOT NULL, content BLOB NOT NULL);
"""

_ADDED = f"""INSERT INTO daily
    VALUES (NEW.transdate, NEW.account_id, NEW.fx, 1, NEW.units <> 0, NEW.{WHOLE}, NEW.{FRACTION})
    ON CONFLICT DO UPDATE SET lines = lines + 1, visible = visible + excluded.visible,
        whole = whole + excluded.whole, fraction = fraction + excluded.fraction"""  # noqa: S608
_TAKEN = f"""UPDATE daily SET lines = lines - 1, visible = visible - (OLD.units <> 0),
    whole = whole - OLD.{WHOLE}, fraction = fraction - (OLD.{FRACTION})
    WHERE transdate = OLD.transdate AND account_id = OLD.account_id AND fx = OLD.fx"""  # noqa: S608
#: Per day, account and kind of row: how many rows, how many that are not 0, their sum (whole CHF, rest).
_TOTALS = f"""
BEGIN;
CREATE TABLE daily (
    transdate TEXT NOT NULL, account_id INTEGER NOT NULL, fx INTEGER NOT NULL, lines INTEGER NOT NULL,
    visible INTEGER NOT NULL, whole INTEGER NOT NULL, fraction INTEGER NOT NULL,
    PRIMARY KEY (transdate, account_id, fx)) WITHOUT ROWID;
INSERT INTO daily
    SELECT transdate, account_id, fx, COUNT(*), SUM(units <> 0), SUM({WHOLE}), SUM({FRACTION})
    FROM posting GROUP BY transdate, account_id, fx;
CREATE TRIGGER posting_added AFTER INSERT ON posting BEGIN {_ADDED}; END;
CREATE TRIGGER posting_taken AFTER DELETE ON posting BEGIN {_TAKEN}; END;
CREATE TRIGGER posting_changed AFTER UPDATE ON posting BEGIN {_TAKEN}; {_ADDED}; END;
COMMIT;
"""  # noqa: S608


def to_units(amount: Decimal) -> int:
    """Return an amount in CHF as an integer of 1e-8 CHF; what is smaller is lost."""
    return int(amount.scaleb(8).to_integral_value())


def join_sum(whole: int | None, fraction: int | None) -> Decimal:
    """Return a sum in CHF, from the sums of ``WHOLE`` and ``FRACTION``."""
    if whole is None:
        return ZERO
    return Decimal(whole) + Decimal(fraction or 0) * UNIT


class Fetch(Protocol):
    """A query function: SQL and parameters in, all rows out."""

    def __call__(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]: ...


class Store:
    """One SQLite file (or a database in memory), its lock, its transactions and its shared id sequence.

    :param create: make the tables; otherwise they are there.
    :param bulk: no journal and no waiting for the disk: for a file that is thrown away should the process die.
    """

    def __init__(self, path: str, *, create: bool, bulk: bool = False) -> None:
        self.path = path
        self.lock = threading.RLock()
        #: Gives the moment that is noted with a payment.
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._memo: dict[Hashable, Any] = {}
        self._next_id: int | None = None
        self.connection = self._connect()
        if bulk:
            self.connection.execute("PRAGMA journal_mode = OFF")
            self.connection.execute("PRAGMA synchronous = OFF")
            self.connection.execute("PRAGMA cache_size = -65536")
        if create:
            self.connection.executescript(_SCHEMA)
            self.connection.execute("INSERT INTO meta VALUES ('next_id', ?)", (FIRST_ID,))
            self.connection.execute("INSERT INTO sqlite_sequence VALUES ('posting', ?)", (FIRST_ENTRY_ID - 1,))
        if not self.fetch("SELECT 1 FROM sqlite_master WHERE name = 'daily'"):
            self.connection.executescript(_TOTALS)
        if not self.fetch("SELECT 1 FROM sqlite_master WHERE name = 'upload'"):
            self.connection.executescript(_ADDED_TABLES)

    @property
    def in_memory(self) -> bool:
        """Whether the books vanish with this object."""
        return self.path == ":memory:"

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def close(self) -> None:
        """Close the file; what was posted stays."""
        with self.lock:
            self.connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: all of it is kept, or nothing. Nested use joins the outer transaction."""
        with self.lock:
            if self.connection.in_transaction:
                yield self.connection
                return
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                if self._next_id is not None:
                    self.connection.execute("UPDATE meta SET value = ? WHERE key = 'next_id'", (self._next_id,))
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            finally:
                self._memo.clear()
                self._next_id = None

    def read_cached(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the result of ``read``; within a transaction it is read once, since nobody else can change it then."""
        with self.lock:
            if not self.connection.in_transaction:
                return read()
            if key not in self._memo:
                self._memo[key] = read()
            value: T = self._memo[key]
            return value

    def forget(self, key: Hashable) -> None:
        """Drop what is remembered under a key, because it was changed."""
        self._memo.pop(key, None)

    @contextmanager
    def snapshot(self) -> Iterator[Fetch]:
        """Return a function for queries that all see one unchanging state of the books, for long reads.

        Books in memory have one connection only; there a long read sees what is written meanwhile.
        """
        if self.in_memory:
            yield self.fetch
            return
        connection = self._connect()
        try:
            connection.execute("BEGIN")
            yield lambda sql, parameters=(): connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    @contextmanager
    def view(self) -> Iterator[Fetch]:
        """Return a function for a few short queries that see one state of the books.

        An unfinished transaction of this store is part of that state.
        """
        with self.lock:
            if self.connection.in_transaction:
                yield self.fetch
                return
            self.connection.execute("BEGIN")
            try:
                yield self.fetch
            finally:
                self._memo.clear()
                self.connection.execute("COMMIT")

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run one query on the shared connection."""
        with self.lock:
            return self.connection.execute(sql, parameters).fetchall()

    def next_id(self) -> int:
        """Take the next number of the shared sequence; only inside ``write``, which saves it at its end."""
        if self._next_id is None:
            self._next_id = int(self.fetch("SELECT value FROM meta WHERE key = 'next_id'")[0][0])
        self._next_id += 1
        return self._next_id - 1
