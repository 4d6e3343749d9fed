"""What an extraction must make of books, worked out from their file alone: rows, states, verdicts, changes.

A month whose vouchers balance is ``exact``; a voucher that does not is named, and decides by its amount. Unbalanced
vouchers before the month leave a residual: if it is above the tolerance, the month is ``unproven`` unless vouchers of
loaded months explain it, or it is the one that was proven before. A month up to whose end nothing was ever booked is
``suspicious_empty`` where something was before, else ``unproven`` until a later month shows that the books began then.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from airflow_provider_rma.ledger.result import WindowResult
from tests.support.ledger.company import Row
from tests.support.ledger.random_books import books_of, last_day
from tests.support.ledger.warehouses import Warehouse

TOLERANCE = Decimal("0.01")
#: Balances are stated with four decimals; all together they are not off by more than this for that reason.
_ROUNDING = Decimal("0.005")
_BEGINNING = date(1900, 1, 1)
#: Verdicts from the mildest to the gravest.
_GRAVITY = ("exact", "tolerated", "unproven", "broken", "suspicious_empty")
_PROVEN = _GRAVITY[:2]

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
    :param is_off: whether nothing explains the residual of the books before it.
    :param changes: vouchers by kind of change, None where nothing is compared.
    """

    state: str
    verdict: str
    unbalanced: Mapping[tuple[str, int], Decimal]
    changes: Mapping[str, int] | None
    is_off: bool = False


class Figures:
    """What the books say of a month, from their first posting to its last day."""

    def __init__(self, month: date, everything: Sequence[Row]) -> None:
        first, last = month.isoformat(), last_day(month).isoformat()
        self._before = [row for row in everything if row[0] < first]
        self.rows = [row for row in everything if first <= row[0] <= last]

    @property
    def residual_before(self) -> Decimal:
        return _total(self._before)

    @property
    def residual(self) -> Decimal:
        return self.residual_before + _total(self.rows)

    @property
    def is_nothing(self) -> bool:
        return not self._before and not self.rows

    @property
    def has_opening(self) -> bool:
        """Whether an account of the balance sheet has a balance before the month."""
        return _has_balance(self._before, "12")

    @property
    def has_closing(self) -> bool:
        return _has_balance([*self._before, *self.rows], "12")

    @property
    def has_figures(self) -> bool:
        return self.has_opening or self.has_closing or _has_balance(self.rows, "3456789")


def _has_balance(rows: Iterable[Row], classes: str) -> bool:
    return any(total for (accno,), total in _sums(rows, 1).items() if accno[0] in classes)


@dataclass
class Foretold:
    """A warehouse as it must be.

    :ivar loaded: rows of each month that was loaded, with the line numbers it must have: a month that says the same
        as before keeps its older ones.
    :ivar verdicts: verdict of what is loaded.
    :ivar proven: months that are loaded and proven, as the books had them then.
    """

    loaded: dict[date, list[Row]] = field(default_factory=dict)
    verdicts: dict[date, str] = field(default_factory=dict)
    proven: dict[date, Figures] = field(default_factory=dict)

    def extract(self, books: Path, months: Sequence[date], *, keep: bool) -> dict[date, Month]:
        """Take the books as they are now.

        :param keep: whether a month is loaded that is not proven.
        """
        everything = books_of(books, _BEGINNING, last_day(months[-1]))
        run = _Run({month: Figures(month, everything) for month in months}, keep)
        expected = {month: self._month(month, run) for month in months}
        for month in reversed(months):
            is_empty = run.figures[month].is_nothing and expected[month].verdict == "unproven"
            if is_empty and self._verdict_on_nothing(month, run) == "exact":
                # If it was loaded just before, unproven, the run has changed it.
                state, again = expected[month].state, self._month(month, run)
                expected[month] = replace(again, state="changed") if state == "changed" else again
        return expected

    def rows(self) -> list[Row]:
        """All rows that must be there."""
        return sorted((row for rows in self.loaded.values() for row in rows), key=repr)

    def _month(self, month: date, run: _Run) -> Month:
        figures = run.figures[month]
        unbalanced = {voucher: total for voucher, total in _sums(figures.rows, 4, 3).items() if total}
        # What the balances lose by being stated with four decimals is no difference.
        worst = max(map(abs, unbalanced.values()), default=0)
        verdict = "exact" if not worst else "tolerated" if worst <= TOLERANCE else "broken"
        is_off = False
        if figures.is_nothing:
            verdict = self._verdict_on_nothing(month, run)
        elif self._is_explained(month, run):
            run.explained.add(month)
        else:
            is_off, verdict = True, max(verdict, "unproven", key=_GRAVITY.index)
        run.note(month, is_proven=verdict in _PROVEN)
        state, changes = "rejected", None
        if verdict in _PROVEN or run.keep:
            state, changes = self._load(month, figures, verdict)
        return Month(state, verdict, unbalanced, changes, is_off)

    def _load(self, month: date, figures: Figures, verdict: str) -> tuple[str, Mapping[str, int] | None]:
        """Load a month. Returns its state and what became of its vouchers."""
        self.verdicts[month] = verdict
        self.proven.pop(month, None)
        if verdict in _PROVEN:
            self.proven[month] = figures
        loaded = self.loaded.get(month)
        if loaded is not None and content(loaded) == content(figures.rows):
            return "unchanged", None
        self.loaded[month] = figures.rows
        return "changed", None if loaded is None else _changes(loaded, figures.rows)

    def _verdict_on_nothing(self, month: date, run: _Run) -> str:
        own, before, after = (self.proven.get(each) for each in (month, _previous(month), _next(month)))
        if self.loaded.get(month) or (own and own.has_figures) or (before and before.has_closing):
            return "suspicious_empty"
        begins_later = _next(month) in run.proven or (after is not None and not after.has_opening)
        return "exact" if begins_later else "unproven"

    def _is_explained(self, month: date, run: _Run) -> bool:
        """Whether it is known where the residual before a month comes from."""
        residual, previous = run.figures[month].residual_before, _previous(month)
        vouchers = sum((_total(rows) for earlier, rows in self.loaded.items() if earlier < month), Decimal(0))
        if min(abs(residual), abs(residual - vouchers)) <= TOLERANCE + _ROUNDING:
            return True
        known = [run.figures[previous].residual] if previous in run.explained else []
        known += [self.proven[previous].residual] if previous in self.proven else []
        known += [self.proven[month].residual_before] if month in self.proven else []
        return any(abs(residual - amount) <= _ROUNDING for amount in known)


@dataclass
class _Run:
    """A run.

    :ivar explained: months that were read, and of which it is known where their residual comes from.
    :ivar proven: months that were read and proven.
    """

    figures: Mapping[date, Figures]
    keep: bool
    explained: set[date] = field(default_factory=set)
    proven: set[date] = field(default_factory=set)

    def note(self, month: date, *, is_proven: bool) -> None:
        self.proven.add(month) if is_proven else self.proven.discard(month)


def _previous(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _next(month: date) -> date:
    return last_day(month) + timedelta(days=1)


def check_result(result: WindowResult, expected: Month) -> None:
    """A month came to what was foretold, for the reason it should."""
    assert (result.state, result.verdict) == (expected.state, expected.verdict), result.reasons
    texts = [reason.text for reason in result.reasons if reason.code == "voucher_unbalanced"]
    named = {(match[1], int(match[2])) for text in texts if (match := re.match(r"Voucher (\w+) (\d+) ", text))}
    assert named == expected.unbalanced.keys()
    assert ("books_off" in {reason.code for reason in result.reasons}) == expected.is_off, result.reasons
    assert (result.changes and dict(result.changes.counts)) == expected.changes


def _total(rows: Iterable[Row]) -> Decimal:
    return sum((row[2] for row in rows), Decimal(0))


def _sums(rows: Iterable[Row], *columns: int) -> dict[Row, Decimal]:
    sums: dict[Row, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[tuple(row[column] for column in columns)] += row[2]
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
