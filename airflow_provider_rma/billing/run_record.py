"""The record that a run leaves: outcome files, a link in the tenant's chain of evidence, a page, and a verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import IO, Any, Self

import pendulum
import sqlalchemy as sa

from airflow_provider_rma.billing.evidence.earlier_runs import EarlierRunRecorder
from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
from airflow_provider_rma.billing.files import OUTCOMES, RUN_PAGE, RunFolder, append_line, storage_errors, to_line
from airflow_provider_rma.billing.journal.runs import RunRegistry, StatedElsewhereError
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import SENT, DocumentResult, Outcome, RunSummary
from airflow_provider_rma.billing.pages.html import render_run
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.storage import describe_error, try_temporary_folder
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import BillingError, InDoubtError, RunMyAccountsError, StorageError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.formatting import format_time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provenance:
    """Who and what stands behind a run in its evidence.

    :param evidence: writer of the tenant's chain of evidence; None leaves none.
    :param approver: who approved the plan; empty if nobody did.
    :param versions: versions that only the caller knows, e.g. of Airflow.
    """

    evidence: EvidenceWriter | None = None
    approver: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass
class RunRecord:
    """Puts a run on record when it ends, however it ends.

    A context manager around the run. At its end it writes the outcome files, the evidence and a page, then it logs the
    summary and raises :class:`BillingError` if outcomes occurred that fail the run. An error of the run passes through
    after the record is written. Also when the task is being killed: what was sent must be on file. Each part is written
    whatever becomes of the others.

    :param summary: of the run; counts and paths are filled in at the end.
    :param results: returns outcome and original record of every record, each time it is called.
    :param failing: outcomes that fail the run.
    :param registry: the runs, as the send journal knows them.
    :ivar failure: the error that ended the run early, if one of ours did.
    :raises StorageError: at the end, if a part could not be written; the next run completes the record.
    :raises EvidenceError: likewise, if only the evidence could not be written.
    """

    summary: RunSummary
    results: Callable[[], Iterable[tuple[DocumentResult, Mapping[str, Any]]]]
    folder: RunFolder
    config: ClientConfig
    policy: Policy
    failing: Collection[Outcome]
    provenance: Provenance
    registry: RunRegistry
    started: datetime = field(default_factory=lambda: pendulum.now("UTC"))
    failure: RunMyAccountsError | None = None
    _earlier: list[str] = field(default_factory=list)
    _growing: IO[bytes] | None = None
    _is_entered: bool = False
    _evidence: EvidenceRef | None = None

    def __enter__(self) -> Self:
        """Try everything that the record is written to, before anything is sent.

        :raises StorageError: if a folder of the record, or the temporary folder, cannot be written.
        """
        try_temporary_folder()
        self.folder.try_writing()
        if self.provenance.evidence is not None:
            self.provenance.evidence.try_writing()
        return self

    def complete_earlier(self) -> None:
        """Put earlier runs on record that could not do so themselves.

        :raises RunMyAccountsError: if that fails; nothing was sent then.
        """
        if self.provenance.evidence is None:
            return
        recorder = EarlierRunRecorder(self.summary.kind, self.registry, self.provenance.evidence, self.folder)
        for run in recorder.record_all():
            self.summary.earlier_runs.append(run.as_dict())
            self._earlier.append(run.describe())

    def begin_sending(self, decided: Iterable[DocumentResult]) -> None:
        """Enter the run in the journal, and begin the outcome file.

        :param decided: results that are known already.
        :raises RunMyAccountsError: if that fails; nothing was sent then.
        """
        summary = self.summary
        if self.provenance.evidence is not None:
            self.registry.enter(
                self.folder.folder,
                self.folder.url,
                input_hash=summary.input_hash,
                plan_hash=summary.plan_hash,
                approver=self.provenance.approver,
            )
            self._is_entered = True
        self._growing = self.folder.open_growing(OUTCOMES)
        for result in decided:
            self.append_outcome(result)
        reach("run.entered")

    def append_outcome(self, result: DocumentResult) -> None:
        """Append a result to the outcome file, which holds them in the order of their coming until the end.

        :raises StorageError: if it cannot be written.
        """
        if self._growing is not None:
            with storage_errors(f"{self.folder.url}/{OUTCOMES}"):
                append_line(self._growing, to_line(result.as_dict()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, RunMyAccountsError):
            self.failure = error
        faults = self._write()
        if self.failure is not None:
            self.failure.result = self.summary.as_dict()
        for fault in faults:
            log.error("%s", fault)
        if error is None:
            self._conclude(faults)
        elif self.failure is not None:
            log_summary(self.summary)

    @property
    def stopped(self) -> str:
        """Why the run ended early, empty if it did not."""
        return self.summary.stopped or (self.failure.message if self.failure else "")

    def _conclude(self, faults: list[RunMyAccountsError]) -> None:
        """Raise the verdict, and before it what of the record could not be written.

        :raises RunMyAccountsError: see the class.
        """
        verdict: BillingError | None = None
        try:
            log_and_raise(self.summary, self.failing)
        except BillingError as error:
            if not faults:
                raise
            verdict = error
        if faults:
            fault = _combine(faults, verdict)
            fault.result = self.summary.as_dict()
            raise fault from (verdict or faults[0].__cause__)

    def _write(self) -> list[RunMyAccountsError]:
        """Write every part of the record, each whatever becomes of the others.

        :returns: what could not be written.
        """
        summary = self.summary
        if self._growing is not None:
            self._growing.close()
        reach("record.begun")
        parts: list[Callable[[], None]] = [
            self._count,
            lambda: self.folder.write_outcomes(self.results(), summary),
            lambda: self.folder.write_rejects(self.results(), summary),
        ]
        faults = _write_each(parts)
        has_files = not faults
        faults += _write_each([self._write_evidence])
        reach("record.linked")
        faults += _write_each([self._write_page])
        if self._is_entered:
            faults += _write_each([lambda: self.registry.end(has_files=has_files)])
        return faults

    def _count(self) -> None:
        for result, _ in self.results():
            self.summary.add(result)

    def _write_evidence(self) -> None:
        evidence = self.provenance.evidence
        if evidence is None:
            return
        while True:
            # Usually none: another run took this one for dead, and has stated what it had booked until then.
            stated = self.registry.read_stated() if self._is_entered else set()
            try:
                ref = evidence.write(
                    self._facts(), self._evidence_rows(stated), self._mark if self._is_entered else None
                )
            except StatedElsewhereError:
                continue
            self.summary.evidence_path, self.summary.evidence_hash = ref.path, ref.hash
            self._evidence = ref
            return

    def _mark(self, connection: sa.engine.Connection, seq: int, numbers: Sequence[str]) -> None:
        self.registry.mark_own(connection, seq, {normalize_number(number) for number in numbers})

    def _evidence_rows(self, stated: set[str]) -> Iterator[dict[str, Any]]:
        for row in self._rows():
            if stated and row["outcome"] in SENT and normalize_number(row["number"]) in stated:
                row["outcome"] = str(Outcome.UNCHANGED)
            yield row

    def _write_page(self) -> None:
        summary = self.summary
        page = render_run(
            self._facts(),
            self._rows(),
            service=self.config.origin,
            tenant=self.config.tenant,
            outcome_path=summary.outcome_path,
            rejects_path=summary.rejects_path,
            retry_at=summary.retry_at,
            evidence=self._evidence,
            earlier=self._earlier,
            spared=summary.spared,
        )
        summary.page_path = self.folder.write_text(RUN_PAGE, page)

    def _facts(self) -> RunFacts:
        return RunFacts(
            run=self.summary.task_run,
            kind=self.summary.kind,
            started=self.started,
            finished=pendulum.now("UTC"),
            plan_hash=self.summary.plan_hash,
            input_hash=self.summary.input_hash,
            approver=self.provenance.approver,
            stopped=self.stopped,
            alarms=tuple(self.summary.alarms),
            brakes={"max_count": self.policy.max_count, "max_amount": str(self.policy.max_amount)},
            versions=self.provenance.versions,
        )

    def _rows(self) -> Iterable[dict[str, Any]]:
        return (result.as_dict() for result, _ in self.results())


def _write_each(parts: Iterable[Callable[[], None]]) -> list[RunMyAccountsError]:
    """Write parts of a record, each whatever becomes of the others; return what went wrong."""
    faults: list[RunMyAccountsError] = []
    for part in parts:
        try:
            part()
        except RunMyAccountsError as error:
            faults.append(error)
        except Exception as error:  # noqa: BLE001 - the other parts are written all the same
            fault = StorageError(
                f"a part of the record cannot be written ({describe_error(error)})",
                advice="What was booked is in the send journal. Run again.",
            )
            fault.__cause__ = error
            faults.append(fault)
    return faults


def _combine(faults: Sequence[RunMyAccountsError], verdict: BillingError | None) -> RunMyAccountsError:
    """Make one error of all that could not be written, and of the verdict on the run."""
    if len(faults) == 1 and verdict is None:
        return faults[0]
    messages = dict.fromkeys([fault.message for fault in faults] + ([verdict.message] if verdict else []))
    advices = dict.fromkeys(fault.advice for fault in faults if fault.advice)
    return StorageError("; ".join(messages), advice=" ".join(advices))


def log_summary(summary: RunSummary) -> None:
    """Log the result of a run in one line."""
    log.info("%s. Outcome file: %s", summary.describe(), summary.outcome_path)


def log_and_raise(summary: RunSummary, failing: Collection[Outcome]) -> None:
    """Log the result of a run, and fail if it must.

    :raises InDoubtError: if a document is left in doubt.
    :raises BillingError: if other outcomes occurred that fail the run, or the books hold something that is wrong.
    """
    log_summary(summary)
    failed = summary.failed(failing)
    alarms = summary.alarms if Outcome.DUPLICATE in failing else []
    if not failed and not alarms:
        return
    counts = ", ".join(f"{count} {name}" for name, count in failed.items()) or "none"
    message = f"{counts} of {sum(summary.counts.values())} {summary.kind}" + (
        f"; stopped: {summary.stopped}" if summary.stopped else ""
    )
    message = "; ".join([message, *alarms])
    reasons = summary.first_reasons(failing)
    for reason in reasons:
        log.error("%s", reason)
    if reasons:
        message = f"{message}. First reasons: {' | '.join(reasons)}"
    files = f"Page: {summary.page_path}; outcome file: {summary.outcome_path}"
    files += f"; records to correct: {summary.rejects_path}." if summary.rejects_path else "."
    known: dict[str, Any] = {"counts": dict(summary.counts), "outcome_path": summary.outcome_path}
    error = BillingError(message, advice=files, **known)
    if Outcome.UNKNOWN in failed:
        advice = f"{_retry_sentence(summary.retry_at)}; clearing and retrying the task is safe. {files}"
        error = InDoubtError(message, advice=advice, **known)
    error.result = summary.as_dict()
    raise error


def _retry_sentence(retry_at: float | None) -> str:
    """Say when a doubt resolves itself, without a full stop."""
    if retry_at is None:
        return "A later attempt decides by reading"
    return f"An attempt after {format_time(retry_at)} (Zurich) decides by reading"
