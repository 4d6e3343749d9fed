"""Reading a stored document: as it was entered, as it was posted, as it stands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.master_data import MasterDataStore
from airflow_provider_rma.simulator.books.posting import Posted, PostingRow
from airflow_provider_rma.simulator.books.reports import decide_status
from airflow_provider_rma.simulator.books.rounding import ZERO
from airflow_provider_rma.simulator.books.storage import Store

#: Header amounts of sales and purchases; general-ledger vouchers have none.
AMOUNTS = ("amount", "netamount", "paid", "fxamount", "fxpaid")

#: Lists that a document of the booking method always has, even if it was entered without.
_BOOKING_LISTS = {"ar": ("incomeentries", "taxentries"), "ap": ("expenseentries", "taxentries")}

#: Columns of table ``document`` that keep their name; the rest of a document is in ``body``.
_COLUMNS = ("id", "module", "number", "transdate", "duedate", "datepaid", "currency")

_POSTINGS = """
    SELECT p.entry_id, a.accno, a.description AS account_description, p.amount, p.transdate, p.source, p.memo,
           p.fx, p.payment_no
    FROM posting p JOIN account a ON a.id = p.account_id WHERE p.document_id = ? ORDER BY p.entry_id"""


class DocumentReader:
    """Reads documents from the books."""

    def __init__(self, store: Store, master_data: MasterDataStore) -> None:
        self._store = store
        self._master_data = master_data

    def row(self, document_id: int) -> sqlite3.Row:
        """The stored header of a document.

        :raises KeyError: if there is none.
        """
        rows = self._store.fetch("SELECT * FROM document WHERE id = ?", (document_id,))
        if not rows:
            raise KeyError(document_id)
        return rows[0]

    @staticmethod
    def as_entered(row: sqlite3.Row) -> dict[str, Any]:
        """The document as it was entered, without its payments; ``invnumber`` (or ``reference``) as it is now."""
        key = "reference" if row["module"] == "gl" else "invnumber"
        return {**json.loads(row["body"]), key: row["number"]}

    def header(self, row: sqlite3.Row, today: str) -> dict[str, Any]:
        """The entered texts and lines, with the computed header over them.

        :param today: the day that decides what is overdue, ISO.
        """
        result = self.as_entered(row)
        result.update({key: row[key] for key in _COLUMNS})
        result["article"] = bool(row["article"])
        result["taxincluded"] = bool(row["taxincluded"])
        result["exchangerate"] = Decimal(row["exchangerate"]) if row["exchangerate"] else None
        department = self._master_data.department(row["department_id"])
        result["department"] = department["name"] if department else None
        if row["module"] != "gl":
            result.update({name: Decimal(row[name]) for name in AMOUNTS})
            result["status"] = decide_status(result["amount"], result["paid"], row["duedate"], today)
        if not row["article"]:
            for name in _BOOKING_LISTS.get(row["module"], ()):
                result[name] = result.get(name) or []
        return result

    def posting_rows(self, document_id: int) -> list[sqlite3.Row]:
        """The rows of a document in entry order, those of 0 included."""
        return self._store.fetch(_POSTINGS, (document_id,))

    def postings(self, document_id: int, department: str | None) -> list[dict[str, Any]]:
        """The rows of a document in entry order as dicts; ``amount`` raw CHF."""
        result = []
        for row in self.posting_rows(document_id):
            posting = dict(row)
            posting["amount"] = Decimal(posting["amount"])
            posting["fx_transaction"] = bool(posting.pop("fx"))
            posting["department"] = department
            result.append(posting)
        return result

    def payments(self, row: sqlite3.Row) -> list[dict[str, Any]]:
        """The payments of a document in the order of their entry, each with a tenant-wide ``id``."""
        rows = self._payment_rows(row["id"])
        return [build_payment(payment, row) for payment in rows]

    def payment_count(self, document_id: int) -> int:
        """Count the payments of a document."""
        rows = self._store.fetch("SELECT COUNT(*) FROM payment WHERE document_id = ?", (document_id,))
        return int(rows[0][0])

    def payment_bodies(self, document_id: int) -> list[dict[str, Any]]:
        """The payments of a document as they were entered."""
        return [json.loads(row["body"]) for row in self._payment_rows(document_id)]

    def _payment_rows(self, document_id: int) -> list[sqlite3.Row]:
        return self._store.fetch("SELECT * FROM payment WHERE document_id = ? ORDER BY payment_no", (document_id,))


def restore_posted(row: sqlite3.Row, entries: Iterable[sqlite3.Row]) -> Posted:
    """Return a stored document the shape it had when it was posted.

    :param row: its header.
    :param entries: its rows, as ``DocumentReader.posting_rows`` returns them.
    """
    return Posted(
        amount=Decimal(row["amount"]),
        netamount=Decimal(row["netamount"]),
        paid=Decimal(row["paid"]),
        fxamount=Decimal(row["fxamount"]),
        fxpaid=Decimal(row["fxpaid"]),
        exchangerate=Decimal(row["exchangerate"] or 1),
        taxincluded=bool(row["taxincluded"]),
        duedate=row["duedate"],
        datepaid=row["datepaid"],
        rows=[
            PostingRow(
                entry["accno"],
                Decimal(entry["amount"]),
                entry["transdate"],
                fx=bool(entry["fx"]),
                payment_no=entry["payment_no"],
            )
            for entry in entries
        ],
    )


def build_payment(row: Any, document: Any) -> dict[str, Any]:
    """Read a stored payment.

    :param row: of table ``payment``.
    :param document: row of table ``document`` that it belongs to.
    """
    given = json.loads(row["body"])
    return {
        "id": row["id"],
        "payment_no": row["payment_no"],
        "document_id": document["id"],
        "invnumber": document["number"],
        "datepaid": given.get("datepaid") or document["transdate"],
        "amount": Decimal(str(given.get("amount") or ZERO)),
        "payment_accno": given.get("payment_accno") or "",
        "source": given.get("source") or "",
        "memo": given.get("memo") or "",
        "currency": document["currency"],
        "exchangerate": Decimal(str(given.get("exchangerate") or document["exchangerate"] or 1)),
        "changed": row["changed"],
    }
