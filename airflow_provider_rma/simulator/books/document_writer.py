"""Writing documents into the books: post, save again, pay, delete, each in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.articles import post_articles
from airflow_provider_rma.simulator.books.days import to_iso_document
from airflow_provider_rma.simulator.books.document_reader import AMOUNTS, DocumentReader, restore_posted
from airflow_provider_rma.simulator.books.master_data import MasterDataStore
from airflow_provider_rma.simulator.books.master_tables import read_accnos
from airflow_provider_rma.simulator.books.payments import (
    add_payments,
    build_surplus_rows,
    pay_by_form,
    settle_paid_form,
)
from airflow_provider_rma.simulator.books.posting import ArticleTerms, Posted, PostingRow, Terms, post_booking
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.rounding import round_half_up, to_float, to_stored
from airflow_provider_rma.simulator.books.storage import Store, to_units
from airflow_provider_rma.simulator.books.vouchers import build_year_end_rows, post_gl

_COUNTERS = {"ar": "customer_invoice", "ap": "vendor_invoice", "gl": "general_ledger"}
_PARTY_KEYS = {"ar": "customernumber", "ap": "vendornumber", "gl": ""}
#: What a line takes from its article where it is silent, by name in the line and in the article.
_LINE_DEFAULTS = (("description", "description"), ("unit", "unit"), ("price_update", "price_update"))
_ARAP_KEYS = {"ar": "ar_accno", "ap": "ap_accno", "gl": ""}

_INSERT_DOCUMENT = """
    INSERT INTO document (id, module, number, article, party, transdate, duedate, datepaid, description, currency,
        exchangerate, taxincluded, amount, netamount, paid, fxamount, fxpaid, department_id, arap_accno, notes,
        intnotes, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_INSERT_POSTING = """
    INSERT INTO posting (document_id, account_id, amount, units, transdate, source, memo, fx, payment_no, project_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_as_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


class DocumentWriter:
    """Posts, re-saves, pays and deletes documents; one transaction each."""

    def __init__(self, store: Store, master_data: MasterDataStore, reader: DocumentReader) -> None:
        self._store = store
        self._master_data = master_data
        self._reader = reader

    # ------------------------------------------------------------------ writing

    def post(self, module: str, document: Mapping[str, Any]) -> int:
        """Post a new document of a module (``ar``, ``ap``, ``gl``) and return its id."""
        with self._store.write():
            return self._write(self._store.next_id(), module, to_iso_document(document))

    def resave(self, document_id: int, document: Mapping[str, Any], *, renew_payments: bool = False) -> None:
        """Replace a document by another state of it, under the same id and with new rows."""
        with self._store.write() as connection:
            module = self._reader.row(document_id)["module"]
            payment_ids = [row[0] for row in connection.execute(
                "SELECT id FROM payment WHERE document_id = ? ORDER BY payment_no", (document_id,))]  # fmt: skip
            self._remove(document_id)
            self._write(document_id, module, to_iso_document(document), [] if renew_payments else payment_ids)

    def delete(self, document_id: int) -> None:
        """Delete a document with everything that belongs to it."""
        with self._store.write() as connection:
            self._reader.row(document_id)
            self._remove(document_id)
            connection.execute("DELETE FROM yearend WHERE document_id = ?", (document_id,))

    def post_year_end(
        self, day: str, sums: Mapping[str, Decimal], equity_accno: str, reference: str | None, description: str
    ) -> int:
        """Post the closing voucher of a year and return its id; the caller lists it in table ``yearend``."""
        if self._master_data.account(equity_accno) is None:
            raise RefusalError(f"Das Konto '{equity_accno}' ist nicht vorhanden.", "equity_accno")
        with self._store.write():
            number_text = reference or self._next_number("gl")
            rows = build_year_end_rows(sums.items(), day, equity_accno, number_text)
            document = {"reference": number_text, "transdate": day, "description": description}
            document_id = self._store.next_id()
            self._insert(document_id, "gl", number_text, document, Posted(rows=rows), article=False)
            return document_id

    def unbalance(self, document_id: int, amount: Decimal) -> None:
        """Change the first row's amount, under the same entry id."""
        with self._store.write() as connection:
            first = connection.execute(
                "SELECT entry_id, amount FROM posting WHERE document_id = ? ORDER BY entry_id LIMIT 1", (document_id,)
            ).fetchone()
            if first is None:
                raise KeyError(document_id)
            self._change(first["entry_id"], Decimal(first["amount"]) + amount)

    def pay(self, document_id: int, payment: Mapping[str, Any], route: str) -> dict[str, Any]:
        """Enter one payment on a saved document, by either way of the ledger."""
        given = to_iso_document(payment)
        with self._store.write():
            row = self._reader.row(document_id)
            if row["module"] == "gl":
                raise RefusalError("Eine Buchung im Hauptbuch kann nicht bezahlt werden.", "id")
            if route == "save_again":
                document = self._reader.as_entered(row)
                document["payments"] = [*self._reader.payment_bodies(document_id), given]
                self.resave(document_id, document)
            else:
                self._pay_by_form(row, given)
            return self._reader.payments(row)[-1]

    def _pay_by_form(self, row: sqlite3.Row, given: dict[str, Any]) -> None:
        document_id, module = row["id"], row["module"]
        document = self._reader.as_entered(row)
        terms = self._terms(module, document)
        payment_no = self._reader.payment_count(document_id) + 1
        # only the settlement of a foreign currency looks at what was posted before
        entries = self._reader.posting_rows(document_id) if terms.is_foreign(document) else []
        posted = restore_posted(row, entries)
        new_rows = pay_by_form(posted, document, given, payment_no, terms)
        self._insert_rows(document_id, new_rows)
        self._insert_payment(document_id, payment_no, given, None)
        if terms.is_foreign(document) and posted.fxpaid == to_stored(round_half_up(float(posted.fxamount))):
            ids = [entry["entry_id"] for entry in entries]
            ids += range(self._last_entry_id() - len(new_rows) + 1, self._last_entry_id() + 1)
            posted.rows += new_rows
            several = bool(row["article"]) and len(document["lines"]) > 1
            settlement = settle_paid_form(posted, terms, first_row_rewritten=several)
            for index, amount in settlement.changed.items():
                self._change(ids[index], amount)
            self._insert_rows(document_id, settlement.added)
        self._store.connection.execute(
            "UPDATE document SET paid = ?, fxpaid = ?, datepaid = ? WHERE id = ?",
            (str(posted.paid), str(posted.fxpaid), posted.datepaid, document_id),
        )
        surplus = to_float(given.get("form_total")) - to_float(given.get("amount")) if given.get("form_total") else 0.0
        if round_half_up(surplus) > 0:
            self._write_surplus(module, document, given, terms, surplus)

    def _write_surplus(
        self, module: str, paid_document: Mapping[str, Any], given: Mapping[str, Any], terms: Terms, surplus: float
    ) -> None:
        """Write what the form's total exceeds its invoices by as a document of its own, amount 0 (D8)."""
        day = given["datepaid"]
        rows = build_surplus_rows(surplus, day, str(given.get("payment_accno") or terms.payment_accno), terms)
        posted = Posted(paid=to_stored(round_half_up(surplus)), duedate=day, datepaid=day, rows=rows)
        key = _PARTY_KEYS[module]
        document = {key: paid_document[key], "transdate": day, "currency": terms.default_currency}
        self._insert(self._store.next_id(), module, self._next_number(module), document, posted, article=False)

    def _write(self, document_id: int, module: str, document: dict[str, Any], payment_ids: Sequence[int] = ()) -> int:
        key = "reference" if module == "gl" else "invnumber"
        number_text = str(document.get(key) or "") or self._next_number(module)
        article = module != "gl" and "lines" in document
        payments = document.pop("payments", None) or []
        terms = self._terms(module, document)
        if module == "gl":
            posted = Posted(rows=post_gl(document, terms), exchangerate=to_stored(terms.exchange_rate(document)))
        elif article:
            document["lines"] = [self._complete_line(module, line) for line in document["lines"]]
            posted = post_articles(document, self._line_terms(module, document, terms), terms)
        else:
            posted = post_booking(document, terms)
        if module != "gl":
            add_payments(posted, document, payments, terms, article=article)
            document.setdefault(_ARAP_KEYS[module], terms.arap_accno)
        self._insert(document_id, module, number_text, document, posted, article=article)
        for payment_no, given in enumerate(payments, start=1):
            known = payment_ids[payment_no - 1] if payment_no <= len(payment_ids) else None
            self._insert_payment(document_id, payment_no, given, known)
        return document_id

    def _complete_line(self, module: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Fill a line from its article: text, unit, price, its day and account, each only if the line is silent."""
        line = dict(given)
        part = self._master_data.part(str(line.get("partnumber") or ""))
        if part is None:
            raise RefusalError(f"Der Artikel '{line.get('partnumber') or ''}' ist nicht vorhanden.", "partnumber")
        price, accno = ("sellprice", "income_accno") if module == "ar" else ("lastcost", "expense_accno")
        for key, source in (*_LINE_DEFAULTS, ("sellprice", price)):
            if line.get(key) is None:
                line[key] = part[source]
        if str(line.get(accno) or "0") == "0":
            line[accno] = part[accno]
        line["tax_accnos"] = read_accnos(line.get("tax_accnos")) or list(part["tax_accnos"])
        return line

    def _line_terms(self, module: str, document: Mapping[str, Any], terms: Terms) -> list[ArticleTerms]:
        key = "income_accno" if module == "ar" else "expense_accno"
        rate = {accno: float(self._master_data.tax_rate(accno, document["transdate"])) for accno in terms.tax_accnos}
        return [
            ArticleTerms(
                str(line[key]), {accno: rate[accno] for accno in terms.tax_accnos if accno in line["tax_accnos"]}
            )
            for line in document["lines"]
        ]

    def _terms(self, module: str, document: Mapping[str, Any]) -> Terms:
        tenant = self._master_data.tenant
        party: Mapping[str, Any] = {"arap_accno": "", "payment_accno": "", "tax_accnos": []}
        if module != "gl":
            kind = "customer" if module == "ar" else "vendor"
            key = str(document.get(f"{kind}number") or "")
            found = self._master_data.customer(key) if module == "ar" else self._master_data.vendor(key)
            if found is None:
                name = "Kunde" if module == "ar" else "Lieferant"
                raise RefusalError(f"Der {name} mit der Nummer '{key}' ist nicht vorhanden.", f"{kind}number")
            party = found
        return Terms(
            side=-1 if module == "ap" else 1,
            arap_accno=str(document.get(_ARAP_KEYS[module]) or party["arap_accno"]),
            payment_accno=str(document.get("payment_accno") or party["payment_accno"]),
            tax_accnos=party["tax_accnos"],
            default_currency=tenant["default_currency"],
            gain_accno=tenant["fxgain_accno"],
            loss_accno=tenant["fxloss_accno"],
        )

    def _next_number(self, module: str) -> str:
        return self._master_data.next_number(_COUNTERS[module])

    # ------------------------------------------------------------------ rows of the tables

    def _remove(self, document_id: int) -> None:
        for table, key in (("posting", "document_id"), ("payment", "document_id"), ("document", "id")):
            self._store.connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (document_id,))  # noqa: S608

    def _insert(
        self, document_id: int, module: str, number_text: str, document: Mapping[str, Any], posted: Posted, *,
        article: bool,
    ) -> None:  # fmt: skip
        department = self._master_data.find_department(str(document.get("department") or ""))
        amounts = [str(getattr(posted, name)) if module != "gl" else None for name in AMOUNTS]
        self._store.connection.execute(
            _INSERT_DOCUMENT,
            (
                document_id,
                module,
                number_text,
                article,
                document.get(_PARTY_KEYS[module]),
                document["transdate"],
                posted.duedate,
                posted.datepaid,
                document.get("description"),
                document.get("currency") or self._master_data.tenant["default_currency"],
                str(posted.exchangerate),
                posted.taxincluded,
                *amounts,
                department["id"] if department else None,
                document.get(_ARAP_KEYS[module]),
                document.get("notes"),
                document.get("intnotes"),
                _as_json(document),
            ),
        )
        self._insert_rows(document_id, posted.rows)

    def _insert_rows(self, document_id: int, rows: Iterable[PostingRow]) -> None:
        self._store.connection.executemany(
            _INSERT_POSTING,
            [
                (document_id, self._account_id(row.accno), str(row.amount), to_units(row.amount), row.transdate,
                 row.source, row.memo, row.fx, row.payment_no, self._master_data.project_id(row.project))
                for row in rows
            ],
        )  # fmt: skip

    def _account_id(self, accno: str) -> int:
        account = self._master_data.account(accno)
        if account is None or account["charttype"] != "A":
            raise RefusalError(f"Das Konto '{accno}' ist nicht vorhanden.", "accno")
        return int(account["id"])

    def _last_entry_id(self) -> int:
        return int(self._store.fetch("SELECT MAX(entry_id) FROM posting")[0][0])

    def _change(self, entry_id: int, amount: Decimal) -> None:
        self._store.connection.execute(
            "UPDATE posting SET amount = ?, units = ? WHERE entry_id = ?", (str(amount), to_units(amount), entry_id)
        )

    def _insert_payment(
        self, document_id: int, payment_no: int, given: Mapping[str, Any], payment_id: int | None
    ) -> None:
        self._store.connection.execute(
            "INSERT INTO payment VALUES (?, ?, ?, ?, ?)",
            (
                payment_id or self._store.next_id(),
                document_id,
                payment_no,
                _as_json(given),
                self._store.clock().isoformat(timespec="milliseconds"),
            ),
        )
