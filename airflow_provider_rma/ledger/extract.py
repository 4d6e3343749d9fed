"""The ledger of one tenant into a destination: window by window read, proven, replaced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger import schedule
from airflow_provider_rma.ledger.changes import COLUMNS, Changes, Compared, compare
from airflow_provider_rma.ledger.month import MonthRun
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, SlicePlan
from airflow_provider_rma.ledger.postings.stream import ReadResult, read_postings, receive_postings, total_of_account
from airflow_provider_rma.ledger.proof.accounts import AccountKinds, read_accounts
from airflow_provider_rma.ledger.proof.balances import CALLS, BalanceStatement, read_statement
from airflow_provider_rma.ledger.proof.prove import (
    TOLERANCE,
    ZERO,
    Proof,
    Reason,
    ReasonCode,
    Verdict,
    prove,
    unsettled,
)
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.result import LedgerResult, MonthState, WindowResult
from airflow_provider_rma.ledger.resume import ResumePolicy
from airflow_provider_rma.ledger.rows import (
    accounts_table,
    balances_table,
    load_table,
    new_load_id,
    proofs_table,
    provider_version,
    reasons_json,
)
from airflow_provider_rma.ledger.run_log import report, tell, unproven
from airflow_provider_rma.ledger.skip import marked, not_read, stands_since
from airflow_provider_rma.ledger.windows import REREAD_DAYS, Window, today_in_zurich, windows

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.destinations import Destination, Stage

log = logging.getLogger(__name__)

#: How often the books may move while a window is read before they are called unsettled.
ATTEMPTS = 3


def extract_ledger(
    client: RunMyAccountsClient,
    destination: Destination,
    *,
    from_date: date | str | None = None,
    to_date: date | str | None = None,
    reread_days: int = REREAD_DAYS,
    on_unproven: str = "fail",
    tolerance: Decimal | int | str = TOLERANCE,
    account_kinds: Mapping[str, str] | None = None,
    content_type: ContentType | None = None,
    skip_unchanged: bool = False,
    resume_since: date | datetime | str | None = None,
    stop_at: datetime | str | None = None,
    run: str = "",
    today: date | None = None,
    clock: Callable[[], datetime] | None = None,
    on_result: Callable[[LedgerResult], None] | None = None,
) -> LedgerResult:
    """Carry the general ledger of the client's tenant into a destination, whole months at a time.

    Each month is read, proven against the service's own balances, and replaced in one transaction, also if it has
    become empty. A month whose content has not changed is proven again and not rewritten.

    :param client: client of the tenant; it is only read from.
    :param destination: an opened destination.
    :param from_date: a day in the first month; :func:`~airflow_provider_rma.ledger.windows.windows` says the default.
    :param to_date: a day in the last month, inclusive.
    :param reread_days: days to go back by default.
    :param on_unproven: ``fail``: a month that is not proven keeps its old state, the others are still done, then the
        run fails. ``keep``: it is loaded and marked as what it is.
    :param tolerance: CHF by which a voucher or an account may be off and still count as ``tolerated``.
    :param account_kinds: kind by account number or pattern where the first digit does not tell; see
        :class:`~airflow_provider_rma.ledger.proof.accounts.AccountKinds`.
    :param content_type: ``xml`` by default, the form that is documented for the ledger; ``json`` gives the same rows.
    :param skip_unchanged: do not read a month whose balances are those of its last full reading; it is then
        ``balances_only``. Each month is read in full at least every seven days all the same.
    :param resume_since: months that were done at this :func:`~.schedule.read_moment` or later are passed over without
        a request; :class:`~.resume.ResumePolicy` says what counts.
    :param stop_at: no month is begun from this :func:`~.schedule.stop_moment` on; the run then ends well.
    :param run: identity of the run, kept in ``loads``.
    :param today: the run's day; by default the day it is in Zurich.
    :param clock: gives the present, with a zone, for ``stop_at``.
    :param on_result: is given the result also of a run that then fails because a month is not proven.
    :raises ConfigurationError: for a parameter that cannot be understood; nothing was sent.
    :raises UnprovenError: with ``fail``, if a month is not proven.
    :raises RequestError: if an answer cannot be had or read. Months that were done before stay done.
    """
    if on_unproven not in ("fail", "keep"):
        raise ConfigurationError("on_unproven is neither fail nor keep.", advice="Use fail (default) or keep.")
    today, clock = today or today_in_zurich(), clock or schedule.now
    period = windows(from_date, to_date, reread_days=reread_days, today=today)
    since, stop = schedule.read_moment(resume_since, "resume_since"), schedule.stop_moment(stop_at, clock())
    extract = _Extract(
        client=client,
        destination=destination,
        tenant=client.config.tenant,
        load_id=new_load_id(),
        kinds=AccountKinds(account_kinds),
        tolerance=_tolerance(tolerance),
        keep=on_unproven == "keep",
        content_type=content_type or "xml",
        run=run,
        skip=skip_unchanged,
        resume=ResumePolicy(since, today),
        is_over=lambda: stop is not None and clock() >= stop,
    )
    result = extract.all(period)
    report(result)
    if on_result is not None:
        on_result(result)
    if result.months(MonthState.REJECTED):
        raise unproven(result)
    return result


def _tolerance(given: Decimal | int | str) -> Decimal:
    try:
        tolerance = Decimal(str(given))
        usable = tolerance.is_finite() and tolerance >= 0
    except InvalidOperation:
        usable = False
    if not usable:
        raise ConfigurationError("tolerance is no amount from 0.", advice="Give CHF, e.g. 0.01.")
    return tolerance


@dataclass
class _Extract:
    """One run. Its convention and names grow from window to window."""

    client: RunMyAccountsClient
    destination: Destination
    tenant: str
    load_id: str
    kinds: AccountKinds
    tolerance: Decimal
    keep: bool
    content_type: ContentType
    run: str
    skip: bool
    resume: ResumePolicy
    is_over: Callable[[], bool]
    _convention: SignConvention = field(init=False)
    _names: Mapping[str, str] = field(init=False, default_factory=dict)
    _looked_up: set[str] = field(init=False, default_factory=set)
    #: Days of the longest part that could be had of the last window that was split. The next one begins with them:
    #: finding out again what is too much can take many minutes.
    _days: int | None = field(init=False, default=None)

    def all(self, period: list[Window]) -> LedgerResult:
        """All windows, oldest first, until it is time to stop."""
        log.info(
            "Ledger of tenant %s: %d months, %s to %s, into %s %s (load %s).",
            self.tenant, len(period), period[0], period[-1], self.destination.kind, self.destination.location,
            self.load_id,
        )  # fmt: skip
        with self.destination.held() if self.resume.since else nullcontext():
            done = self.resume.done(self.destination, self.tenant, period)
        results, remaining = list[WindowResult](), list[Window]()
        for window in period:
            if window in done:
                results.append(done[window])
            elif self.is_over():
                remaining.append(window)
            else:
                results.append(self._window(window))
        if not self._names:
            self._convention = self._stored_convention()
        return LedgerResult(
            tenant=self.tenant,
            load_id=self.load_id,
            kind=self.destination.kind,
            location=self.destination.location,
            windows=results,
            convention=self._convention.names(self.kinds),
            remaining=remaining,
        )

    def _read_chart(self) -> pa.Table:
        """The chart of accounts. Not before a month is read: where nothing is to be read, nothing is asked."""
        accounts = read_accounts(self.client.list_charts(content_type=self.content_type))
        self._names = {accno: account.description for accno, account in accounts.items()}
        return accounts_table(self.tenant, self.load_id, accounts, self.kinds)

    def _stored_convention(self) -> SignConvention:
        return SignConvention.from_dict(self.destination.convention(self.tenant))

    def _window(self, window: Window) -> WindowResult:
        accounts = None if self._names else self._read_chart()
        visit = MonthRun(window, pendulum.now("UTC"))
        statement, result = self._statement(visit), None
        with self.destination.held():
            if accounts is not None:
                self._convention = self._stored_convention()
                self.destination.save_accounts(self.tenant, accounts, self.load_id)
            visit.rows_before = self.destination.rows(self.tenant, window)
            visit.is_loaded = self.destination.is_loaded(self.tenant, window)
            since = self._stands_since(visit, statement)
            if since is not None:
                return self._skip(visit, statement, since)
        visit.plan = SlicePlan(window, self._names.keys() | statement.accounts.keys(), self._days)
        while result is None:
            visit.attempts += 1
            result, statement = self._attempt(visit, statement)
        if visit.plan.refused:
            self._days = visit.plan.longest
        tell(result)
        return result

    def _stands_since(self, visit: MonthRun, statement: BalanceStatement) -> datetime | None:
        if not (self.skip and visit.is_loaded):
            return None
        return stands_since(self.destination, self.tenant, visit.window, statement, visit.started)

    def _skip(self, visit: MonthRun, statement: BalanceStatement, since: datetime) -> WindowResult:
        """Leave the month as it is loaded, and mark it."""
        window, why = visit.window, not_read(since)
        result = visit.result(MonthState.SKIPPED, Proof(Verdict.BALANCES_ONLY, (why,)), visit.rows_before)
        loaded = self.destination.table("proofs", self.tenant, window)
        proofs = marked(loaded, self.load_id, reasons_json([why]))
        names = {**statement.names, **{accno: name for accno, name in self._names.items() if name}}
        balances = balances_table(self.tenant, self.load_id, window, statement, names, self._convention)
        with self.destination.stage(self.tenant, window) as stage:
            stage.confirm(balances=balances, proofs=proofs, load=load_table(self._load(visit, result, None)))
        tell(result)
        return result

    def _attempt(self, visit: MonthRun, before: BalanceStatement) -> tuple[WindowResult | None, BalanceStatement]:
        """Read and decide.

        :param before: what the service stated just before.
        :returns: the result, None if the month has to be read again, and what the service states now.
        """
        window = visit.window
        names = {**before.names, **{accno: name for accno, name in self._names.items() if name}}
        batches = PostingBatches(self.tenant, window, self.load_id, names)
        with receive_postings(self.client, visit.plan, self.content_type) as received:
            after = self._statement(visit)
            moved = after.moved_since(before)
            visit.moves += bool(moved)
            if moved and visit.moves < ATTEMPTS:
                log.warning("%s: balances moved while the postings were read; reading the month again.", window)
                return None, after
            with self.destination.stage(self.tenant, window, fresh=not visit.is_loaded) as stage:
                try:
                    reading = read_postings(received, visit.plan, batches, stage.write, compared=visit.is_loaded)
                except RestartMonthError as broken:
                    log.warning("%s: %s Reading the month again.", window, broken)
                    return None, after
                proof = unsettled(moved, visit.moves, self._convention) if moved else self._prove(visit, reading, after)
                with self.destination.held():
                    result = self._decide(visit, stage, reading, after, names, proof)
                    self._keep_signs(proof.convention)
                return result, after

    def _statement(self, visit: MonthRun) -> BalanceStatement:
        visit.calls += CALLS
        return read_statement(self.client, visit.window, self.kinds, self.content_type)

    def _prove(self, visit: MonthRun, reading: ReadResult, statement: BalanceStatement) -> Proof:
        proof = self._proof(visit, reading, statement, self._convention)
        still = proof.without_sign() if proof.proven else []
        signs = {accno: sign for accno in still if (sign := self._look_up(visit, accno, statement)) is not None}
        if not signs:
            return proof
        return self._proof(visit, reading, statement, self._convention.with_signs(signs, visit.window.name))

    def _proof(
        self, visit: MonthRun, reading: ReadResult, statement: BalanceStatement, convention: SignConvention
    ) -> Proof:
        return prove(
            visit.window.name,
            reading.postings,
            statement.accounts,
            convention=convention,
            kinds=self.kinds,
            rows_before=visit.rows_before,
            tolerance=self.tolerance,
        )

    def _look_up(self, visit: MonthRun, accno: str, statement: BalanceStatement) -> int | None:
        """Sign of an account that stands still with a balance: all its postings tell. Asked once, then it is known."""
        if accno in self._looked_up:
            return None
        self._looked_up.add(accno)
        log.info("%s: account %s stands still; reading all its postings once for its sign.", visit.window, accno)
        visit.calls += 1
        total = total_of_account(self.client, accno, visit.window.end, self.content_type)
        stated = statement.accounts[accno].closing or ZERO
        fitting = [sign for sign in (1, -1) if abs(sign * total - stated) <= self.tolerance]
        return fitting[0] if len(fitting) == 1 else None

    def _keep_signs(self, convention: SignConvention) -> None:
        if convention != self._convention:
            self._convention = convention
            self.destination.save_convention(self.tenant, convention.as_dict())

    def _decide(
        self,
        visit: MonthRun,
        stage: Stage,
        reading: ReadResult,
        statement: BalanceStatement,
        names: Mapping[str, str],
        proof: Proof,
    ) -> WindowResult:
        """Let the window take the place of the old one, or not."""
        window = visit.window
        if not (proof.proven or self.keep):
            state = MonthState.REJECTED
        # Looked up now: while a month is read, which can take minutes, another run may have replaced it.
        elif visit.is_loaded and self.destination.fingerprints(self.tenant, window) == reading.fingerprints:
            state = MonthState.UNCHANGED
        else:
            state = MonthState.CHANGED
        loaded = state is not MonthState.REJECTED
        with self._compared(visit, stage, state, reading) as found:
            changes = found.changes if found else None
            if changes:
                proof = replace(proof, reasons=(*proof.reasons, *self._alarm(window, changes)))
            result = visit.result(state, proof, reading.postings.rows, changes)
            proofs = proofs_table(self.tenant, self.load_id, window, proof, loaded=loaded)
            load = load_table(self._load(visit, result, reading.postings.announced))
            if not loaded:
                stage.reject(proofs=proofs, load=load)
                return result
            balances = balances_table(self.tenant, self.load_id, window, statement, names, proof.convention)
            if state is MonthState.UNCHANGED:
                stage.confirm(balances=balances, proofs=proofs, load=load)
            else:
                changed = found.rows.batches() if found else ()
                stage.commit(balances=balances, proofs=proofs, load=load, changes=changed)
        return result

    def _compared(
        self, visit: MonthRun, stage: Stage, state: MonthState, reading: ReadResult
    ) -> AbstractContextManager[Compared | None]:
        """What became of the vouchers since the month was loaded before; None if it never was, or is not replaced."""
        if state is not MonthState.CHANGED or not visit.is_loaded:
            return nullcontext()
        return compare(
            self.destination.loaded_batches(self.tenant, visit.window, COLUMNS),
            stage.staged_batches(COLUMNS),
            load={"load_id": self.load_id, "tenant": self.tenant, "month": visit.window.start},
            lines=visit.rows_before + reading.postings.rows,
            folder=self.destination.spool_folder,
        )

    def _alarm(self, window: Window, changes: Changes) -> Iterator[Reason]:
        closed = self.client.config.closed_until
        if closed is not None and window.end <= closed:
            text = f"The books are closed until {closed.isoformat()}, and this month has changed: {changes}."
            log.warning("%s: %s", window, text)
            yield Reason(ReasonCode.CLOSED_MONTH_CHANGED, text, Verdict.EXACT)

    def _load(self, visit: MonthRun, result: WindowResult, announced: int | None) -> dict[str, Any]:
        return {
            "load_id": self.load_id,
            "tenant": self.tenant,
            "month": visit.window.start,
            "started_at": visit.started,
            "finished_at": pendulum.now("UTC"),
            "rows": result.rows,
            "rows_before": result.rows_before,
            "announced": announced,
            "verdict": result.verdict.value,
            "loaded": result.state is not MonthState.REJECTED,
            "attempts": result.attempts,
            "calls": result.calls,
            "seconds": round(result.seconds, 3),
            "run": self.run or None,
            "provider_version": provider_version() or None,
        }
