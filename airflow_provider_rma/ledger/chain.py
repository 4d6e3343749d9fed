"""The months as a chain: the closings of each are the openings of the next, account by account.

A link is checked within a run, and against the months that the warehouse holds as proven. Somebody who books in an
earlier month breaks it, which is ordinary: :meth:`Chain.find_moved` goes back from month to month to the first balances
that agree, and the months since are read again. Other accounts than those of the balance sheet are compared by what
moved since the beginning of the year, which is the sum of the months.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds
from airflow_provider_rma.ledger.proof.balances import ZERO, BalanceReader, BalanceStatement, differing
from airflow_provider_rma.ledger.proof.verdicts import PROVEN, Verdict
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.destinations.base import Destination

#: Months that are read again at most because somebody booked in an earlier one.
MAX_CHAIN_MONTHS = 24

#: How often a run follows a broken link of the same month.
_FOLLOW = 3

_ATTESTED = PROVEN | {Verdict.BALANCES_ONLY}


class BrokenLinkError(Exception):
    """A month does not open as the one before closed; earlier months have to be read again. Internal."""

    def __init__(self, window: Window, accounts: list[str]) -> None:
        super().__init__(f"{window} does not open as {window.previous} closed: {', '.join(accounts[:5])}")
        self.window, self.accounts = window, accounts


@dataclass(frozen=True)
class StoredMonth:
    """A loaded and proven month, as the warehouse holds it.

    :param openings: of balance-sheet accounts, as stated, without zeros.
    :param closings: likewise.
    :param movements: of all other accounts, likewise.
    :param books_off_by: residual of the books at its end, raw; None if it is not known.
    :param unbalanced: what its vouchers add to the residual.
    """

    openings: Mapping[str, Decimal]
    closings: Mapping[str, Decimal]
    movements: Mapping[str, Decimal]
    books_off_by: Decimal | None
    unbalanced: Decimal

    @property
    def books_off_before(self) -> Decimal | None:
        """Residual of the books before the month."""
        return None if self.books_off_by is None else self.books_off_by - self.unbalanced

    @classmethod
    def read(
        cls, destination: Destination, tenant: str, window: Window, number_now: Callable[[str, str], str]
    ) -> StoredMonth | None:
        """Read it from the warehouse; None if the month is not there or not proven.

        :param number_now: returns the number that an account has now, given that of then and the load that wrote it.
        """
        if not destination.is_loaded(tenant, window):
            return None
        proofs = destination.read_table("proofs", tenant, window).to_pylist()
        whole = next((row for row in proofs if row["accno"] is None and row["loaded"]), None)
        if whole is None or whole["verdict"] not in _ATTESTED:
            return None
        rows = destination.read_table("balances", tenant, window).to_pylist()
        rows = [row | {"accno": number_now(row["accno"], row["load_id"])} for row in rows]
        return cls(
            openings=_amounts(rows, "to", "opening"),
            closings=_amounts(rows, "to", "closing"),
            movements=_amounts(rows, "from_to", "movement"),
            books_off_by=whole.get("books_off_by"),
            unbalanced=whole["movements"] or ZERO,
        )


def _amounts(rows: list[dict[str, Any]], basis: str, column: str) -> dict[str, Decimal]:
    return {row["accno"]: row[column] for row in rows if row["basis"] == basis and row[column]}


@dataclass
class Chain:
    """The links between the months of a run and of the warehouse.

    :param number_now: returns the number that an account has now, given that of then and the load that wrote it.
    :param limit: months that are read again at most at a broken link.
    :ivar read: months that this run has read and proven, with what the service stated.
    :ivar refused: months that this run could not read, or not prove.
    :ivar doubted: of each month that was read and could not be proven, the balance-sheet accounts to whose closing its
        postings do not lead.
    :ivar calls: requests made for links.
    """

    client: RunMyAccountsClient
    destination: Destination
    kinds: AccountKinds
    content_type: ContentType
    number_now: Callable[[str, str], str]
    limit: int = MAX_CHAIN_MONTHS
    read: dict[Window, BalanceStatement] = field(init=False, default_factory=dict)
    refused: set[Window] = field(init=False, default_factory=set)
    doubted: dict[Window, list[str]] = field(init=False, default_factory=dict)
    beyond: dict[Window, list[Window]] = field(init=False, default_factory=dict)
    calls: int = field(init=False, default=0)
    _followed: Counter[Window] = field(init=False, default_factory=Counter)
    _year_seen: bool = field(init=False, default=False)

    @property
    def tenant(self) -> str:
        return self.client.config.tenant

    def stored(self, window: Window) -> StoredMonth | None:
        """Return a month as the warehouse holds it, None unless it is proven."""
        return StoredMonth.read(self.destination, self.tenant, window, self.number_now)

    def renumbered(self, window: Window) -> dict[str, str]:
        """Find the accounts that a loaded month holds under a number that they have no more. Returns new by old."""
        rows = self.destination.read_table("balances", self.tenant, window).to_pylist()
        numbers = {row["accno"]: self.number_now(row["accno"], row["load_id"]) for row in rows}
        return {old: new for old, new in numbers.items() if old != new}

    def note(
        self, window: Window, statement: BalanceStatement, *, is_proven: bool, differing_accounts: Iterable[str] = ()
    ) -> None:
        """Note what the service stated of a month that was read.

        :param differing_accounts: accounts to whose closing the postings do not lead.
        """
        sheet = (accno for accno in differing_accounts if self.kinds.kind(accno) is AccountKind.BALANCE_SHEET)
        self.doubted[window] = [] if is_proven else sorted(sheet)
        if is_proven:
            self.read[window] = statement
            self.refused.discard(window)
        else:
            self.read.pop(window, None)
            self.refused.add(window)

    def note_unread(self, window: Window) -> None:
        """Note a month that could not be read: it is not read again to follow a link of this run."""
        self.read.pop(window, None)
        self.refused.add(window)

    def broken_accounts(self, window: Window, before: StoredMonth | None, statement: BalanceStatement) -> list[str]:
        """List the accounts of which a month does not open as the one before closed.

        :param before: the month before, as the warehouse holds it.
        """
        read = self.read.get(window.previous)
        if read is not None:
            broken = differing(read.closings, statement.openings)
            others, others_before = read.others, statement.others_before
            if others is not None and others_before is not None:
                broken += differing(others, others_before, rounded=3)
            return broken
        return differing(before.closings, statement.openings) if before is not None else []

    def is_founded_later(self, window: Window) -> bool:
        """Whether the month after is proven, and opens without any balance."""
        statement = self.read.get(window.next)
        if statement is not None:
            return not statement.openings and not statement.others_before
        stored = self.stored(window.next)
        return stored is not None and not stored.openings

    def opens_otherwise(self, window: Window) -> bool:
        """Whether a month that this run has not read is proven, and does not open as the one before closes now."""
        statement = self.read.get(window.previous)
        if statement is None or window in self.read or window in self.refused:
            return False
        stored = self.stored(window)
        return stored is not None and bool(differing(statement.closings, stored.openings))

    def may_follow(self, window: Window) -> bool:
        """Whether the link before a month may be followed: not without end, and not into a month that was refused."""
        return self._followed[window] < _FOLLOW and window.previous not in self.refused and window not in self.beyond

    def compare_year(self, window: Window) -> list[str]:
        """Compare what moved since the beginning of the year with the sum of the months, once in a run.

        :returns: accounts, other than those of the balance sheet, that differ.
        """
        if self._year_seen or window.start.month == 1:
            return []
        self._year_seen = True
        return self._year_differs(window.previous)

    def _year_differs(self, last: Window) -> list[str]:
        """Compare a year up to the end of a month; nothing differs if one of its months is not loaded."""
        first = last.start.replace(month=1)
        total, month, months = dict[str, Decimal](), Window.of(first), 0
        with self.destination.keep_open():
            while month <= last:
                stored = self.stored(month)
                if stored is None:
                    return []
                for accno, amount in stored.movements.items():
                    total[accno] = total.get(accno, ZERO) + amount
                month, months = month.next, months + 1
        return differing(total, self._ask(first, last.end, sheet=False), rounded=months + 1)

    def _ask(self, first: date | None, last: date, *, sheet: bool) -> dict[str, Decimal]:
        self.calls += 1
        found = BalanceReader(self.client, self.content_type).read(first, last)
        return {
            accno: amount
            for accno, amount in found.items()
            if amount and (self.kinds.kind(accno) is AccountKind.BALANCE_SHEET) is sheet
        }

    def find_moved(self, window: Window) -> list[Window]:
        """Go back from the link before a month to the first balances that agree with the warehouse.

        :returns: the months since, oldest first; none if they are more than the limit, which :attr:`beyond` then has.
        """
        self._followed[window] += 1
        months, month = list[Window](), window.previous
        while len(months) <= self.limit:
            months.append(month)
            with self.destination.keep_open():
                before, own = self.stored(month.previous), self.stored(month)
            reference = before.closings if before is not None else own.openings if own is not None else None
            if reference is None or not self._differs_at(month, reference, is_linked=before is not None):
                break
            if before is None:
                break
            month = month.previous
        months.reverse()
        if len(months) > self.limit:
            self.beyond[window] = months
            return []
        return months

    def _differs_at(self, month: Window, reference: Mapping[str, Decimal], *, is_linked: bool) -> bool:
        """Whether balances before a month are not those of the warehouse any more."""
        if differing(reference, self._ask(None, month.day_before, sheet=True)):
            return True
        return is_linked and bool(self._year_differs(month.previous))
