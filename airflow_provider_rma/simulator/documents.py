"""Writing documents into the books, and reading them back as they were entered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.simulator.articles import post_articles
from airflow_provider_rma.simulator.payments import add_payments, form_payment, settle_form, surplus_rows
from airflow_provider_rma.simulator.posting import ArticleTerms, Posted, Row, Terms, post_booking
from airflow_provider_rma.simulator.refusal import Refused
from airflow_provider_rma.simulator.reports import status_of
from airflow_provider_rma.simulator.rounding import ZERO, number, rounded, stored
from airflow_provider_rma.simulator.storage import Store, units
from airflow_provider_rma.simulator.vouchers import post_gl, year_end_rows

if TYPE_CHECKING:
    from airflow_provider_rma.simulator.books import Books

_COUNTERS = {"ar": "customer_invoice", "ap": "vendor_invoice", "gl": "general_ledger"}
_PARTY_KEYS = {"ar": "customernumber", "ap": "vendornumber", "gl": ""}
_ARAP_KEYS = {"ar": "ar_accno", "ap": "ap_accno", "gl": ""}
_DATES = ("transdate", "duedate", "datepaid")
_AMOUNTS = ("amount", "netamount", "paid", "fxamount", "fxpaid")

#: What a row of table ``document`` gives under the same name; the rest of a document lies in ``body``.
_HEADER = ("id", "module", "transdate", "duedate", "datepaid", "currency")


def iso_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give a document (or payment) with all its dates as ISO text of the calendar day."""
    result = dict(document)
    for key in _DATES:
        value = result.get(key)
        if isinstance(value, date):
            result[key] = value.isoformat()[:10]
        elif value:
            result[key] = str(value)[:10]
    if result.get("payments"):
        result["payments"] = [iso_document(payment) for payment in result["payments"]]
    return result


class DocumentWriter:
    """Posts, re-saves, pays and deletes documents; one transaction each."""

    def __init__(self, store: Store, books: Books) -> None:
        self._store = store
        self._books = books

    # ------------------------------------------------------------------ writing

    def post(self, module: str, document: Mapping[str, Any]) -> int:
        """Post a new document of a module (``ar``, ``ap``, ``gl``) and give its id."""
        with self._store.write():
            return self._write(self._store.next_id(), module, iso_document(document))

    def resave(self, document_id: int, document: Mapping[str, Any]) -> None:
        """Replace a document by another state of it, under the same id and with new rows."""
        with self._store.write() as connection:
            module = self._row(document_id)["module"]
            payment_ids = [row[0] for row in connection.execute(
                "SELECT id FROM payment WHERE document_id = ? ORDER BY payment_no", (document_id,))]  # fmt: skip
            self._remove(document_id)
            self._write(document_id, module, iso_document(document), payment_ids)

    def delete(self, document_id: int) -> None:
        """Delete a document with everything that belongs to it."""
        with self._store.write() as connection:
            self._row(document_id)
            self._remove(document_id)
            connection.execute("DELETE FROM yearend WHERE document_id = ?", (document_id,))

    def post_year_end(
        self, day: str, sums: Mapping[str, Decimal], equity_accno: str, reference: str | None, description: str
    ) -> int:
        """Post the closing voucher of a year and give its id; the caller lists it in table ``yearend``."""
        if self._books.account(equity_accno) is None:
            raise Refused(f"Das Konto '{equity_accno}' ist nicht vorhanden.", "equity_accno")
        with self._store.write():
            number_text = reference or self._next_number("gl")
            rows = year_end_rows(sums.items(), day, equity_accno, number_text)
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
        given = iso_document(payment)
        with self._store.write():
            row = self._row(document_id)
            if row["module"] == "gl":
                raise Refused("Eine Buchung im Hauptbuch kann nicht bezahlt werden.", "id")
            if route == "save_again":
                document = self._entered(row)
                document["payments"] = [*self._payment_bodies(document_id), given]
                self.resave(document_id, document)
            else:
                self._pay_by_form(row, given)
            return self.payments_of(document_id)[-1]

    def _pay_by_form(self, row: sqlite3.Row, given: dict[str, Any]) -> None:
        document_id, module = row["id"], row["module"]
        document = self._entered(row)
        terms = self._terms(module, document)
        payment_no = len(self._payment_bodies(document_id)) + 1
        entries = self._store.fetch(
            "SELECT p.*, a.accno FROM posting p JOIN account a ON a.id = p.account_id WHERE document_id = ? "
            "ORDER BY entry_id",
            (document_id,),
        )
        posted = _posted(row, entries)
        new_rows = form_payment(posted, document, given, payment_no, terms)
        self._insert_rows(document_id, new_rows)
        self._insert_payment(document_id, payment_no, given, None)
        if terms.is_foreign(document) and posted.fxpaid == posted.fxamount:
            ids = [entry["entry_id"] for entry in entries]
            ids += range(self._last_entry_id() - len(new_rows) + 1, self._last_entry_id() + 1)
            posted.rows += new_rows
            several = bool(row["article"]) and len(document["lines"]) > 1
            settlement = settle_form(posted, terms, first_row_rewritten=several)
            for index, amount in settlement.changed.items():
                self._change(ids[index], amount)
            self._insert_rows(document_id, settlement.added)
        self._store.connection.execute(
            "UPDATE document SET paid = ?, fxpaid = ?, datepaid = ? WHERE id = ?",
            (str(posted.paid), str(posted.fxpaid), posted.datepaid, document_id),
        )
        surplus = number(given.get("form_total")) - number(given.get("amount")) if given.get("form_total") else 0.0
        if rounded(surplus) > 0:
            self._write_surplus(module, document, given, terms, surplus)

    def _write_surplus(
        self, module: str, paid_document: Mapping[str, Any], given: Mapping[str, Any], terms: Terms, surplus: float
    ) -> None:
        """Write what the form's total exceeds its invoices by as a document of its own, amount 0 (D8)."""
        day = given["datepaid"]
        rows = surplus_rows(surplus, day, str(given.get("payment_accno") or terms.payment_accno), terms)
        posted = Posted(paid=stored(rounded(surplus)), duedate=day, datepaid=day, rows=rows)
        key = _PARTY_KEYS[module]
        document = {key: paid_document[key], "transdate": day, "currency": terms.default_currency}
        self._insert(self._store.next_id(), module, self._next_number(module), document, posted, article=False)

    def _write(
        self, document_id: int, module: str, document: dict[str, Any], payment_ids: Sequence[int] = ()
    ) -> int:
        key = "reference" if module == "gl" else "invnumber"
        number_text = str(document.get(key) or "") or self._next_number(module)
        article = module != "gl" and "lines" in document
        payments = document.pop("payments", None) or []
        terms = self._terms(module, document)
        if module == "gl":
            posted = Posted(rows=post_gl(document, terms), exchangerate=stored(terms.rate_of(document)))
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
        """Fill a line from its article: text, unit, price and account, each only if the line is silent."""
        line = dict(given)
        part = self._books.part(str(line.get("partnumber") or ""))
        if part is None:
            raise Refused(f"Der Artikel '{line.get('partnumber') or ''}' ist nicht vorhanden.", "partnumber")
        price, accno = ("sellprice", "income_accno") if module == "ar" else ("lastcost", "expense_accno")
        for key, source in (("description", "description"), ("unit", "unit"), ("sellprice", price)):
            if line.get(key) is None:
                line[key] = part[source]
        if str(line.get(accno) or "0") == "0":
            line[accno] = part[accno]
        line["tax_accnos"] = self._books.line_tax_accnos(line, part)
        return line

    def _line_terms(self, module: str, document: Mapping[str, Any], terms: Terms) -> list[ArticleTerms]:
        key = "income_accno" if module == "ar" else "expense_accno"
        rate = {accno: float(self._books.tax_rate(accno, document["transdate"])) for accno in terms.tax_accnos}
        return [
            ArticleTerms(
                str(line[key]), {accno: rate[accno] for accno in terms.tax_accnos if accno in line["tax_accnos"]}
            )
            for line in document["lines"]
        ]

    def _terms(self, module: str, document: Mapping[str, Any]) -> Terms:
        tenant = self._books.tenant
        party: Mapping[str, Any] = {"arap_accno": "", "payment_accno": "", "tax_accnos": []}
        if module != "gl":
            kind = "customer" if module == "ar" else "vendor"
            key = str(document.get(f"{kind}number") or "")
            found = self._books.customer(key) if module == "ar" else self._books.vendor(key)
            if found is None:
                name = "Kunde" if module == "ar" else "Lieferant"
                raise Refused(f"Der {name} mit der Nummer '{key}' ist nicht vorhanden.", f"{kind}number")
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
        counters = self._books.tenant["number_counters"]
        name = _COUNTERS[module]
        counters[name] = str(int(counters[name]) + 1)
        self._books.save_tenant()
        return str(counters[name])

    # ------------------------------------------------------------------ rows of the tables

    def _row(self, document_id: int) -> sqlite3.Row:
        rows = self._store.fetch("SELECT * FROM document WHERE id = ?", (document_id,))
        if not rows:
            raise KeyError(document_id)
        return rows[0]

    def _remove(self, document_id: int) -> None:
        for table, key in (("posting", "document_id"), ("payment", "document_id"), ("document", "id")):
            self._store.connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (document_id,))  # noqa: S608

    def _insert(
        self, document_id: int, module: str, number_text: str, document: Mapping[str, Any], posted: Posted, *,
        article: bool,
    ) -> None:  # fmt: skip
        department = self._books.find_department(str(document.get("department") or ""))
        amounts = [str(getattr(posted, name)) if module != "gl" else None for name in _AMOUNTS]
        self._store.connection.execute(
            "INSERT INTO document (id, module, number, article, party, transdate, duedate, datepaid, description,"
            " currency, exchangerate, taxincluded, amount, netamount, paid, fxamount, fxpaid, department_id,"
            " arap_accno, notes, intnotes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                document.get("currency") or self._books.tenant["default_currency"],
                str(posted.exchangerate),
                posted.taxincluded,
                *amounts,
                department["id"] if department else None,
                document.get(_ARAP_KEYS[module]),
                document.get("notes"),
                document.get("intnotes"),
                json.dumps(document, ensure_ascii=False, default=str),
            ),
        )
        self._insert_rows(document_id, posted.rows)

    def _insert_rows(self, document_id: int, rows: Iterable[Row]) -> None:
        self._store.connection.executemany(
            "INSERT INTO posting (document_id, account_id, amount, units, transdate, source, memo, fx, payment_no,"
            " project_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (document_id, self._account_id(row.accno), str(row.amount), units(row.amount), row.transdate,
                 row.source, row.memo, row.fx, row.payment_no, self._project_id(row.project))
                for row in rows
            ],
        )  # fmt: skip

    def _account_id(self, accno: str) -> int:
        account = self._books.account(accno)
        if account is None or account["charttype"] != "A":
            raise Refused(f"Das Konto '{accno}' ist nicht vorhanden.", "accno")
        return int(account["id"])

    def _project_id(self, project: str | None) -> int | None:
        if not project:
            return None
        rows = self._store.fetch("SELECT id FROM project WHERE number = ?", (project,))
        return rows[0][0] if rows else None

    def _last_entry_id(self) -> int:
        return int(self._store.fetch("SELECT MAX(entry_id) FROM posting")[0][0])

    def _change(self, entry_id: int, amount: Decimal) -> None:
        self._store.connection.execute(
            "UPDATE posting SET amount = ?, units = ? WHERE entry_id = ?", (str(amount), units(amount), entry_id)
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
                json.dumps(given, ensure_ascii=False, default=str),
                datetime.now(UTC).isoformat(timespec="milliseconds"),
            ),
        )

    # ------------------------------------------------------------------ reading

    @staticmethod
    def _entered(row: sqlite3.Row) -> dict[str, Any]:
        """The document as it was entered, without its payments."""
        key = "reference" if row["module"] == "gl" else "invnumber"
        return {**json.loads(row["body"]), key: row["number"]}

    def _payment_bodies(self, document_id: int) -> list[dict[str, Any]]:
        rows = self._store.fetch("SELECT body FROM payment WHERE document_id = ? ORDER BY payment_no", (document_id,))
        return [json.loads(row[0]) for row in rows]

    def header_dict(self, row: sqlite3.Row, today: str) -> dict[str, Any]:
        """Give a stored document: the entered texts and lines, and the computed header over them."""
        result = self._entered(row)
        result.update({key: row[key] for key in _HEADER})
        result["number"] = row["number"]
        result["article"] = bool(row["article"])
        result["taxincluded"] = bool(row["taxincluded"])
        result["exchangerate"] = Decimal(row["exchangerate"]) if row["exchangerate"] else None
        department = {d["id"]: d["name"] for d in self._books.departments()}.get(row["department_id"])
        result["department"] = department
        if row["module"] != "gl":
            result.update({name: Decimal(row[name]) for name in _AMOUNTS})
            result["status"] = status_of(result["amount"], result["paid"], row["duedate"], today)
        return result

    def postings_of(self, document_id: int) -> list[dict[str, Any]]:
        """The rows of a document in entry order, those of 0 included."""
        rows = self._store.fetch(
            "SELECT p.entry_id, a.accno, a.description AS account_description, p.amount, p.transdate, p.source,"
            " p.memo, p.fx, p.payment_no, d.department_id FROM posting p JOIN account a ON a.id = p.account_id"
            " JOIN document d ON d.id = p.document_id WHERE p.document_id = ? ORDER BY p.entry_id",
            (document_id,),
        )
        names = {department["id"]: department["name"] for department in self._books.departments()}
        result = []
        for row in rows:
            posting = dict(row)
            posting["amount"] = Decimal(posting["amount"])
            posting["fx_transaction"] = bool(posting.pop("fx"))
            posting["department"] = names.get(posting.pop("department_id"))
            result.append(posting)
        return result

    def payments_of(self, document_id: int) -> list[dict[str, Any]]:
        """The payments of a document in the order of their entry, each with a tenant-wide ``id``."""
        document = self._row(document_id)
        rows = self._store.fetch("SELECT * FROM payment WHERE document_id = ? ORDER BY payment_no", (document_id,))
        return [_payment_dict(row, document) for row in rows]


def _posted(row: sqlite3.Row, entries: Iterable[sqlite3.Row]) -> Posted:
    """Give a stored document the shape it had when it was posted."""
    return Posted(
        **{name: Decimal(row[name]) for name in _AMOUNTS},
        exchangerate=Decimal(row["exchangerate"] or 1),
        taxincluded=bool(row["taxincluded"]),
        duedate=row["duedate"],
        datepaid=row["datepaid"],
        rows=[
            Row(entry["accno"], Decimal(entry["amount"]), entry["transdate"], fx=bool(entry["fx"]),
                payment_no=entry["payment_no"])
            for entry in entries
        ],
    )  # fmt: skip


def _payment_dict(row: sqlite3.Row, document: sqlite3.Row) -> dict[str, Any]:
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
