"""Balances that the service states before, at the end of, and within a window (``gl/v2/saldo``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType

ZERO = Decimal(0)

#: Requests that one statement takes.
CALLS = 3


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
    """

    accounts: Mapping[str, StatedBalance]
    names: Mapping[str, str] = field(compare=False)

    def moved_since(self, earlier: BalanceStatement) -> list[str]:
        """List the accounts whose balance differs from an earlier statement."""
        numbers = self.accounts.keys() | earlier.accounts.keys()
        return sorted(accno for accno in numbers if self.accounts.get(accno) != earlier.accounts.get(accno))


def read_statement(
    client: RunMyAccountsClient, window: Window, kinds: AccountKinds, content_type: ContentType | None = None
) -> BalanceStatement:
    """Ask for the balances that prove a window.

    Balance-sheet accounts: up to the day before the window and up to its last day. All others: from the first to the
    last day of the window, without openings, since the ledger's own openings run on over the years for income and
    expenses too (ledger code). A month never crosses the end of a fiscal year. Year-end vouchers count, as they are
    among the postings as well (ledger code). No default of the service is relied on.

    :raises RequestError: see :class:`~airflow_provider_rma.client.client.RunMyAccountsClient`.
    :raises UnexpectedResponseError: for an account that is listed twice or without an amount.
    """
    reader = _BalanceReader(client, content_type)
    opening = reader.read(None, window.day_before)
    closing = reader.read(None, window.end)
    movement = reader.read(window.start, window.end)
    accounts = {
        accno: StatedBalance("to", opening=opening.get(accno), closing=closing.get(accno))
        for accno in sorted(opening.keys() | closing.keys())
        if kinds.kind(accno) is AccountKind.BALANCE_SHEET
    }
    accounts |= {
        accno: StatedBalance("from_to", movement=amount)
        for accno, amount in movement.items()
        if kinds.kind(accno) is not AccountKind.BALANCE_SHEET
    }
    return BalanceStatement(accounts, reader.names)


class _BalanceReader:
    def __init__(self, client: RunMyAccountsClient, content_type: ContentType | None) -> None:
        self._client, self._content_type = client, content_type
        self.names: dict[str, str] = {}

    def read(self, first: date | None, last: date) -> dict[str, Decimal]:
        """Ask for the balances of a period. Returns them by account number, as sent."""
        rows = self._client.list_balances(
            from_date=first,
            to_date=last,
            bookkeeping_main_curr=True,
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
