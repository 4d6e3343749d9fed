"""Balances that the service states before, at the end of, and within a window (``gl/v2/saldo``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType

ZERO = Decimal(0)

#: Before the first posting of any tenant. Left out, the day is "from the beginning" by inference only.
BEGINNING = date(1900, 1, 1)

#: Decimals in which the service states a balance; what postings have beyond is lost by its rounding.
STATED_SCALE = 4

#: Requests that one statement takes, without and with the balances since the beginning.
CALLS, CALLS_IN_FULL = 3, 4


@dataclass(frozen=True)
class StatedBalance:
    """Balances that the service states of one account, as they were sent.

    :param basis: ``to``: balances up to a day, before the window and at its end; ``from_to``: the movement of the
        window.
    :param opening: with basis ``to``, None if the account was not listed.
    :param closing: with basis ``to``, None if the account was not listed.
    :param movement: with basis ``from_to``, None if the account was not listed.
    """

    basis: str
    opening: Decimal | None = None
    closing: Decimal | None = None
    movement: Decimal | None = None

    @property
    def change(self) -> Decimal:
        """Movement of the window; an account that is not listed has not been moved (ledger code)."""
        if self.basis == "from_to":
            return self.movement or ZERO
        return (self.closing or ZERO) - (self.opening or ZERO)


@dataclass(frozen=True)
class BalanceStatement:
    """Balances that the service states for one window at one time.

    :param accounts: by account number. An account that is not listed was never posted to (``to``) or has not moved
        (``from_to``): the trial balance lists only what moved in its period (ledger code).
    :param names: account names as they come with the balances.
    :param cumulated: what moved from the beginning of the books to the end of the window, by account number; None if
        it was not asked for.
    :param contradictions: accounts of which two answers say different things.
    """

    accounts: Mapping[str, StatedBalance]
    names: Mapping[str, str] = field(compare=False)
    cumulated: Mapping[str, Decimal] | None = field(default=None, compare=False)
    contradictions: frozenset[str] = field(default=frozenset(), compare=False)

    def moved_since(self, earlier: BalanceStatement) -> list[str]:
        """List the accounts whose balance differs from an earlier statement."""
        numbers = self.accounts.keys() | earlier.accounts.keys()
        return sorted(accno for accno in numbers if self.accounts.get(accno) != earlier.accounts.get(accno))

    @property
    def openings(self) -> dict[str, Decimal]:
        """Opening balances of balance-sheet accounts, without those of zero."""
        return _without_zeros({accno: stated.opening for accno, stated in self._sheet()})

    @property
    def closings(self) -> dict[str, Decimal]:
        """Closing balances of balance-sheet accounts, without those of zero."""
        return _without_zeros({accno: stated.closing for accno, stated in self._sheet()})

    @property
    def others(self) -> dict[str, Decimal] | None:
        """Return the movements of all other accounts from the beginning to the end of the window, without zeros."""
        if self.cumulated is None:
            return None
        sheet = {accno for accno, _ in self._sheet()}
        return _without_zeros({accno: amount for accno, amount in self.cumulated.items() if accno not in sheet})

    @property
    def others_before(self) -> dict[str, Decimal] | None:
        """Return the movements of all other accounts from the beginning to the day before the window, without zeros."""
        others = self.others
        if others is None:
            return None
        moved = {accno: stated.change for accno, stated in self.accounts.items() if stated.basis == "from_to"}
        return _without_zeros(
            {accno: others.get(accno, ZERO) - moved.get(accno, ZERO) for accno in others.keys() | moved.keys()}
        )

    @property
    def is_empty(self) -> bool:
        """Whether no account is listed in any answer."""
        return not self.accounts and not self.cumulated

    def numbers(self) -> set[str]:
        """Numbers of all accounts that are listed."""
        return self.accounts.keys() | (self.cumulated or {}).keys()

    def _sheet(self) -> Iterable[tuple[str, StatedBalance]]:
        return ((accno, stated) for accno, stated in self.accounts.items() if stated.basis == "to")


def _without_zeros(amounts: Mapping[str, Decimal | None]) -> dict[str, Decimal]:
    return {accno: amount for accno, amount in amounts.items() if amount}


def differing(one: Mapping[str, Decimal], other: Mapping[str, Decimal], *, rounded: int = 0) -> list[str]:
    """List the accounts whose balances differ; one that is not listed has none.

    :param rounded: figures that each comparison is made of, if they are not answers to the same question; what
        rounding each of them can lose is no difference.
    """
    lost = rounded * Decimal(5).scaleb(-STATED_SCALE - 1)
    numbers = one.keys() | other.keys()
    return sorted(accno for accno in numbers if abs(one.get(accno, ZERO) - other.get(accno, ZERO)) > lost)


def read_statement(
    client: RunMyAccountsClient,
    window: Window,
    kinds: AccountKinds,
    content_type: ContentType | None = None,
    *,
    in_full: bool = False,
) -> BalanceStatement:
    """Ask for the balances that prove a window.

    Balance-sheet accounts: up to the day before the window and up to its last day. All others: from the first to the
    last day of the window, without openings, since the ledger's own openings run on over the years for income and
    expenses too (ledger code). A month never crosses the end of a fiscal year. Year-end vouchers count, as they are
    among the postings as well (ledger code). No default of the service is relied on.

    :param in_full: ask as well for what moved since the beginning of the books.
    :raises RequestError: see :class:`~airflow_provider_rma.client.client.RunMyAccountsClient`.
    :raises UnexpectedResponseError: for an account that is listed twice or without an amount.
    """
    reader = BalanceReader(client, content_type)
    opening = reader.read(None, window.day_before)
    closing = reader.read(None, window.end)
    movement = reader.read(window.start, window.end)
    cumulated = reader.read(BEGINNING, window.end) if in_full else None
    accounts = {
        accno: StatedBalance("to", opening=opening.get(accno), closing=closing.get(accno))
        for accno in sorted(opening.keys() | closing.keys())
        if kinds.kind(accno) is AccountKind.BALANCE_SHEET
    }
    contradictions = _contradictory_accounts(accounts, movement, cumulated, kinds)
    contradictions |= _contradictory_others(opening, closing, movement, kinds)
    accounts |= {accno: StatedBalance("from_to", movement=amount) for accno, amount in _others(movement, kinds).items()}
    return BalanceStatement(accounts, reader.names, cumulated, frozenset(contradictions))


def _others(balances: Mapping[str, Decimal], kinds: AccountKinds) -> dict[str, Decimal]:
    """Return the balances of all accounts that are not of the balance sheet."""
    return {accno: amount for accno, amount in balances.items() if kinds.kind(accno) is not AccountKind.BALANCE_SHEET}


def _contradictory_accounts(
    accounts: Mapping[str, StatedBalance],
    movement: Mapping[str, Decimal],
    cumulated: Mapping[str, Decimal] | None,
    kinds: AccountKinds,
) -> set[str]:
    """Find the balance-sheet accounts of which two answers say different things."""
    moved = {accno: amount for accno, amount in movement.items() if kinds.kind(accno) is AccountKind.BALANCE_SHEET}
    found = {*differing({accno: stated.change for accno, stated in accounts.items()}, moved, rounded=3)}
    if cumulated is not None:
        ever = {accno: amount for accno, amount in cumulated.items() if kinds.kind(accno) is AccountKind.BALANCE_SHEET}
        found |= {*differing(ever, {accno: stated.closing or ZERO for accno, stated in accounts.items()})}
    return found


def _contradictory_others(
    opening: Mapping[str, Decimal], closing: Mapping[str, Decimal], movement: Mapping[str, Decimal], kinds: AccountKinds
) -> set[str]:
    """Find the accounts besides whose balances and movement say different things.

    Their balances run on over the years (ledger code). If they began anew with each fiscal year instead, the balance at
    the end of its first month would be the movement: that is no contradiction either. A service that lists none of
    these accounts in its balances says nothing.
    """
    before, after, moved = _others(opening, kinds), _others(closing, kinds), _others(movement, kinds)
    if not before and not after:
        return set()
    change = {accno: after.get(accno, ZERO) - before.get(accno, ZERO) for accno in before.keys() | after.keys()}
    return {*differing(change, moved, rounded=3)} & {*differing(after, moved, rounded=2)}


class BalanceReader:
    """Asks for balances.

    :ivar names: account names as they came with the balances.
    """

    def __init__(self, client: RunMyAccountsClient, content_type: ContentType | None) -> None:
        self._client, self._content_type = client, content_type
        self.names: dict[str, str] = {}

    def read(self, first: date | None, last: date, *, main_currency: bool = True) -> dict[str, Decimal]:
        """Ask for the balances of a period. Returns them by account number, as sent.

        :param main_currency: in francs; otherwise without the rows of exchange differences.
        """
        rows = self._client.list_balances(
            from_date=first,
            to_date=last,
            bookkeeping_main_curr=main_currency,
            exclude_yearend_bookings=False,
            include_openings=first is None,
            content_type=self._content_type,
        )
        return dict(self._check_rows(rows))

    def _check_rows(self, rows: Iterable[Mapping[str, object]]) -> Iterable[tuple[str, Decimal]]:
        seen: set[str] = set()
        for row in rows:
            accno, amount = str(row["accountnumber"]), row.get("amount")
            if accno in seen:
                raise _unexpected_error(f"account {accno} is listed twice in the balances")
            if not isinstance(amount, Decimal):
                raise _unexpected_error(f"account {accno} is listed without an amount in the balances")
            seen.add(accno)
            self.names[accno] = str(row.get("accountname") or "")
            yield accno, amount


def _unexpected_error(message: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        message, advice="The answer does not fit the documented interface; nothing was loaded."
    )
