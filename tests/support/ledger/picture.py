"""What books hold and what a warehouse holds, in one form, to be compared."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.ledger.company import Row
from tests.support.ledger.expected_warehouse import content, found
from tests.support.ledger.random_books import books_of, last_day
from tests.support.ledger.warehouses import Warehouse

#: Decimals in which the service states balances.
_STATED = Decimal("0.0001")
_BEGINNING = date(1900, 1, 1)


@dataclass(frozen=True)
class MonthPicture:
    """A month.

    :param postings: its rows, without the unstable ``entry_id``.
    :param stated: opening, movement and closing of each account, raw; zeros are left out.
    """

    postings: Counter[Row] = field(default_factory=Counter)
    stated: Mapping[str, tuple[Decimal, Decimal, Decimal]] = field(default_factory=dict)

    def difference(self, other: MonthPicture) -> str:
        """Where another month is not the same, for a failure; empty if it is."""
        rows = [f"- {row}" for row in (self.postings - other.postings)]
        rows += [f"+ {row}" for row in (other.postings - self.postings)]
        accounts = sorted(self.stated.keys() | other.stated.keys())
        rows += [
            f"balance of {accno}: {self.stated.get(accno)} or {other.stated.get(accno)}"
            for accno in accounts
            if self.stated.get(accno) != other.stated.get(accno)
        ]
        return "\n".join(rows[:12])


def books_picture(books: Path, months: Iterable[str]) -> dict[str, MonthPicture]:
    """The months as the books have them."""
    everything = books_of(books, _BEGINNING, date(2099, 12, 31))
    return {month: _month(everything, date.fromisoformat(f"{month}-01")) for month in months}


def _month(everything: Sequence[Row], first: date) -> MonthPicture:
    last = last_day(first)
    before = _sums(row for row in everything if row[0] < first.isoformat())
    rows = [row for row in everything if first.isoformat() <= row[0] <= last.isoformat()]
    moved = _sums(rows)
    stated = {}
    for accno in before.keys() | moved.keys():
        opening, movement = before.get(accno, Decimal(0)), moved.get(accno, Decimal(0))
        sheet = accno[0] in "12"
        figures = (opening, Decimal(0), opening + movement) if sheet else (Decimal(0), movement, Decimal(0))
        stated[accno] = tuple(figure.quantize(_STATED) + 0 for figure in figures)
    return MonthPicture(content(rows), _without_zeros(stated))


def _sums(rows: Iterable[Row]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row[1]] = sums.get(row[1], Decimal(0)) + row[2]
    return sums


def natural_signs(books: Path) -> dict[str, int]:
    """Sign in which each account is stated: natural, contra accounts turned once more."""
    with closing(sqlite3.connect(books)) as connection:
        rows = connection.execute("SELECT accno, category, contra FROM account").fetchall()
    return {accno: -1 if (category in "AE") != bool(contra) else 1 for accno, category, contra in rows}


def _without_zeros(stated: Mapping[str, Any]) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    return {accno: figures for accno, figures in stated.items() if any(figures)}


def warehouse_picture(warehouse: Warehouse, months: Iterable[str], books: Path) -> dict[str, MonthPicture]:
    """The months as a warehouse has them; empty where nothing was ever loaded.

    :param books: file of the books; they tell the sign of an account where the warehouse does not know it.
    """
    natural = natural_signs(books)
    rows = found(warehouse, "postings")
    balances = warehouse.query("SELECT month, accno, sign, opening, movement, closing FROM balances")
    pictures = {}
    for month in months:
        stated = {
            accno: tuple(
                ((sign or natural.get(accno, 1)) * (figure or Decimal(0))).quantize(_STATED) + 0 for figure in figures
            )
            for day, accno, sign, *figures in balances
            if str(day)[:7] == month
        }
        pictures[month] = MonthPicture(content(row for row in rows if row[0][:7] == month), _without_zeros(stated))
    return pictures


def books_chart(books: Path) -> dict[str, str]:
    """Names of the accounts, by number."""
    with closing(sqlite3.connect(books)) as connection:
        return dict(connection.execute("SELECT accno, description FROM account WHERE charttype = 'A'").fetchall())


def warehouse_chart(warehouse: Warehouse) -> dict[str, str]:
    """Names of the accounts of a warehouse, by number."""
    return dict(warehouse.query("SELECT accno, description FROM accounts"))
