"""One month of a run: read, proven against the service's balances, and replaced in one transaction.

:mod:`.extract_run` is what the months of a run share.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_rma.exceptions import IncompleteResponseError
from airflow_provider_rma.ledger.changes import COLUMNS, ChangeReport, Changes, compare_readings
from airflow_provider_rma.ledger.destinations.base import WindowTables
from airflow_provider_rma.ledger.evidence import DIRECTION_COLUMNS, MonthEvidence, gone_reasons
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, SlicePlan
from airflow_provider_rma.ledger.postings.stream import (
    RawPostings,
    ReadResult,
    read_postings,
    receive_postings,
)
from airflow_provider_rma.ledger.proof.balances import CALLS, CALLS_IN_FULL, BalanceStatement, read_statement
from airflow_provider_rma.ledger.proof.prove import Proof, prove, unsettled_proof
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import PROVEN, Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import MonthState, WindowResult
from airflow_provider_rma.ledger.resume import mark_balances_only, not_read_reason, unchanged_since
from airflow_provider_rma.ledger.rows import (
    balances_table,
    load_table,
    proofs_table,
    provider_version,
    reasons_json,
)
from airflow_provider_rma.ledger.windows import MonthLoad, Window

if TYPE_CHECKING:
    from airflow_provider_rma.exceptions import RequestError
    from airflow_provider_rma.ledger.destinations.base import Stage
    from airflow_provider_rma.ledger.extract_run import ExtractRun

log = logging.getLogger(__name__)

#: How often the books may move while a window is read before they are called unsettled.
ATTEMPTS = 3


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
        self.evidence: MonthEvidence
        self._started: datetime = pendulum.now("UTC")
        self._clock = time.monotonic()

    def execute(self) -> WindowResult:
        """Read the month until the books stood still meanwhile, and let it take the place of the old one, or not.

        :raises BrokenLinkError: it does not open as the month before closed, which has to be read again first.
        """
        run = self.run
        statement, result = self._read_statement(), None
        with run.destination.keep_open():
            run.store_chart()
            self.rows_before = run.destination.count_postings(run.tenant, self.window)
            self.is_loaded = run.destination.is_loaded(run.tenant, self.window)
            self.evidence = run.evidence(self.window, self.rows_before)
            since = self._unchanged_since(statement)
            if since is not None:
                return self._confirm_unread(statement, since)
        self.evidence.check_link(statement)
        self.plan = SlicePlan(self.window, run.account_names.keys() | statement.accounts.keys(), run.slice_days)
        while result is None:
            self.attempts += 1
            result, statement = self._attempt(statement)
        if self.plan.refused:
            run.slice_days = self.plan.longest
        return result

    def fail(self, error: RequestError) -> WindowResult:
        """Record that the month could not be read. What is loaded stays.

        :param error: why.
        :raises DestinationError: it could not be recorded.
        """
        run, code = self.run, ReasonCode.READ_FAILED
        if isinstance(error, IncompleteResponseError) and error.is_miscounted:
            code = ReasonCode.COUNT_WRONG
        proof = Proof(Verdict.UNPROVEN, (Reason(code, str(error), Verdict.UNPROVEN),))
        run.chain.note_unread(self.window)
        with run.destination.keep_open():
            self.rows_before = run.destination.count_postings(run.tenant, self.window)
            result = replace(self._result(MonthState.FAILED, proof, 0), retryable=error.retryable)
            with run.destination.stage(run.tenant, self.window) as stage:
                proofs = proofs_table(self.load, proof, loaded=False)
                stage.reject(WindowTables(proofs=proofs, load=load_table(self._load_row(result, None))))
        return result

    def _read_statement(self, *, in_full: bool = False) -> BalanceStatement:
        self.calls += CALLS_IN_FULL if in_full else CALLS
        run = self.run
        return read_statement(run.client, self.window, run.kinds, run.content_type, in_full=in_full)

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
            after = self._read_statement(in_full=True)
            # A contradiction that was there before is no sign of somebody who books.
            moved = after.moved_since(before) or sorted(after.contradictions - before.contradictions)
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
            proof = (
                unsettled_proof(moved, self.moves, run.convention) if moved else self._prove(reading, statement, stage)
            )
            with run.destination.keep_open():
                result = self._decide(stage, reading, proof, statement, batches.names)
                if proof.verdict.is_proven:
                    run.keep_signs(proof.convention)
                if result.state is not MonthState.REJECTED:
                    left = sum((voucher.difference for voucher in reading.postings.unbalanced), Decimal(0))
                    run.keep_signs(run.convention.with_named(self.window.name, left))
            run.note(self.window, statement, proof)
            return result

    def _prove(self, reading: ReadResult, statement: BalanceStatement, stage: Stage) -> Proof:
        """Prove the month by its own figures, and then by what else is known.

        :raises BrokenLinkError: see :meth:`execute`.
        """
        evidence, proof = self.evidence, self._prove_with(self.run.convention, reading, statement)
        calls = evidence.calls
        if all(reason.verdict in PROVEN or reason.code is ReasonCode.SIGN_UNKNOWN for reason in proof.reasons):
            signs, reasons = evidence.find_signs(proof.accounts_without_sign(), statement)
            if signs:
                learned = self.run.convention.with_signs(signs, self.window.name)
                proof = self._prove_with(learned, reading, statement)
            proof = proof.with_reasons(reasons)
        if proof.is_ambiguous:
            proof = self._prove_direction(proof, reading, statement, stage)
        proof = evidence.judge(proof, reading.postings, statement)
        self.calls += evidence.calls - calls
        return proof

    def _prove_direction(self, proof: Proof, reading: ReadResult, statement: BalanceStatement, stage: Stage) -> Proof:
        """Look up an invoice of the month, if the signs fit two readings: its posting tells debit from credit."""
        is_debit, reason = self.evidence.find_direction(stage.read_staged(DIRECTION_COLUMNS))
        if is_debit:
            known = replace(proof.convention, direction=self.window.name)
            is_proven = proof.verdict.is_proven
            return replace(proof, convention=known) if is_proven else self._prove_with(known, reading, statement)
        is_told = reason is not None and (is_debit is False or not proof.verdict.is_proven)
        return proof.with_reasons([reason] if is_told and reason else [])

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

    def _decide(
        self, stage: Stage, reading: ReadResult, proof: Proof, statement: BalanceStatement, names: Mapping[str, str]
    ) -> WindowResult:
        """Let the window take the place of the old one, or not."""
        state = self._choose_state(reading, proof)
        loaded = state is not MonthState.REJECTED
        with self._compare(stage, state, reading, proof) as report:
            changes = report.changes if report else None
            if changes and loaded:
                proof = replace(proof, reasons=(*proof.reasons, *self._closed_month_alarm(changes)))
            elif changes:
                proof = proof.with_reasons(gone_reasons(changes))
                changes = None
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
        self, stage: Stage, state: MonthState, reading: ReadResult, proof: Proof
    ) -> AbstractContextManager[ChangeReport | None]:
        """Compare the vouchers with those that are loaded; None if the month never was, or if nothing is to be told."""
        is_refused = state is MonthState.REJECTED and proof.verdict is Verdict.BROKEN
        is_telling = state is MonthState.CHANGED or is_refused
        if not is_telling or not self.is_loaded:
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
            books_off_by=proof.books_off_by,
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
            "loaded": result.is_loaded,
            "attempts": result.attempts,
            "calls": result.calls,
            "seconds": round(result.seconds, 3),
            "run": self.run.task_run or None,
            "provider_version": provider_version() or None,
        }
