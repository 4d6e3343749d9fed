"""A company whose books a test keeps as an accountant would, and a look into them past the interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.simulator.books.books import Books
from tests.support.simulator import SimulatorProcess

#: What is compared of a posting: everything but texts that only the wire has.
Row = tuple[Any, ...]
_SCALE = Decimal("1e-8")


class Company:
    """The books behind a running simulator."""

    def __init__(self, simulator: SimulatorProcess) -> None:
        self.simulator = simulator

    def post(self, path: str, document: dict[str, Any]) -> int:
        """Post a document through the control endpoint; gives its id."""
        return int(self.simulator.control("POST", path, document)["id"])

    def sale(self, number: str, day: str, net: str = "100", tax: str = "8.10", **fields: Any) -> int:
        """An invoice of the booking method."""
        document = {
            "invnumber": number,
            "customernumber": "K-001",
            "transdate": day,
            "incomeentries": [{"amount": net, "income_accno": "3400", "description": "Text der Zeile"}],
            "taxentries": [{"amount": tax, "tax_accno": "2201"}] if Decimal(tax) else [],
        }
        return self.post("/invoices", document | fields)

    def articles(self, number: str, day: str, **fields: Any) -> int:
        """An invoice of the article method, with both VAT rates."""
        lines = [
            {"partnumber": "HB-100", "quantity": "3", "sellprice": "84.50", "discount_percent": "5"},
            {"partnumber": "LM-200", "quantity": "0.75", "sellprice": "26.80"},
        ]
        document = {"invnumber": number, "customernumber": "K-001", "transdate": day, "lines": lines}
        return self.post("/invoices", document | fields)

    def voucher(self, reference: str, day: str, debit: str, credit: str, amount: str, **fields: Any) -> int:
        """A general-ledger voucher of two lines."""
        lines = [{"accno": debit, "debit": amount}, {"accno": credit, "credit": amount}]
        return self.post("/gl", {"reference": reference, "transdate": day, "lines": lines} | fields)

    def pay(self, document: int, day: str, amount: str, **fields: Any) -> None:
        """A payment on a document."""
        payment = {"amount": amount, "datepaid": day, "payment_accno": "1030"} | fields
        self.simulator.control("POST", f"/documents/{document}/payments", payment)

    def resave(self, document: int, content: dict[str, Any]) -> None:
        self.simulator.control("PUT", f"/documents/{document}", content)

    def delete(self, document: int) -> None:
        self.simulator.control("DELETE", f"/documents/{document}")

    def document(self, document: int) -> dict[str, Any]:
        return dict(self.simulator.control("GET", f"/documents/{document}"))

    def rows(self, first: date, last: date) -> list[Row]:
        """All postings of a period as the books themselves have them, sorted."""
        with closing(Books.open(self.simulator.db)) as books:
            return sorted(map(book_row, books.postings("x", first, last)), key=repr)

    @contextmanager
    def client(self, host: str | None = None, **settings: Any) -> Iterator[RunMyAccountsClient]:
        """A client that does not wait between tries.

        :param host: address of a proxy in front of the simulator.
        """
        plain = {"tenant": self.simulator.tenant, "token": self.simulator.token, "host": host or self.simulator.url}
        with RunMyAccountsClient(
            ClientConfig(**plain | settings), retry=RetryPolicy(tries=2), sleep=lambda _: None
        ) as client:
            yield client


def book_row(posting: dict[str, Any]) -> Row:
    """A posting of the books."""
    department = posting["department"] or {}
    return (
        posting["transdate"],
        posting["accno"],
        posting["amount"].quantize(_SCALE),
        posting["id"],
        posting["module"],
        posting["entry_id"],
        *(posting[name] or None for name in ("reference", "description", "source", "memo", "notes", "intnotes")),
        department.get("id"),
        department.get("name"),
        department.get("role"),
    )


def warehouse_row(posting: dict[str, Any]) -> Row:
    """A posting of a warehouse, for comparison with :func:`book_row`."""
    return (
        posting["transdate"].isoformat(),
        posting["accno"],
        posting["amount"],
        posting["voucher_id"],
        posting["module"],
        posting["entry_id"],
        *(posting[name] for name in ("reference", "description", "source", "memo", "notes", "intnotes")),
        posting["department_id"],
        posting["department_name"],
        posting["department_role"],
    )


def warehouse_rows(postings: list[dict[str, Any]]) -> list[Row]:
    """Postings of a warehouse, sorted."""
    return sorted(map(warehouse_row, postings), key=repr)


def without_entry_ids(rows: list[Row]) -> list[Row]:
    """The same rows without the unstable id."""
    return sorted((row[:5] + row[6:] for row in rows), key=repr)


def start(path: Path, **kwargs: Any) -> SimulatorProcess:
    """A simulator with books of its own."""
    return SimulatorProcess(path / "books.db", **kwargs)
