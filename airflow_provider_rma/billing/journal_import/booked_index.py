"""The invoices that the books hold, on disk as long as a comparison lasts, so that memory does not grow with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from airflow_provider_rma.billing.booked import BookedInvoice
from airflow_provider_rma.billing.journal_import.similarity import FieldDifference, Similarity
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.working_set import open_temporary_database

_TABLES = """
CREATE TABLE booked (
    key TEXT NOT NULL, number TEXT NOT NULL, id TEXT, day TEXT, customer TEXT, net TEXT, gross TEXT,
    currency TEXT NOT NULL, similarity TEXT
);
CREATE INDEX booked_key ON booked (key);
CREATE INDEX booked_twin ON booked (customer, day);
CREATE INDEX booked_day ON booked (day);
CREATE TABLE aside (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_COLUMNS = "number, id, day, customer, net, gross, currency, similarity"


@dataclass(frozen=True)
class IndexedInvoice:
    """An invoice in the books.

    :param similarity: to the document of that number; None if there is no such document.
    """

    booked: BookedInvoice
    similarity: Similarity | None


class BookedIndex:
    """Invoices of the books by number, by date, and by what makes two of them look the same. A context manager."""

    def __init__(self) -> None:
        self._db = open_temporary_database(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._db.close()

    def add(self, booked: BookedInvoice, similarity: Similarity | None) -> None:
        """Keep an invoice."""
        values = (
            booked.key,
            booked.number,
            booked.document_id,
            booked.transdate.isoformat() if booked.transdate else None,
            booked.customernumber,
            _to_text(booked.net),
            _to_text(booked.gross),
            booked.currency or "CHF",
            None if similarity is None else json.dumps(asdict(similarity)),
        )
        self._db.execute("INSERT INTO booked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def set_aside(self, key: str) -> None:
        """Keep the key of an invoice that is known and not part of the comparison."""
        self._db.execute("INSERT OR IGNORE INTO aside VALUES (?)", (key,))

    def is_aside(self, key: str) -> bool:
        """Whether a key was set aside."""
        return self._db.execute("SELECT 1 FROM aside WHERE key = ?", (key,)).fetchone() is not None

    def find(self, key: str) -> list[IndexedInvoice]:
        """Find the invoices of a key."""
        return self._select("key = ?", (key,))

    def keys_between(self, first: date, last: date) -> Iterator[str]:
        """Iterate over the keys of the invoices of a period (both days inclusive), by date and number."""
        query = "SELECT key FROM booked WHERE day BETWEEN ? AND ? GROUP BY key ORDER BY min(day), key"
        for (key,) in self._db.execute(query, (first.isoformat(), last.isoformat())):
            yield key

    def find_twins(self, document: InvoiceDocument) -> list[IndexedInvoice]:
        """Find invoices of other numbers with the same customer, date, currency and gross total.

        Where the document's gross does not follow from it, the net total counts; where RMA's totals cannot be compared
        (foreign currency), none does.
        """
        day = document.invoice["transdate"].isoformat()
        condition = "customer = ? AND day = ? AND currency = ? AND key <> ?"
        values = [document.customernumber, day, document.currency, document.key]
        totals = document.totals
        if document.currency == "CHF":
            for name, total in (("gross", totals.gross), ("net", totals.net)):
                if total is not None:
                    return self._select(f"{condition} AND {name} = ?", (*values, _to_text(total)))
        return self._select(condition, tuple(values))

    def _select(self, condition: str, values: tuple[str | None, ...]) -> list[IndexedInvoice]:
        query = f"SELECT {_COLUMNS} FROM booked WHERE {condition} ORDER BY rowid"  # noqa: S608 - no values in it
        return [_to_invoice(row) for row in self._db.execute(query, values)]


def _to_invoice(row: tuple[Any, ...]) -> IndexedInvoice:
    number, document_id, day, customer, net, gross, currency, similarity = row
    booked = BookedInvoice(
        number,
        document_id,
        None if net is None else Decimal(net),
        None if gross is None else Decimal(gross),
        currency,
        transdate=date.fromisoformat(day) if day else None,
        customernumber=customer,
    )
    return IndexedInvoice(booked, None if similarity is None else _to_similarity(json.loads(similarity)))


def _to_similarity(values: Mapping[str, Any]) -> Similarity:
    differences = tuple(FieldDifference(**difference) for difference in values["differences"])
    return Similarity(differences, tuple(values["unchecked"]))


def _to_text(amount: Decimal | None) -> str | None:
    """Format an amount in the one form in which two of them are compared."""
    return None if amount is None else f"{amount + 0:.2f}"
