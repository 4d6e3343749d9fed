"""The records of a run with what was decided about each, so that a run's memory does not grow with its size.

A working set is a temporary SQLite database: in memory as long as it is small, beyond that in a file without a name,
which no crash leaves behind. Reading a document back is not validating it again: the first ones stay as they are, the
others are pickled. Writing and reading one pickle takes a third of the time of one validation (`billing_planning` among
the benchmarks).
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from airflow_provider_rma.billing.files import dump_record
from airflow_provider_rma.billing.kinds.base import Comparison, D
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import CREATE, DocumentResult, Outcome

T = TypeVar("T")

#: Documents that stay in memory as objects; an invoice of four lines takes about 4 kB.
LIVE = 10_000
_CACHE_KIB = 16_000
_TABLES = """
CREATE TABLE record (
    position INTEGER PRIMARY KEY, key TEXT NOT NULL, number TEXT NOT NULL, source TEXT NOT NULL, planned TEXT,
    planned_reasons TEXT,
    document BLOB, chosen INTEGER NOT NULL DEFAULT 0, amount TEXT, outcome TEXT, result BLOB, customer_effect TEXT
);
CREATE VIEW pending AS SELECT * FROM record WHERE NOT chosen AND outcome IS NULL;
CREATE VIEW to_send AS SELECT * FROM record WHERE chosen AND outcome IS NULL;
CREATE INDEX record_key ON record (key);
CREATE TABLE booked (key TEXT NOT NULL, comparison BLOB NOT NULL);
CREATE INDEX booked_key ON booked (key);
"""


def open_temporary_database(tables: str) -> sqlite3.Connection:
    """Open a database that exists as long as its connection.

    :param tables: SQL that creates its tables.
    """
    # One thread at a time uses it: the main one, and while documents are sent that of the send queue.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    # It dies with the run: nothing is gained by surviving a crash, so it is one transaction that never ends.
    database.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{_CACHE_KIB};")
    database.executescript(tables)
    database.execute("BEGIN")
    return database


@dataclass(frozen=True)
class DecidedRecord(Generic[D]):
    """A record of the input with what was decided about it.

    :param source: the original record, as JSON.
    :param document: the document made of it, None if it is invalid.
    :param result: its result, None if it is to be sent.
    """

    position: int
    number: str
    source: str
    document: D | None
    result: DocumentResult | None


@dataclass(frozen=True)
class PlannedDecision:
    """The decision of a plan about a record, with its reasons."""

    decision: str
    reasons: tuple[str, ...] = ()

    def shows(self, outcome: Outcome) -> bool:
        """Whether a record of this outcome ended as the plan says. A doubt, or what was held, is never settled so."""
        return outcome not in (Outcome.UNKNOWN, Outcome.HELD) and self.decision == outcome


class WorkingSet(Generic[D]):
    """Records of one run. A context manager; one thread at a time uses it.

    :param live: documents that stay in memory as objects; the others are pickled.
    """

    def __init__(self, live: int = LIVE) -> None:
        self._db = open_temporary_database(_TABLES)
        self._live: dict[int, D] = {}
        self._most_live = live
        self._has_plan = self._has_booked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._db.close()
        self._live.clear()

    # ------------------------------------------------------------------ the input

    def add(self, document: D, record: Mapping[str, Any], *, planned: PlannedDecision | None = None) -> None:
        """Keep a valid document with the record it was made of.

        :param planned: the decision of the plan that is carried out; None where there is no plan.
        """
        self._insert(document.position, document.number, record, planned)
        self._keep(document)

    def add_result(
        self, result: DocumentResult, record: Mapping[str, Any], *, planned: PlannedDecision | None = None
    ) -> None:
        """Keep a record of which no document can be made, with its result."""
        self._insert(result.position, result.number, record, planned)
        self.record_result(result)

    def _insert(self, position: int, number: str, record: Mapping[str, Any], planned: PlannedDecision | None) -> None:
        source = dump_record(record)
        decision, reasons = (planned.decision, json.dumps(planned.reasons)) if planned else (None, None)
        self._db.execute(
            "INSERT INTO record (position, key, number, source, planned, planned_reasons) VALUES (?, ?, ?, ?, ?, ?)",
            (position, normalize_number(number), number, source, decision, reasons),
        )
        self._has_plan = self._has_plan or planned is not None

    def _keep(self, document: D) -> None:
        if document.position in self._live or len(self._live) < self._most_live:
            self._live[document.position] = document
            return
        data = pickle.dumps(document, pickle.HIGHEST_PROTOCOL)
        self._db.execute("UPDATE record SET document = ? WHERE position = ?", (data, document.position))

    def _read(self, position: int, data: bytes | None) -> D | None:
        """Return the document of a position, None if there is none."""
        document: D | None = self._live.get(position) if data is None else _load(data)
        return document

    def count(self) -> int:
        """Count the records."""
        return int(self._db.execute("SELECT count(*) FROM record").fetchone()[0])

    def repeated(self) -> Iterator[tuple[str, list[int]]]:
        """List the numbers that several records carry, with their positions."""
        query = (
            "SELECT min(number), group_concat(position) FROM record WHERE key <> '' GROUP BY key HAVING count(*) > 1"
        )
        for number, positions in self._db.execute(query).fetchall():
            yield number, sorted(map(int, positions.split(",")))

    def carries(self, key: str) -> bool:
        """Whether any record carries the number of this key."""
        return self._db.execute("SELECT 1 FROM record WHERE key = ? LIMIT 1", (key,)).fetchone() is not None

    def document(self, key: str) -> D | None:
        """Return the pending document of a key."""
        row = self._db.execute("SELECT position, document FROM pending WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._read(*row)

    # ------------------------------------------------------------------ the books

    def add_booked(self, comparison: Comparison[D]) -> None:
        """Keep a document found in the books."""
        data = pickle.dumps(comparison, pickle.HIGHEST_PROTOCOL)
        self._db.execute("INSERT INTO booked VALUES (?, ?)", (comparison.booked.key, data))
        self._has_booked = True

    def booked(self, key: str) -> list[Comparison[D]]:
        """List the documents found in the books under a key."""
        if not self._has_booked:
            return []
        query = "SELECT comparison FROM booked WHERE key = ? ORDER BY rowid"
        return [_load(data) for (data,) in self._db.execute(query, (key,))]

    # ------------------------------------------------------------------ decisions

    def pending(self) -> Iterator[D]:
        """List the documents about which nothing is decided yet, in the order of the input."""
        return self._documents("SELECT position, document FROM pending WHERE position > ? ORDER BY position LIMIT 200")

    def to_send(self) -> Iterator[D]:
        """List the documents that are to be sent, in the order of the input."""
        return self._documents("SELECT position, document FROM to_send WHERE position > ? ORDER BY position LIMIT 200")

    def planned(self, position: int) -> PlannedDecision | None:
        """Return the decision of the plan that is carried out; None where there is no plan."""
        if not self._has_plan:
            return None
        query = "SELECT planned, planned_reasons FROM record WHERE position = ?"
        return _to_planned(*self._db.execute(query, (position,)).fetchone())

    def to_send_against_plan(self) -> Iterator[tuple[D, PlannedDecision]]:
        """List the documents that are to be sent although the plan that is carried out does not send them."""
        if self._has_plan:
            for document in self.to_send():
                planned = self.planned(document.position)
                if planned is not None and planned.decision != CREATE:
                    yield document, planned

    def decide_to_send(self, document: D, *, changed: bool = False) -> None:
        """Decide that a document is to be sent.

        :param changed: whether it is another document than was added for its record.
        """
        amount = str(abs(document.totals.amount or Decimal(0)))
        if changed:
            self._keep(document)
        self._db.execute("UPDATE record SET chosen = 1, amount = ? WHERE position = ?", (amount, document.position))

    def record_result(self, result: DocumentResult) -> None:
        """Keep the result of a record."""
        self._db.execute(
            "UPDATE record SET outcome = ?, result = ? WHERE position = ?",
            (str(result.outcome), pickle.dumps(result, pickle.HIGHEST_PROTOCOL), result.position),
        )

    def note_customer_effect(self, position: int, effect: Mapping[str, Any]) -> None:
        """Keep what sending a document does to its customer."""
        self._db.execute("UPDATE record SET customer_effect = ? WHERE position = ?", (json.dumps(effect), position))

    # ------------------------------------------------------------------ the account of it all

    def measure(self) -> tuple[int, Decimal]:
        """Count the documents to be sent, and sum their amounts without sign, as far as these are known."""
        rows = self._db.execute("SELECT amount FROM to_send").fetchall()
        return len(rows), sum((Decimal(amount) for (amount,) in rows), Decimal(0))

    def count_decisions(self) -> Counter[str]:
        """Count the records by decision."""
        query = "SELECT coalesce(outcome, ?), count(*) FROM record GROUP BY 1"
        return Counter(dict(self._db.execute(query, (CREATE,)).fetchall()))

    def customer_effects(self) -> Iterator[dict[str, Any]]:
        """List what sending does to customers."""
        query = "SELECT customer_effect FROM record WHERE customer_effect IS NOT NULL AND outcome IS NULL"
        return (json.loads(effect) for (effect,) in self._db.execute(f"{query} ORDER BY position"))

    def decided(self) -> Iterator[DecidedRecord[D]]:
        """List every record with what was decided about it, in the order of the input."""
        query = "SELECT position, number, source, document, result FROM record ORDER BY position"
        for position, number, source, document, result in self._db.execute(query):
            yield DecidedRecord(
                position,
                number,
                source,
                self._read(position, document),
                None if result is None else _load(result),
            )

    def results(self) -> Iterator[tuple[DocumentResult, dict[str, Any]]]:
        """List result and original record of every record, in the order of the input."""
        query = "SELECT position, number, result, source, planned FROM record ORDER BY position"
        for position, number, data, source, decision in self._db.execute(query):
            result: DocumentResult = (
                DocumentResult(position, number, Outcome.HELD, ("the run ended before this record was decided",))
                if data is None
                else _load(data)
            )
            if decision is not None and PlannedDecision(decision).shows(result.outcome):
                result = replace(result, is_as_planned=True)
            yield result, json.loads(source)

    def decided_results(self) -> Iterator[DocumentResult]:
        """List the results that there are, in the order of the input."""
        query = "SELECT result FROM record WHERE result IS NOT NULL ORDER BY position"
        return (_load(data) for (data,) in self._db.execute(query))

    def _documents(self, query: str) -> Iterator[D]:
        """Read documents in chunks, so that the caller may write between them."""
        last = 0
        while rows := self._db.execute(query, (last,)).fetchall():
            for position, data in rows:
                document = self._read(position, data)
                assert document is not None  # noqa: S101 - only what has a document is pending
                yield document
            last = rows[-1][0]


def _to_planned(decision: str | None, reasons: str | None) -> PlannedDecision | None:
    return None if decision is None else PlannedDecision(decision, tuple(json.loads(reasons or "[]")))


def _load(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - written by this process into a file without a name


def in_chunks(documents: Iterable[T], size: int) -> Iterator[list[T]]:
    """Take documents in lists of at most ``size``, so that the caller may write between them."""
    iterator = iter(documents)
    while chunk := list(islice(iterator, size)):
        yield chunk
