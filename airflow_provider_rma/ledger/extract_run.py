"""One run of the extract: what its months share."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import RunMyAccountsError
from airflow_provider_rma.ledger.chain import MAX_CHAIN_MONTHS, Chain
from airflow_provider_rma.ledger.evidence import MonthEvidence
from airflow_provider_rma.ledger.postings.stream import total_of_account
from airflow_provider_rma.ledger.proof.accounts import Account, AccountKinds, numbers_by_id, read_accounts
from airflow_provider_rma.ledger.proof.balances import BalanceStatement
from airflow_provider_rma.ledger.proof.prove import Proof
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import ReasonCode
from airflow_provider_rma.ledger.rows import accounts_table
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.destinations.base import Destination

log = logging.getLogger(__name__)


@dataclass
class ExtractRun:
    """One run of the extract: what its months share. The sign convention grows from month to month.

    :param kinds: kinds of accounts.
    :param tolerance: CHF by which a voucher or an account may be off.
    :param keep_unproven: load a month that is not proven, marked as what it is.
    :param skip_unchanged: do not read a month whose balances are those of its last full reading.
    :param task_run: identity of the run, kept in ``loads``.
    :param max_chain_months: months that are read again at most because somebody booked in an earlier one.
    :ivar chain: the links between the months.
    :ivar residuals: residual of the books at the end of each month that was proven.
    :ivar slice_days: days of the longest slice that could be had of the last window that was split. The next window
        begins with them: finding out again what is too much can take many minutes.
    """

    client: RunMyAccountsClient
    destination: Destination
    load_id: str
    kinds: AccountKinds
    tolerance: Decimal
    keep_unproven: bool
    content_type: ContentType
    task_run: str
    skip_unchanged: bool
    max_chain_months: int = MAX_CHAIN_MONTHS
    slice_days: int | None = field(init=False, default=None)
    _chart: dict[str, Account] | None = field(init=False, default=None)
    _is_chart_stored: bool = field(init=False, default=False)
    _convention: SignConvention | None = field(init=False, default=None)
    chain: Chain = field(init=False)
    residuals: dict[Window, Decimal] = field(init=False, default_factory=dict)
    _totals: dict[tuple[str, date], Decimal] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.chain = Chain(
            self.client,
            self.destination,
            self.kinds,
            self.content_type,
            lambda accno, load_id: self.convention.current_number(accno, load_id),
            self.max_chain_months,
        )

    @property
    def tenant(self) -> str:
        """The tenant of the client."""
        return self.client.config.tenant

    @property
    def account_names(self) -> dict[str, str]:
        """Account names by number, once the chart was read."""
        return {accno: account.description for accno, account in (self._chart or {}).items()}

    @property
    def convention(self) -> SignConvention:
        """The sign convention, as it was stored at first."""
        if self._convention is None:
            self._convention = SignConvention.from_dict(self.destination.read_convention(self.tenant))
        return self._convention

    @property
    def known_convention(self) -> SignConvention:
        """The sign convention; an empty one if the warehouse cannot be asked any more."""
        try:
            return self.convention
        except RunMyAccountsError:
            return SignConvention()

    def read_chart(self) -> None:
        """Ask for the chart of accounts, once. Called when a month is read: if none is, nothing is asked."""
        if self._chart is None:
            self._chart = read_accounts(self.client.list_charts(content_type=self.content_type))

    def store_chart(self) -> None:
        """Store the chart of accounts, once, look up the sign convention, and note which accounts were renumbered."""
        if self._is_chart_stored:
            return
        self._convention = self.convention
        noted = self.convention.with_numbers(numbers_by_id((self._chart or {}).values()), self.load_id)
        if len(noted.renumberings) > len(self.convention.renumberings):
            for old, new in noted.renumberings[-1]["numbers"].items():
                log.warning("Account %s has the number %s now; months with the old one are read again.", old, new)
        self.keep_signs(noted)
        accounts = accounts_table(self.tenant, self.load_id, self._chart or {}, self.kinds)
        self.destination.save_accounts(self.tenant, accounts, self.load_id)
        self._is_chart_stored = True

    def note(self, window: Window, statement: BalanceStatement, proof: Proof) -> None:
        """Note what a month that was read says to the others."""
        differing = [account.accno for account in proof.accounts if account.difference]
        self.chain.note(window, statement, is_proven=proof.verdict.is_proven, differing_accounts=differing)
        if proof.books_off_by is not None and ReasonCode.BOOKS_OFF not in {reason.code for reason in proof.reasons}:
            self.residuals[window] = proof.books_off_by

    def keep_signs(self, convention: SignConvention) -> None:
        """Store the sign convention if it has grown."""
        if convention != self._convention:
            self._convention = convention
            self.destination.save_convention(self.tenant, convention.as_dict())

    def chart_numbers(self) -> set[str]:
        """Account numbers of the chart, as it was read."""
        return {*(self._chart or {})}

    def receivables(self) -> set[str]:
        """Numbers of the accounts on which the chart has customers' invoices."""
        return {accno for accno, account in (self._chart or {}).items() if "AR" in account.link.split(":")}

    def look_up(self, accno: str, last: date) -> tuple[Decimal, bool]:
        """Sum all postings of an account up to a day. Returns the sum, and whether it was asked for only now."""
        key = accno, last
        if key in self._totals:
            return self._totals[key], False
        log.info("Reading all postings of account %s up to %s once.", accno, last)
        self._totals[key] = total_of_account(self.client, accno, last, self.content_type)
        return self._totals[key], True

    def is_founded_later(self, window: Window) -> bool:
        """Whether the month after is proven, and opens without any balance."""
        with self.destination.keep_open():
            return self.chain.is_founded_later(window)

    def opens_otherwise(self, window: Window) -> bool:
        """Whether a month that this run has not read is proven, and does not open as the one before closes now."""
        with self.destination.keep_open():
            return self.chain.opens_otherwise(window)

    def is_proven(self, window: Window) -> bool:
        """Whether the warehouse holds a month as proven."""
        with self.destination.keep_open():
            return self.chain.stored(window) is not None

    def evidence(self, window: Window, rows_before: int) -> MonthEvidence:
        """Collect what the warehouse and this run know of a month and of the one before."""
        chain = self.chain
        return MonthEvidence(
            self,
            window,
            before=chain.stored(window.previous),
            own=chain.stored(window),
            rows_before=rows_before,
            is_founded_later=chain.is_founded_later(window),
            renumbered=chain.renumbered(window),
        )
