"""The payment list: payments of invoices with a flag, as each token has seen them.

A token remembers the content of each payment that it was shown, and up to which content it was marked as processed. A
change after the mark brings the payment back (a reading: the documentation is silent).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from airflow_provider_rma.simulator.books.document_reader import build_payment
from airflow_provider_rma.simulator.books.storage import Store

_PAYMENTS = """
    SELECT p.*, d.number, d.transdate, d.currency, d.exchangerate
    FROM payment p JOIN document d ON d.id = p.document_id WHERE d.module = 'ar' ORDER BY p.id"""
_SAVE = """
    INSERT INTO payment_state VALUES (?, ?, ?, NULL)
    ON CONFLICT DO UPDATE SET content = excluded.content"""

#: Stands for the content of a payment whose deletion was processed.
_GONE = "deleted"

_MEMBERS = (
    "invnumber", "datepaid", "amount", "payment_accno", "source", "memo", "currency", "exchangerate",
)  # fmt: skip


class PaymentList:
    """Reads the payment list and keeps its marks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, token: str, since: datetime | None) -> list[dict[str, Any]]:
        """List the payments that a token has not marked as processed, and remember that it was shown them.

        :param token: names the key.
        :param since: only payments entered from this instant on; deleted ones are listed whenever they were entered.
        :returns: payments as ``Books.document`` returns them, with ``flag``.
        """
        with self._store.write() as connection:
            known = {row["payment_id"]: row for row in self._states(token)}
            found = list(self._flag_payments(known, since))
            connection.executemany(
                _SAVE, [(token, payment["id"], _content(payment)) for payment in found if payment["flag"] != "EVEN"]
            )
        return found

    def mark(self, token: str, ids: Iterable[int]) -> None:
        """Mark payments as processed by a token, with the content that it was shown; unknown ids are ignored."""
        with self._store.write() as connection:
            current = {payment["id"]: _content(payment) for payment in self._payments()}
            known = {row["payment_id"]: row["content"] for row in self._states(token)}
            for number in ids:
                content = known.get(number, current.get(number))
                if content is not None:
                    processed = content if number in current else _GONE
                    connection.execute(_SAVE, (token, number, content))
                    connection.execute(
                        "UPDATE payment_state SET processed = ? WHERE token = ? AND payment_id = ?",
                        (processed, token, number),
                    )

    def _flag_payments(self, known: dict[int, sqlite3.Row], since: datetime | None) -> Iterator[dict[str, Any]]:
        for payment in self._payments():
            state, content = known.pop(payment["id"], None), _content(payment)
            if state is not None and state["processed"] == content:
                continue
            if since is not None and datetime.fromisoformat(payment["changed"]) < since:
                continue
            payment["flag"] = "NEW" if state is None else "EVEN" if state["content"] == content else "MUTATED"
            yield payment
        for number, state in known.items():
            if state["processed"] != _GONE:
                yield {"id": number, **json.loads(state["content"]), "flag": "DELETED"}

    def _payments(self) -> Iterator[dict[str, Any]]:
        for row in self._store.fetch(_PAYMENTS):
            yield build_payment(row, {**dict(row), "id": row["document_id"]})

    def _states(self, token: str) -> list[sqlite3.Row]:
        return self._store.fetch("SELECT * FROM payment_state WHERE token = ? ORDER BY payment_id", (token,))


def _content(payment: dict[str, Any]) -> str:
    return json.dumps({name: str(payment[name]) for name in _MEMBERS}, ensure_ascii=False)
