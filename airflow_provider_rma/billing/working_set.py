"""The documents of a run on disk, so that a run's memory does not grow with its size.

A spool lives in a temporary file as long as the run. It holds every record with what was decided about it, and finds
documents by number while the books are being read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.comparison import Comparison
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.scratch import Scratch

_TABLES = """
CREATE TABLE record (
    position INTEGER PRIMARY KEY, key TEXT NOT NULL, number TEXT NOT NULL, document TEXT, source TEXT NOT NULL,
    planned TEXT, decision TEXT, row TEXT, remark TEXT
);
CREATE INDEX record_key ON record (key);
CREATE TABLE hit (key TEXT NOT NULL, hit TEXT NOT NULL);
CREATE INDEX hit_key ON hit (key);
"""


@dataclass(frozen=True)
class Hit:
    """A document that the books hold under a wanted number.

    :param net: total without tax as booked, in ``currency``.
    :param gross: total with tax as booked, in ``currency``.
    :param comparison: its comparison with the document of this run, None if the run has no valid one of that number.
    """

    number: str
    document_id: str | None
    net: Decimal | None
    gross: Decimal | None
    currency: str
    comparison: Comparison | None


class WorkingSet(Scratch):
    """Records of one run. Use as a context manager; not shared between threads."""

    def __init__(self) -> None:
        super().__init__(_TABLES)

    def add(
        self,
        position: int,
        number: str,
        record: Mapping[str, Any],
        result: Document | DocumentResult,
        *,
        planned: str | None = None,
    ) -> None:
        """Keep a record and the document made of it, or the row that says why there is none.

        :param planned: what a plan that a person has seen says about it; None where there is no such plan.
        """
        document = result.to_json() if isinstance(result, Document) else None
        self._db.execute(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
            (
                position,
                normalize_number(number),
                number,
                document,
                json.dumps(record, default=str, ensure_ascii=False),
                planned,
            ),
        )
        if isinstance(result, DocumentResult):
            self.settle(result)

    def count(self) -> int:
        """Number of records."""
        return int(self._db.execute("SELECT count(*) FROM record").fetchone()[0])

    def repeated(self) -> Iterator[tuple[str, list[int]]]:
        """Numbers that several records carry, with their positions."""
        query = (
            "SELECT min(number), group_concat(position) FROM record WHERE key <> '' GROUP BY key HAVING count(*) > 1"
        )
        for number, positions in self._db.execute(query).fetchall():
            yield number, sorted(map(int, positions.split(",")))

    def keys(self) -> Iterator[str]:
        """Business keys of all records."""
        return (key for (key,) in self._db.execute("SELECT DISTINCT key FROM record WHERE key <> ''"))

    def carries(self, number: str) -> bool:
        """Whether any record carries this number."""
        query = "SELECT 1 FROM record WHERE key = ? LIMIT 1"
        return self._db.execute(query, (normalize_number(number),)).fetchone() is not None

    def document(self, number: str) -> Document | None:
        """The pending document of a number."""
        query = "SELECT position, document FROM record WHERE key = ? AND row IS NULL AND document IS NOT NULL"
        row = self._db.execute(query, (normalize_number(number),)).fetchone()
        return None if row is None else Document.from_json(*row)

    def add_hit(self, hit: Hit) -> None:
        """Keep a document found in the books."""
        values = asdict(hit) | {"net": _text(hit.net), "gross": _text(hit.gross)}
        self._db.execute("INSERT INTO hit VALUES (?, ?)", (normalize_number(hit.number), json.dumps(values)))

    def hits(self, key: str) -> list[Hit]:
        """The documents found in the books under a business key."""
        return [_hit(text) for (text,) in self._db.execute("SELECT hit FROM hit WHERE key = ? ORDER BY rowid", (key,))]

    def pending(self) -> Iterator[Document]:
        """Documents about which nothing is decided yet, in the order of the input."""
        yield from self._documents("decision IS NULL AND row IS NULL")

    def to_create(self) -> Iterator[Document]:
        """Documents that are to be sent, in the order of the input."""
        yield from self._documents("decision = 'create' AND row IS NULL")

    def planned(self, position: int) -> str | None:
        """What the plan that a person has seen says about a record; None where there is no such plan."""
        query = "SELECT planned FROM record WHERE position = ?"
        planned: str | None = self._db.execute(query, (position,)).fetchone()[0]
        return planned

    def create(self, position: int) -> None:
        """Decide that a document is to be sent."""
        self._db.execute("UPDATE record SET decision = 'create' WHERE position = ?", (position,))

    def settle(self, row: DocumentResult) -> None:
        """Keep the outcome of a record."""
        self._db.execute("UPDATE record SET row = ? WHERE position = ?", (json.dumps(row.as_dict()), row.position))

    def remark(self, position: int, remark: Mapping[str, Any]) -> None:
        """Keep what sending a document does to its customer."""
        self._db.execute("UPDATE record SET remark = ? WHERE position = ?", (json.dumps(remark), position))

    def remarks(self) -> Iterator[dict[str, Any]]:
        """What is kept of customers of documents that are to be sent."""
        query = "SELECT remark FROM record WHERE remark IS NOT NULL AND row IS NULL ORDER BY position"
        return (json.loads(remark) for (remark,) in self._db.execute(query))

    def plan(self) -> Iterator[tuple[DocumentResult | None, Document | None, int, str, dict[str, Any]]]:
        """Row (None: to be sent), document, position, number and original record, in the order of the input."""
        query = "SELECT position, number, row, document, source FROM record ORDER BY position"
        for position, number, row, document, source in self._db.execute(query):
            yield (
                None if row is None else _row(position, number, row),
                None if document is None else Document.from_json(position, document),
                position,
                number,
                json.loads(source),
            )

    def rows(self) -> Iterator[tuple[DocumentResult, dict[str, Any]]]:
        """Outcome and original record of every record, in the order of the input."""
        for position, number, text, source in self._db.execute(
            "SELECT position, number, row, source FROM record ORDER BY position"
        ):
            yield _row(position, number, text), json.loads(source)

    def _documents(self, condition: str) -> Iterator[Document]:
        """Documents in chunks, so that the caller may write between them."""
        last = 0
        while True:
            rows = self._db.execute(
                f"SELECT position, document FROM record WHERE {condition} AND position > ? "  # noqa: S608
                "ORDER BY position LIMIT 200",
                (last,),
            ).fetchall()
            if not rows:
                return
            for position, document in rows:
                last = position
                yield Document.from_json(position, document)


def _hit(text: str) -> Hit:
    values = json.loads(text)
    comparison = values["comparison"]
    if comparison is not None:
        comparison = Comparison(**{name: tuple(entries) for name, entries in comparison.items()})
    return Hit(
        **values | {"net": _decimal(values["net"]), "gross": _decimal(values["gross"]), "comparison": comparison}
    )


def _row(position: int, number: str, text: str | None) -> DocumentResult:
    if text is None:
        return DocumentResult(position, number, Outcome.HELD, ("the run ended before this record was decided",))
    values = json.loads(text)
    row = DocumentResult(
        **{name: value for name, value in values.items() if name in DocumentResult.__dataclass_fields__}
    )
    return replace(
        row,
        outcome=Outcome(row.outcome),
        reasons=tuple(values.get("reasons", ())),
        unchecked=tuple(values.get("unchecked", ())),
        net=_decimal(values.get("net")),
        gross=_decimal(values.get("gross")),
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
