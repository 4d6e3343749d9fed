"""One month of a run: read, proven against the service's balances, and replaced in one transaction.

:class:`ExtractRun` is what the months of a run share, :class:`MonthRun` one of them on its way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_rma.ledger.changes import COLUMNS, ChangeReport, Changes, compare_readings
from airflow_provider_rma.ledger.destinations.base import WindowTables
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, SlicePlan
from airflow_provider_rma.ledger.postings.stream import (
    RawPostings,
    ReadResult,
    read_postings,
    receive_postings,
    total_of_account,
)
from airflow_provider_rma.ledger.proof.accounts import Account, AccountKinds, read_accounts
from airflow_provider_rma.ledger.proof.balances import CALLS, ZERO, BalanceStatement, read_statement
from airflow_provider_rma.ledger.proof.prove import Proof, prove, unsettled_proof
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import MonthState, WindowResult
from airflow_provider_rma.ledger.resume import mark_balances_only, not_read_reason, unchanged_since
from airflow_provider_rma.ledger.rows import (
    accounts_table,
    balances_table,
    load_table,
    proofs_table,
    provider_version,
    reasons_json,
)
from airflow_provider_rma.ledger.windows import MonthLoad, Window

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.destinations.base import Destination, Stage

log = logging.getLogger(__name__)

#: How often the books may move while a window is read before they are called unsettled.
ATTEMPTS = 3


@dataclass
class ExtractRun:
    """One run of the extract: what its months share. The sign convention grows from month to month.

    :param kinds: kinds of accounts.
    :param tolerance: CHF by which a voucher or an account may be off.
    :param keep_unproven: load a month that is not proven, marked as what it is.
    :param skip_unchanged: do not read a month whose balances are those of its last full reading.
    :param task_run: identity of the run, kept in ``loads``.
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
    slice_days: int | None = field(init=False, default=None)
    _chart: dict[str, Account] | None = field(init=False, default=None)
    _is_chart_stored: bool = field(init=False, default=False)
    _convention: SignConvention | None = field(init=False, default=None)
    _looked_up: set[str] = field(init=False, default_factory=set)

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

    def read_chart(self) -> None:
        """Ask for the chart of accounts, once. Called when a month is read: if none is, nothing is asked."""
        if self._chart is None:
            self._chart = read_accounts(self.client.list_charts(content_type=self.content_type))

    def store_chart(self) -> None:
        """Store the chart of accounts, once, and look up the sign convention."""
        if self._is_chart_stored:
            return
        self._convention = self.convention
        accounts = accounts_table(self.tenant, self.load_id, self._chart or {}, self.kinds)
        self.destination.save_accounts(self.tenant, accounts, self.load_id)
        self._is_chart_stored = True

    def keep_signs(self, convention: SignConvention) -> None:
        """Store the sign convention if it has grown."""
        if convention != self._convention:
            self._convention = convention
            self.destination.save_convention(self.tenant, convention.as_dict())

    def begin_look_up(self, accno: str) -> bool:
        """Note that the sign of an account is looked up. Returns False if it was looked up before."""
        if accno in self._looked_up:
            return False
        self._looked_up.add(accno)
        return True


class MonthRun:
    """One window under way.

    :ivar rows_before: postings loaded at the beginning.
    :ivar is_loaded: whether the window was ever loaded.
    :ivar attempts: how often it was read.
    :ivar moves: how often the books moved meanwhile.
    :ivar calls: requests made, those for postings not counted.
    :ivar plan: the slices in which it is read.
    """

    def __init__(self, run: ExtractRun, window: Window) -> None:
        self.run = run
        self.window = window
        self.load = MonthLoad(run.tenant, window, run.load_id)
        self.plan = SlicePlan(window)
        self.rows_before = 0
        self.is_loaded = False
        self.attempts = 0
        self.moves = 0
        self.calls = 0
        self._started: datetime = pendulum.now("UTC")
        self._clock = time.monotonic()

    def execute(self) -> WindowResult:
        """Read the month until the books stood still meanwhile, and let it take the place of the old one, or not."""
        run = self.run
        statement, result = self._read_statement(), None
        with run.destination.keep_open():
            run.store_chart()
            self.rows_before = run.destination.count_postings(run.tenant, self.window)
            self.is_loaded = run.destination.is_loaded(run.tenant, self.window)
            since = self._unchanged_since(statement)
            if since is not None:
                return self._confirm_unread(statement, since)
        self.plan = SlicePlan(self.window, run.account_names.keys() | statement.accounts.keys(), run.slice_days)
        while result is None:
            self.attempts += 1
            result, statement = self._attempt(statement)
        if self.plan.refused:
            run.slice_days = self.plan.longest
        return result

    def _read_statement(self) -> BalanceStatement:
        self.calls += CALLS
        return read_statement(self.run.client, self.window, self.run.kinds, self.run.content_type)

    def _unchanged_since(self, statement: BalanceStatement) -> datetime | None:
        if not (self.run.skip_unchanged and self.is_loaded):
            return None
        return unchanged_since(self.run.destination, self.run.tenant, self.window, statement, self._started)

    def _confirm_unread(self, statement: BalanceStatement, since: datetime) -> WindowResult:
        """Leave the month as it is loaded, and mark it."""
        run, reason = self.run, not_read_reason(since)
        result = self._result(MonthState.SKIPPED, Proof(Verdict.BALANCES_ONLY, (reason,)), self.rows_before)
        loaded = run.destination.read_table("proofs", run.tenant, self.window)
        proofs = mark_balances_only(loaded, run.load_id, reasons_json([reason]))
        balances = balances_table(self.load, statement, self._names(statement), run.convention)
        with run.destination.stage(run.tenant, self.window) as stage:
            stage.confirm(WindowTables(balances=balances, proofs=proofs, load=load_table(self._load_row(result, None))))
        return result

    def _names(self, statement: BalanceStatement) -> Mapping[str, str]:
        """Account names: those of the chart, else those that come with the balances."""
        return {**statement.names, **{accno: name for accno, name in self.run.account_names.items() if name}}

    def _attempt(self, before: BalanceStatement) -> tuple[WindowResult | None, BalanceStatement]:
        """Read the month, and decide.

        :param before: what the service stated just before.
        :returns: the result, None if the month has to be read again, and what the service states now.
        """
        with receive_postings(self.run.client, self.plan, self.run.content_type) as received:
            after = self._read_statement()
            moved = after.moved_since(before)
            self.moves += bool(moved)
            if moved and self.moves < ATTEMPTS:
                log.warning("%s: balances moved while the postings were read; reading the month again.", self.window)
                return None, after
            batches = PostingBatches(self.load, self._names(before))
            try:
                return self._stage(received, batches, after, moved), after
            except RestartMonthError as broken:
                log.warning("%s: %s Reading the month again.", self.window, broken)
                return None, after

    def _stage(
        self, received: RawPostings, batches: PostingBatches, statement: BalanceStatement, moved: list[str]
    ) -> WindowResult:
        """Stage what was received, prove it, and decide.

        :param moved: accounts whose balances moved meanwhile; if there are any, nothing can be proven.
        """
        run = self.run
        with run.destination.stage(run.tenant, self.window) as stage:
            reading = read_postings(received, self.plan, batches, stage.write, compared=self.is_loaded)
            proof = unsettled_proof(moved, self.moves, run.convention) if moved else self._prove(reading, statement)
            with run.destination.keep_open():
                result = self._decide(stage, reading, proof, statement, batches.names)
                run.keep_signs(proof.convention)
            return result

    def _prove(self, reading: ReadResult, statement: BalanceStatement) -> Proof:
        proof = self._prove_with(self.run.convention, reading, statement)
        idle = proof.accounts_without_sign() if proof.verdict.is_proven else []
        signs = {accno: sign for accno in idle if (sign := self._look_up_sign(accno, statement)) is not None}
        if not signs:
            return proof
        return self._prove_with(self.run.convention.with_signs(signs, self.window.name), reading, statement)

    def _prove_with(self, convention: SignConvention, reading: ReadResult, statement: BalanceStatement) -> Proof:
        return prove(
            self.window.name,
            reading.postings,
            statement.accounts,
            convention=convention,
            kinds=self.run.kinds,
            rows_before=self.rows_before,
            tolerance=self.run.tolerance,
        )

    def _look_up_sign(self, accno: str, statement: BalanceStatement) -> int | None:
        """Find the sign of an account that has a balance and does not move, from all its postings. Asked once a run."""
        if not self.run.begin_look_up(accno):
            return None
        log.info("%s: account %s stands still; reading all its postings once for its sign.", self.window, accno)
        self.calls += 1
        total = total_of_account(self.run.client, accno, self.window.end, self.run.content_type)
        stated = statement.accounts[accno].closing or ZERO
        fitting = [sign for sign in (1, -1) if abs(sign * total - stated) <= self.run.tolerance]
        return fitting[0] if len(fitting) == 1 else None

    def _decide(
        self, stage: Stage, reading: ReadResult, proof: Proof, statement: BalanceStatement, names: Mapping[str, str]
    ) -> WindowResult:
        """Let the window take the place of the old one, or not."""
        state = self._choose_state(reading, proof)
        loaded = state is not MonthState.REJECTED
        with self._compare(stage, state, reading) as report:
            changes = report.changes if report else None
            if changes:
                proof = replace(proof, reasons=(*proof.reasons, *self._closed_month_alarm(changes)))
            result = self._result(state, proof, reading.postings.rows, changes)
            proofs = proofs_table(self.load, proof, loaded=loaded)
            load = load_table(self._load_row(result, reading.postings.announced))
            if not loaded:
                stage.reject(WindowTables(proofs=proofs, load=load))
                return result
            balances = balances_table(self.load, statement, names, proof.convention)
            if state is MonthState.UNCHANGED:
                stage.confirm(WindowTables(balances=balances, proofs=proofs, load=load))
            else:
                changed = report.rows.batches() if report else ()
                stage.commit(WindowTables(balances=balances, proofs=proofs, load=load, changes=changed))
        return result

    def _choose_state(self, reading: ReadResult, proof: Proof) -> MonthState:
        run = self.run
        if not (proof.verdict.is_proven or run.keep_unproven):
            return MonthState.REJECTED
        # Looked up now: while a month is read, which can take minutes, another run may have replaced it.
        if self.is_loaded and run.destination.read_fingerprints(run.tenant, self.window) == reading.fingerprints:
            return MonthState.UNCHANGED
        return MonthState.CHANGED

    def _compare(
        self, stage: Stage, state: MonthState, reading: ReadResult
    ) -> AbstractContextManager[ChangeReport | None]:
        """Compare the vouchers with those that are loaded; None if the month never was, or is not replaced."""
        if state is not MonthState.CHANGED or not self.is_loaded:
            return nullcontext()
        destination = self.run.destination
        return compare_readings(
            destination.read_loaded(self.run.tenant, self.window, COLUMNS),
            stage.read_staged(COLUMNS),
            load=self.load,
            lines=self.rows_before + reading.postings.rows,
            folder=destination.buffer_folder,
        )

    def _closed_month_alarm(self, changes: Changes) -> Iterator[Reason]:
        closed = self.run.client.config.closed_until
        if closed is not None and self.window.end <= closed:
            text = f"The books are closed until {closed.isoformat()}, and this month has changed: {changes}."
            log.warning("%s: %s", self.window, text)
            yield Reason(ReasonCode.CLOSED_MONTH_CHANGED, text, Verdict.EXACT)

    def _result(self, state: MonthState, proof: Proof, rows: int, changes: Changes | None = None) -> WindowResult:
        """Return what is known when the month is decided."""
        return WindowResult(
            window=self.window,
            state=state,
            verdict=proof.verdict,
            reasons=proof.reasons,
            rows=rows,
            rows_before=self.rows_before,
            attempts=self.attempts,
            calls=self.calls + self.plan.calls,
            slices=tuple(map(str, self.plan.slices)) if self.plan.is_split else (),
            changes=changes,
            seconds=time.monotonic() - self._clock,
        )

    def _load_row(self, result: WindowResult, announced: int | None) -> dict[str, Any]:
        return {
            **self.load.columns(),
            "started_at": self._started,
            "finished_at": pendulum.now("UTC"),
            "rows": result.rows,
            "rows_before": result.rows_before,
            "announced": announced,
            "verdict": result.verdict.value,
            "loaded": result.state is not MonthState.REJECTED,
            "attempts": result.attempts,
            "calls": result.calls,
            "seconds": round(result.seconds, 3),
            "run": self.run.task_run or None,
            "provider_version": provider_version() or None,
        }
