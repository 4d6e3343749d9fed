"""The books that lies are told about: three months after two closed years, as they were, as they are, and another
tenant's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.support.ledger.company import Company
from tests.support.simulator import SimulatorProcess

MONTHS = ("2026-01", "2026-02", "2026-03")
#: Stand still since 2024: assets, a contra account without a posting since, equity.
STANDING = ("1500", "1510", "2800")


@dataclass
class Recorded:
    """Books of which the responses are recorded.

    :ivar urls: address of the simulator by name of the books: ``now``, ``before`` some edits, an ``other`` tenant's.
    :ivar files: file of the books, likewise.
    """

    companies: Mapping[str, Company]

    @property
    def urls(self) -> dict[str, str]:
        return {name: company.simulator.url for name, company in self.companies.items()}

    @property
    def files(self) -> dict[str, Path]:
        return {name: company.simulator.db for name, company in self.companies.items()}


@contextmanager
def recorded_books(folder: Path) -> Iterator[Recorded]:
    """Keep the books and serve them."""
    with ExitStack() as stack:

        def serve(name: str) -> Company:
            return Company(stack.enter_context(SimulatorProcess(folder / f"{name}.db")))

        before = serve("before")
        _Bookkeeping(before, Decimal(1)).keep()
        _copy(before.simulator.db, folder / "now.db")
        now = serve("now")
        _edit(now)
        other = serve("other")
        _Bookkeeping(other, Decimal(3)).keep()
        yield Recorded({"now": now, "before": before, "other": other})


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _edit(company: Company) -> None:
    """What an accountant does in February: a voucher amended, one deleted, one new."""
    ids = {row[6]: row[3] for row in _february(company)}
    amended = {"reference": "GL-2026-02", "transdate": "2026-02-10"}
    lines = [{"accno": "6500", "debit": "43.75"}, {"accno": "1020", "credit": "43.75"}]
    company.resave(ids["GL-2026-02"], amended | {"lines": lines})
    company.delete(ids["OLD-2026-02"])
    company.voucher("NEW-2026-02", "2026-02-27", "6510", "1000", "19.90")


def _february(company: Company) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(company.simulator.db)) as connection:
        query = "SELECT 0, 0, 0, id, 0, 0, number FROM document WHERE transdate LIKE '2026-02%'"
        return connection.execute(query).fetchall()


class _Bookkeeping:
    """Keeps the same books for different amounts."""

    def __init__(self, company: Company, factor: Decimal) -> None:
        self._company, self._factor = company, factor

    def keep(self) -> None:
        self._years()
        for month in MONTHS:
            self._month(month)
        self._foreign_currency()

    def _amount(self, text: str) -> str:
        return str(Decimal(text) * self._factor)

    def _voucher(self, reference: str, day: str, debit: str, credit: str, amount: str) -> None:
        self._company.voucher(reference, day, debit, credit, self._amount(amount), description=f"Beleg {reference}")

    def _years(self) -> None:
        self._voucher("O-1", "2024-01-05", "1020", "2800", "100000")
        self._voucher("O-2", "2024-01-08", "1000", "1020", "2000")
        self._voucher("O-3", "2024-02-01", "1500", "1020", "20000")
        self._voucher("O-4", "2024-02-02", "1510", "1020", "8000")
        self._company.sale("R-2024", "2024-06-15", self._amount("1200"), self._amount("97.20"))
        self._company.post("/year-end", {"closing_date": "2024-12-31"})
        self._company.sale("R-2025", "2025-06-15", self._amount("900"), self._amount("72.90"))
        self._company.post("/year-end", {"closing_date": "2025-12-31"})

    def _month(self, month: str) -> None:
        company = self._company
        sale = company.sale(f"R-{month}", f"{month}-03", self._amount("250"), self._amount("20.25"), notes="Notiz")
        company.pay(sale, f"{month}-20", self._amount("270.25"))
        company.sale(f"S-{month}", f"{month}-04", self._amount("80"), self._amount("6.48"), department="Hüttenshop")
        company.post("/purchases", {
            "invnumber": f"E-{month}", "vendornumber": "L-001", "transdate": f"{month}-05",
            "expenseentries": [{"amount": self._amount("60"), "expense_accno": "4200"}],
            "taxentries": [{"amount": self._amount("4.86"), "tax_accno": "1170"}],
        })  # fmt: skip
        self._voucher(f"GL-{month}", f"{month}-10", "6500", "1020", "42.50")
        self._voucher(f"OLD-{month}", f"{month}-11", "6510", "1020", "15.30")
        # Twins: the same accounts, other amounts.
        self._voucher(f"TA-{month}", f"{month}-12", "6000", "1000", "11.25")
        self._voucher(f"TB-{month}", f"{month}-13", "6000", "1000", "33.50")
        # A voucher and its reversal, and one within an account.
        self._voucher(f"RA-{month}", f"{month}-14", "6500", "1020", "77.70")
        self._voucher(f"RB-{month}", f"{month}-15", "1020", "6500", "77.70")
        self._voucher(f"IN-{month}", f"{month}-16", "1020", "1020", "10.00")
        # Two equal lines in one voucher.
        half = self._amount("5.05")
        lines = [{"accno": "6500", "debit": half}, {"accno": "6500", "debit": half},
                 {"accno": "1000", "credit": self._amount("10.10")}]  # fmt: skip
        company.post("/gl", {"reference": f"EQ-{month}", "transdate": f"{month}-17", "lines": lines})
        self._voucher(f"EQUITY-{month}", f"{month}-18", "2990", "2030", "1.00")

    def _foreign_currency(self) -> None:
        """A sale in euro, paid in another month at another rate: its exchange rows are whole rappen."""
        body = {"invnumber": "F-1", "customernumber": "K-900", "currency": "EUR", "exchangerate": "0.93",
                "transdate": "2026-01-25",
                "incomeentries": [{"amount": self._amount("100"), "income_accno": "3400"}]}  # fmt: skip
        sale = self._company.post("/invoices", body)
        payment = {"payment_accno": "1021", "exchangerate": "0.95"}
        self._company.pay(sale, "2026-02-24", self._amount("100"), **payment)
