"""What an extraction must make of books, worked out from their file alone: rows, states, verdicts, changes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from airflow_provider_rma.ledger.result import WindowResult
from tests.support.ledger.company import Row
from tests.support.ledger.random_books import books_of, last_day
from tests.support.ledger.warehouses import Warehouse

TOLERANCE = Decimal("0.01")


_COLUMNS = (
    "transdate, accno, amount, voucher_id, module, entry_id, reference, description, source, memo, notes, intnotes, "
    "department_id, department_name, department_role"
)
#: Columns of a row of the books, in a warehouse, without the unstable ``entry_id``.
CONTENT = _COLUMNS.replace("entry_id, ", "")


def found(warehouse: Warehouse, table: str) -> list[Row]:
    """The postings of a warehouse as the books have them, sorted."""
    return selected(warehouse, f"SELECT {_COLUMNS} FROM {table}")


def selected(warehouse: Warehouse, query: str) -> list[Row]:
    """Rows of a query that begins with the day, sorted."""
    return sorted(((str(row[0]), *row[1:]) for row in warehouse.query(query)), key=repr)


def content(rows: Iterable[Row]) -> Counter[Row]:
    """The rows as often as they come, without the unstable ``entry_id``."""
    return Counter(row[:5] + row[6:] for row in rows)


@dataclass(frozen=True)
class Month:
    """What must come of one month.

    :param unbalanced: sum of each voucher that does not sum to zero in it, by module and id.
    :param changes: vouchers by kind of change, None where nothing is compared.
    """

    state: str
    verdict: str
    unbalanced: Mapping[tuple[str, int], Decimal]
    changes: Mapping[str, int] | None


@dataclass
class Foretold:
    """A warehouse as it must be.

    :ivar loaded: rows of each month that was loaded, with the line numbers it must have: a month that says the same
        as before keeps its older ones.
    :ivar verdicts: verdict of what is loaded.
    """

    loaded: dict[date, list[Row]] = field(default_factory=dict)
    verdicts: dict[date, str] = field(default_factory=dict)

    def extract(self, books: Path, months: Sequence[date], *, keep: bool) -> dict[date, Month]:
        """Take the books as they are now.

        :param keep: whether a month is loaded that is not proven.
        """
        everything = books_of(books, months[0], last_day(months[-1]))
        return {month: self._month(month, everything, keep) for month in months}

    def rows(self) -> list[Row]:
        """All rows that must be there."""
        return sorted((row for rows in self.loaded.values() for row in rows), key=repr)

    def _month(self, month: date, everything: Sequence[Row], keep: bool) -> Month:
        first, last = month.isoformat(), last_day(month).isoformat()
        rows = [row for row in everything if first <= row[0] <= last]
        unbalanced = {voucher: total for voucher, total in _sums(rows, 4, 3).items() if total}
        # What the balances lose by being stated with four decimals is no difference.
        worst = max(map(abs, unbalanced.values()), default=0)
        verdict = "exact" if not worst else "tolerated" if worst <= TOLERANCE else "broken"
        before = self.loaded.get(month)
        if verdict == "broken" and not keep:
            return Month("rejected", verdict, unbalanced, None)
        self.verdicts[month] = verdict
        if before is not None and content(before) == content(rows):
            return Month("unchanged", verdict, unbalanced, None)
        self.loaded[month] = rows
        return Month("changed", verdict, unbalanced, None if before is None else _changes(before, rows))


def check_result(result: WindowResult, expected: Month) -> None:
    """A month came to what was foretold, for the reason it should."""
    assert (result.state, result.verdict) == (expected.state, expected.verdict), result.reasons
    texts = [reason.text for reason in result.reasons if reason.code == "voucher_unbalanced"]
    named = {(match[1], int(match[2])) for text in texts if (match := re.match(r"Voucher (\w+) (\d+) ", text))}
    assert named == expected.unbalanced.keys()
    assert (result.changes and dict(result.changes.counts)) == expected.changes


def _sums(rows: Iterable[Row], *columns: int) -> dict[tuple[str, int], Decimal]:
    sums: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[tuple(row[column] for column in columns)] += row[2]  # type: ignore[index]
    return sums


def _changes(before: Sequence[Row], after: Sequence[Row]) -> dict[str, int]:
    old, new = _by_voucher(before), _by_voucher(after)
    both = old.keys() & new.keys()
    same = {key for key in both if content(old[key]) == content(new[key])}
    numbers = {key: [sorted(row[5] for row in side[key]) for side in (old, new)] for key in same}
    return {
        "added": len(new.keys() - both),
        "removed": len(old.keys() - both),
        "amended": len(both - same),
        "reposted": sum(one != other for one, other in numbers.values()),
    }


def _by_voucher(rows: Iterable[Row]) -> dict[tuple[str, int], list[Row]]:
    found: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        found[row[4], row[3]].append(row)
    return found
