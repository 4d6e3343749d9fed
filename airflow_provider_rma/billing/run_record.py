"""The record that a run leaves: outcome files, a link in the tenant's chain of evidence, a page, and a verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import pendulum

from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
from airflow_provider_rma.billing.files import RUN_PAGE, RunFolder
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary
from airflow_provider_rma.billing.pages.html import render_run
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.storage import try_temporary_folder
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import BillingError, InDoubtError, RunMyAccountsError
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
    after the record is written. Also when the task is being killed: what was sent must be on file.

    :param summary: of the run; counts and paths are filled in at the end.
    :param results: returns outcome and original record of every record, each time it is called.
    :param failing: outcomes that fail the run.
    :ivar failure: the error that ended the run early, if one of ours did.
    :raises EvidenceError: at the end, if the evidence could not be written; the outcome file is there.
    """

    summary: RunSummary
    results: Callable[[], Iterable[tuple[DocumentResult, Mapping[str, Any]]]]
    folder: RunFolder
    config: ClientConfig
    policy: Policy
    failing: Collection[Outcome]
    provenance: Provenance
    started: datetime = field(default_factory=lambda: pendulum.now("UTC"))
    failure: RunMyAccountsError | None = None

    def __enter__(self) -> Self:
        """Try everything that the record is written to, before anything is sent.

        :raises StorageError: if a folder of the record, or the temporary folder, cannot be written.
        """
        try_temporary_folder()
        self.folder.try_writing()
        if self.provenance.evidence is not None:
            self.provenance.evidence.try_writing()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, RunMyAccountsError):
            self.failure = error
        self._write()
        if self.failure is not None:
            self.failure.result = self.summary.as_dict()
        if error is None:
            log_and_raise(self.summary, self.failing)
        elif self.failure is not None:
            log_summary(self.summary)

    @property
    def stopped(self) -> str:
        """Why the run ended early, empty if it did not."""
        return self.summary.stopped or (self.failure.message if self.failure else "")

    def _write(self) -> None:
        summary = self.summary
        self.folder.write_outcomes(self.results(), summary)
        facts = self._facts()
        ref: EvidenceRef | None = None
        if self.provenance.evidence is not None:
            ref = self.provenance.evidence.write(facts, self._rows())
            summary.evidence_path, summary.evidence_hash = ref.path, ref.hash
        page = render_run(
            facts,
            self._rows(),
            service=self.config.origin,
            tenant=self.config.tenant,
            outcome_path=summary.outcome_path,
            rejects_path=summary.rejects_path,
            retry_at=summary.retry_at,
            evidence=ref,
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
