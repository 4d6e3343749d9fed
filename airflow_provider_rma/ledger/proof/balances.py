"""What the service states: balances before, at the end of, and within a window (``gl/v2/saldo``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds
from airflow_provider_rma.ledger.proof.prove import StatedBalance
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType

#: Requests that one statement takes.
CALLS = 3


@dataclass(frozen=True)
class BalanceStatement:
    """What the service states for one window at one moment.

    :param accounts: by account number. An account that is not listed was never posted to (``to``) or has not moved
        (``from_to``): the trial balance lists only what moved in its period (ledger code).
    :param names: account names as the balances give them.
    """

    accounts: Mapping[str, StatedBalance]
    names: Mapping[str, str] = field(compare=False)

    def moved_since(self, earlier: BalanceStatement) -> list[str]:
        """Accounts whose statement differs from an earlier one."""
        numbers = self.accounts.keys() | earlier.accounts.keys()
        return sorted(accno for accno in numbers if self.accounts.get(accno) != earlier.accounts.get(accno))


def read_statement(
    client: RunMyAccountsClient, window: Window, kinds: AccountKinds, content_type: ContentType | None = None
) -> BalanceStatement:
    """Ask for the balances that prove a window.

    Balance-sheet accounts: up to the eve of the window and up to its last day. All others: from the first to the last
    day of the window, without openings, since the ledger's own openings run on over the years for income and expenses
    too (ledger code). A month never crosses the end of a fiscal year. Year-end vouchers count, as they are among the
    postings as well (ledger code). No default of the service is relied on.

    :raises RequestError: as of the client.
    :raises UnexpectedResponseError: for an account that is listed twice or without an amount.
    """
    balances = _Balances(client, content_type)
    opening = balances.ask(None, window.eve)
    closing = balances.ask(None, window.end)
    movement = balances.ask(window.start, window.end)
    accounts = {
        accno: StatedBalance("to", opening=opening.get(accno), closing=closing.get(accno))
        for accno in sorted(opening.keys() | closing.keys())
        if kinds.of(accno) is AccountKind.BALANCE_SHEET
    }
    accounts |= {
        accno: StatedBalance("from_to", movement=amount)
        for accno, amount in movement.items()
        if kinds.of(accno) is not AccountKind.BALANCE_SHEET
    }
    return BalanceStatement(accounts, balances.names)


class _Balances:
    def __init__(self, client: RunMyAccountsClient, content_type: ContentType | None) -> None:
        self._client, self._content_type = client, content_type
        self.names: dict[str, str] = {}

    def ask(self, first: date | None, last: date) -> dict[str, Decimal]:
        """Balances by account number, as sent."""
        rows = self._client.list_balances(
            from_date=first,
            to_date=last,
            bookkeeping_main_curr=True,
            exclude_yearend_bookings=False,
            include_openings=first is None,
            content_type=self._content_type,
        )
        return dict(self._each(rows))

    def _each(self, rows: Iterable[Mapping[str, object]]) -> Iterable[tuple[str, Decimal]]:
        seen: set[str] = set()
        for row in rows:
            accno, amount = str(row["accountnumber"]), row.get("amount")
            if accno in seen:
                raise _unexpected(f"account {accno} is listed twice in the balances")
            if not isinstance(amount, Decimal):
                raise _unexpected(f"account {accno} is listed without an amount in the balances")
            seen.add(accno)
            self.names[accno] = str(row.get("accountname") or "")
            yield accno, amount


def _unexpected(message: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        message, advice="The answer does not fit the documented interface; nothing was loaded."
    )
