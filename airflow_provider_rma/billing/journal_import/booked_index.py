"""The invoices that the books hold, on disk as long as a comparison lasts, so that memory does not grow with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.booked import booked_customer
from airflow_provider_rma.billing.journal_import.similarity import Difference, Similarity
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.scratch import Scratch

_TABLES = """
CREATE TABLE booked (
    key TEXT NOT NULL, number TEXT NOT NULL, id TEXT, day TEXT, customer TEXT, net TEXT, gross TEXT,
    currency TEXT NOT NULL, likeness TEXT
);
CREATE INDEX booked_key ON booked (key);
CREATE INDEX booked_twin ON booked (customer, day);
CREATE INDEX booked_day ON booked (day);
CREATE TABLE aside (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_COLUMNS = "number, id, day, net, gross, currency, likeness"


@dataclass(frozen=True)
class Shelved:
    """An invoice in the books, as much of it as a comparison of lists needs.

    :param ids: RMA's id of it; none if RMA does not tell.
    :param likeness: its likeness to the document of that number; None if there is no such document.
    """

    number: str
    ids: tuple[str, ...]
    transdate: date | None
    net: Decimal | None
    gross: Decimal | None
    currency: str
    likeness: Similarity | None


class BookedIndex(Scratch):
    """Invoices of the books by number, by date, and by what makes two of them look the same. A context manager."""

    def __init__(self) -> None:
        super().__init__(_TABLES)

    def add(self, booked: Mapping[str, Any], likeness: Similarity | None) -> None:
        """Keep an invoice as read from RMA."""
        number = str(booked.get("invnumber") or "")
        document_id, day = booked.get("id"), booked.get("transdate")
        values = (
            normalize_number(number),
            number,
            None if document_id is None else str(document_id),
            day.isoformat() if day else None,
            booked_customer(booked),
            _text(booked.get("netamount")),
            _text(booked.get("amount")),
            str(booked.get("currency") or "CHF"),
            None if likeness is None else json.dumps(asdict(likeness)),
        )
        self._db.execute("INSERT INTO booked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def set_aside(self, key: str) -> None:
        """Keep the business key of an invoice that is known and not part of the comparison."""
        self._db.execute("INSERT OR IGNORE INTO aside VALUES (?)", (key,))

    def is_aside(self, key: str) -> bool:
        """Whether a business key was set aside."""
        return self._db.execute("SELECT 1 FROM aside WHERE key = ?", (key,)).fetchone() is not None

    def under(self, key: str) -> list[Shelved]:
        """The invoices of a business key."""
        return self._select("key = ?", (key,))

    def keys_of(self, first: date, last: date) -> Iterator[str]:
        """Business keys of the invoices of a period (both days inclusive), by date and number."""
        query = "SELECT key FROM booked WHERE day BETWEEN ? AND ? GROUP BY key ORDER BY min(day), key"
        for (key,) in self._db.execute(query, (first.isoformat(), last.isoformat())):
            yield key

    def twins(self, document: Document) -> list[Shelved]:
        """Invoices of other numbers with the same customer, date, currency and gross total.

        Where the document's gross does not follow from it, the net total counts; where RMA's totals cannot be compared
        (foreign currency), none does.
        """
        day = document.invoice["transdate"].isoformat()
        wanted = "customer = ? AND day = ? AND currency = ? AND key <> ?"
        values = [document.customernumber, day, document.currency, document.key]
        figures = document.figures
        if document.currency == "CHF":
            for name, total in (("gross", figures.gross), ("net", figures.net)):
                if total is not None:
                    return self._select(f"{wanted} AND {name} = ?", (*values, _text(total)))
        return self._select(wanted, tuple(values))

    def _select(self, condition: str, values: tuple[str | None, ...]) -> list[Shelved]:
        query = f"SELECT {_COLUMNS} FROM booked WHERE {condition} ORDER BY rowid"  # noqa: S608 - no values in it
        return [_shelved(row) for row in self._db.execute(query, values)]


def _shelved(row: tuple[Any, ...]) -> Shelved:
    number, document_id, day, net, gross, currency, likeness = row
    return Shelved(
        number,
        () if document_id is None else (document_id,),
        date.fromisoformat(day) if day else None,
        None if net is None else Decimal(net),
        None if gross is None else Decimal(gross),
        currency,
        None if likeness is None else _likeness(json.loads(likeness)),
    )


def _likeness(values: Mapping[str, Any]) -> Similarity:
    differences = tuple(Difference(**difference) for difference in values["differences"])
    return Similarity(differences, tuple(values["unchecked"]))


def _text(amount: Decimal | None) -> str | None:
    """An amount in the one form in which two of them are compared."""
    return None if amount is None else f"{amount + 0:.2f}"
