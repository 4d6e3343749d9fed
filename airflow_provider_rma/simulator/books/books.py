"""The books of one tenant: documents go in, a balanced ledger comes out, and all of it survives a restart.

``Books`` is what the HTTP layer and the control endpoint talk to. Documents are plain dicts with neutral
names. It is as lax as the ledger's own modules: closed periods, duplicate numbers and unbalanced vouchers are
posted. The rules of the interface above it are in ``rules``, and the operations of the interface ask them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow_provider_rma.simulator.books import reports
from airflow_provider_rma.simulator.books.days import Day, to_iso, today_in_zurich
from airflow_provider_rma.simulator.books.document_reader import DocumentReader
from airflow_provider_rma.simulator.books.document_writer import DocumentWriter
from airflow_provider_rma.simulator.books.master_data import MasterDataStore
from airflow_provider_rma.simulator.books.master_tables import write_master
from airflow_provider_rma.simulator.books.payment_list import PaymentList
from airflow_provider_rma.simulator.books.reports import BalanceFilter, PostingFilter
from airflow_provider_rma.simulator.books.rounding import ZERO
from airflow_provider_rma.simulator.books.storage import Fetch, Store
from airflow_provider_rma.simulator.books.uploads import UploadStore


class Books(MasterDataStore):
    """One tenant's ledger in one file. Every method may be called from any thread."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._reader = DocumentReader(store, self)
        self._writer = DocumentWriter(store, self, self._reader)
        self.payment_list = PaymentList(store)
        self.uploads = UploadStore(store)

    @classmethod
    def create(cls, path: str | Path, master: Mapping[str, Any], *, bulk: bool = False) -> Books:
        """Open new books.

        :param path: a file that does not exist yet, or ``":memory:"``.
        :param master: master data in the form of ``master.load_master``.
        :param bulk: write without a journal and without waiting for the disk, for a file that is of no use unless
            it gets finished.
        """
        store = Store(str(path), create=True, bulk=bulk)
        with store.write():
            write_master(store, master)
        books = cls(store)
        with store.write():
            for values in master.get("customers") or []:
                books.save_customer(values)
            for values in master.get("vendors") or []:
                books.save_vendor(values)
            for values in master.get("parts") or []:
                books.save_part(values)
        return books

    @classmethod
    def open(cls, path: str | Path) -> Books:
        """Open books that exist.

        :param path: their file.
        :raises FileNotFoundError: if there is none.
        """
        if not Path(path).exists():
            raise FileNotFoundError(path)
        return cls(Store(str(path), create=False))

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    @contextmanager
    def in_one_transaction(self) -> Iterator[None]:
        """Make one transaction of all that is written inside: for filling books quickly."""
        with self._store.write():
            yield

    def set_clock(self, clock: Callable[[], datetime]) -> None:
        """Say what moment it is when a payment is entered; without it, the real one."""
        self._store.clock = clock

    # ------------------------------------------------------------------ writing documents

    def post_invoice(self, document: Mapping[str, Any]) -> int:
        """Post a sale and return its id: article method if it has ``lines``, else booking method.

        :param document: neutral names; amounts as text or Decimal, dates as ISO text or ``date``.
        """
        return self._writer.post("ar", document)

    def post_purchase(self, document: Mapping[str, Any]) -> int:
        """Post a purchase and return its id: article method if it has ``lines``, else booking method."""
        return self._writer.post("ap", document)

    def post_gl(self, document: Mapping[str, Any]) -> int:
        """Post a general-ledger voucher (``lines`` with ``accno``, ``debit`` or ``credit``) and return its id."""
        return self._writer.post("gl", document)

    def resave(self, id: int, document: Mapping[str, Any], *, renew_payments: bool = False) -> None:  # noqa: A002
        """Save a document again: all its rows are deleted and written anew, payments included (D13).

        :param renew_payments: give its payments new ids, so that the payment list shows them as deleted and new.
        """
        self._writer.resave(id, document, renew_payments=renew_payments)

    def delete(self, id: int) -> None:  # noqa: A002
        """Delete a document with its rows and payments; nothing of it stays (D14)."""
        self._writer.delete(id)

    def pay(self, id: int, payment: Mapping[str, Any], route: str = "payment_form") -> dict[str, Any]:  # noqa: A002
        """Enter a payment on a saved document and return it as it was stored.

        :param payment: ``amount`` (document currency), ``datepaid``, ``payment_accno``, ``source``, ``memo``,
            ``exchangerate``; ``form_total`` (CHF) if the form's total exceeds it.
        :param route: ``payment_form`` appends rows; ``save_again`` saves the document again with the payment.
        """
        return self._writer.pay(id, payment, route)

    def year_end(self, closing_date: Day, *, reference: str | None = None, description: str = "Jahresabschluss",
                 equity_accno: str = "2990") -> int:  # fmt: skip
        """Close a fiscal year by an ordinary voucher, and return its id (D28).

        Sweeps every income and expense account since the previous closing, or since the beginning. Closings
        on the same or a later date are deleted first.

        :param closing_date: last day of the year.
        :param reference: the voucher's reference; without it the next number of the counter.
        :param equity_accno: account that takes the result.
        """
        day = to_iso(closing_date) or ""
        with self._store.write() as connection:
            for row in connection.execute("SELECT document_id FROM yearend WHERE transdate >= ?", (day,)).fetchall():
                self._writer.delete(row[0])
            last = connection.execute("SELECT MAX(transdate) FROM yearend").fetchone()[0]
            start = (date.fromisoformat(last) + timedelta(days=1)).isoformat() if last else None
            sums = reports.raw_sums(self._store.fetch, PostingFilter(None, start, day))
            swept = {accno: amount for accno, amount in sums.items() if self._accounts[accno]["category"] in {"I", "E"}}
            number = self._writer.post_year_end(day, swept, equity_accno, reference, description)
            connection.execute("INSERT INTO yearend VALUES (?, ?)", (number, day))
        return number

    def unbalance(self, id: int, amount: str | Decimal = "0.01") -> None:  # noqa: A002
        """Alter the first row of a document by an amount in CHF, as books that are off by a rappen have it."""
        self._writer.unbalance(id, Decimal(amount))

    # ------------------------------------------------------------------ reading documents

    def document(self, id: int, *, today: Day = None) -> dict[str, Any]:  # noqa: A002
        """Return one document: header, amounts, lines as entered, ``postings`` in entry order, ``payments``.

        :param today: the day that decides what is overdue; without it the day in Zurich.
        :raises KeyError: if there is none.
        """
        row = self._reader.row(id)
        result = self._reader.header(row, to_iso(today) or today_in_zurich().isoformat())
        result["postings"] = self._reader.postings(id, result["department"])
        result["payments"] = self._reader.payments(row)
        return result

    def unpaid(self, id: int) -> Decimal:  # noqa: A002
        """Compute the open amount of a sale or purchase in its own currency; negative if over-paid.

        :raises KeyError: if there is none.
        """
        row = self._reader.row(id)
        return Decimal(row["fxamount"]) - Decimal(row["fxpaid"])

    def find_invoices(self, number: str) -> list[int]:
        """Ids of the invoices with exactly this number, oldest first; there may be several."""
        rows = self._store.fetch("SELECT id FROM document WHERE number = ? AND module = 'ar' ORDER BY id", (number,))
        return [row[0] for row in rows]

    def find_documents(self, number: str, module: str) -> list[int]:
        """Ids of the documents of a module (``ar``, ``ap``, ``gl``) with exactly this number, oldest first."""
        rows = self._store.fetch(
            "SELECT id FROM document WHERE number = ? AND module = ? ORDER BY id", (number, module)
        )
        return [row[0] for row in rows]

    def invoices(
        self, *, from_date: Day = None, to_date: Day = None, status: str | None = None,
        customernumber: str | None = None, today: Day,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Yield invoices by date.

        :param from_date: first invoice date, inclusive.
        :param to_date: last invoice date, inclusive.
        :param status: ``OPEN`` (overdue ones included), ``OVERDUE``, ``PAID``, or ``None`` for all.
        :param today: the day that decides what is overdue.
        """
        return self._documents("ar", from_date, to_date, status, customernumber, today)

    def purchases(
        self, *, from_date: Day = None, to_date: Day = None, status: str | None = None,
        vendornumber: str | None = None, today: Day,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Yield purchases by date; parameters as for ``invoices``."""
        return self._documents("ap", from_date, to_date, status, vendornumber, today)

    def _documents(
        self, module: str, from_date: Day, to_date: Day, status: str | None, party: str | None, today: Day
    ) -> Iterator[dict[str, Any]]:
        wanted = {"OPEN", "OVERDUE"} if status == "OPEN" else {status}
        day = to_iso(today) or today_in_zurich().isoformat()
        for row in reports.iterate_documents(self._store.snapshot(), module, to_iso(from_date), to_iso(to_date)):
            if party is not None and row["party"] != party:
                continue
            document = self._reader.header(row, day)
            if status is None or document["status"] in wanted:
                yield document

    def count_documents(self) -> int:
        """Number of documents of all modules."""
        return int(self._store.fetch("SELECT COUNT(*) FROM document")[0][0])

    def count_rows(self) -> int:
        """Number of rows of the ledger, those of 0 included."""
        return reports.count_rows(self._store.fetch)

    def latest_vouchers(self, limit: int) -> list[dict[str, Any]]:
        """The vouchers entered last, newest first, each as ``document`` returns it."""
        rows = self._store.fetch("SELECT id FROM document ORDER BY id DESC LIMIT ?", (limit,))
        return [self.document(row[0]) for row in rows]

    def open_invoices(self, today: Day) -> list[dict[str, Any]]:
        """Invoices that are not paid exactly, by date."""
        return list(self.invoices(status="OPEN", today=today))

    # ------------------------------------------------------------------ reading the ledger

    def _account_ids(self, pattern: str) -> list[int] | None:
        if pattern.lower() == "x":
            return None
        return [account["id"] for accno, account in self._accounts.items() if reports.matches_pattern(pattern, accno)]

    def _filter(self, pattern: str, from_date: Day, to_date: Day) -> PostingFilter:
        return PostingFilter(self._account_ids(pattern), to_iso(from_date), to_iso(to_date))

    def postings(
        self,
        accno_pattern: str = "x",
        from_date: Day = None,
        to_date: Day = None,
        include_openings: bool = False,
        include_closings: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield account transactions by date, reference and description; rows of 0 are left out.

        ``amount`` is raw CHF (debit negative), exchange rows included. Opening and closing balances come first
        and last as rows without voucher (``id`` and ``entry_id`` 0).

        :param accno_pattern: account number, ``x`` for any digit, a lone ``x`` for all accounts.
        :param from_date: first posting date, inclusive.
        :param to_date: last posting date, inclusive.
        :param include_openings: add one row per account with what was posted before ``from_date``.
        :param include_closings: add one row per account with its balance at ``to_date``.
        """
        return self.counted_postings(accno_pattern, from_date, to_date, include_openings, include_closings)[1]

    def count_postings(
        self,
        accno_pattern: str = "x",
        from_date: Day = None,
        to_date: Day = None,
        include_openings: bool = False,
        include_closings: bool = False,
    ) -> int:
        """Count the rows that ``postings`` yields for the same parameters."""
        count, stream = self.counted_postings(accno_pattern, from_date, to_date, include_openings, include_closings)
        stream.close()
        return count

    def counted_postings(
        self,
        accno_pattern: str = "x",
        from_date: Day = None,
        to_date: Day = None,
        include_openings: bool = False,
        include_closings: bool = False,
    ) -> tuple[int, Generator[dict[str, Any]]]:
        """Return the number of rows and the rows, of one and the same state of the books.

        Parameters as for ``postings``. Exhaust or close the iterator: it holds a connection.
        """
        wanted = self._filter(accno_pattern, from_date, to_date)
        stream = self._stream(wanted, include_openings, include_closings)
        count = next(stream)
        return count, stream

    def _stream(self, wanted: PostingFilter, openings: bool, closings: bool) -> Generator[Any]:
        """Yield the count first, then the rows: taking the count starts the read."""
        with self._store.snapshot() as fetch:
            # both before the first row, since books in memory may change while the rows are read
            first = self._opening_rows(fetch, wanted) if openings else []
            last = self._closing_rows(fetch, wanted) if closings else []
            yield reports.count_postings(fetch, wanted) + len(first) + len(last)
            yield from first
            yield from reports.iterate_postings(fetch, wanted, self._departments)
            yield from last

    def _opening_rows(self, fetch: Fetch, wanted: PostingFilter) -> list[dict[str, Any]]:
        if not wanted.from_date:
            return []
        sums = reports.raw_sums(fetch, wanted.before())
        return self._balance_rows(sums, wanted.from_date, reports.OPENING_REFERENCE)

    def _closing_rows(self, fetch: Fetch, wanted: PostingFilter) -> list[dict[str, Any]]:
        sums = reports.raw_sums(fetch, PostingFilter(wanted.account_ids, None, wanted.to_date))
        return self._balance_rows(sums, wanted.to_date or today_in_zurich().isoformat(), reports.CLOSING_REFERENCE)

    def _balance_rows(self, sums: Mapping[str, Decimal], day: str, reference: str) -> list[dict[str, Any]]:
        blank = dict.fromkeys(("source", "memo", "notes", "intnotes"), "")
        return [
            {
                "entry_id": 0, "id": 0, "accno": accno, "account_description": self._accounts[accno]["description"],
                "transdate": day, "reference": reference, "description": reference, "amount": amount, "module": "gl",
                "fx_transaction": False, "department": None, **blank,
            }
            for accno, amount in sums.items() if amount
        ]  # fmt: skip

    def balances(
        self, accno_pattern: str = "x", from_date: Day = None, to_date: Day = None, department: str | None = None,
        exclude_yearend: bool = False, include_openings: bool = True, project: str | None = None,
        main_currency: bool = True,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Balances by account number: ``accno``, ``description``, ``amount`` (Decimal, natural sign).

        Only accounts moved in the period are listed (D26).

        :param from_date: first date, inclusive; without it everything up to ``to_date``.
        :param to_date: last date, inclusive.
        :param department: name of a department; limits to its documents.
        :param exclude_yearend: leave out year-end closing vouchers.
        :param include_openings: add what was posted before ``from_date``, income and expense accounts too.
        :param project: number of a project.
        :param main_currency: in CHF; otherwise without the exchange rows.
        """
        found = self.find_department(department) if department else None
        balance_filter = BalanceFilter(
            department_id=(found["id"] if found else 0) if department else None,
            project=project,
            exclude_yearend=exclude_yearend,
            exclude_fx=not main_currency,
        )
        wanted = self._filter(accno_pattern, from_date, to_date)
        with self._store.view() as fetch:
            sums = reports.raw_sums(fetch, wanted, balance_filter)
            if include_openings and wanted.from_date:
                openings = reports.raw_sums(fetch, wanted.before(), balance_filter)
                sums = {accno: amount + openings.get(accno, ZERO) for accno, amount in sums.items()}
        return [
            {
                "accno": accno,
                "description": self._accounts[accno]["description"],
                "amount": reports.apply_natural_sign(amount, self._accounts[accno]),
            }
            for accno, amount in sums.items()
        ]
