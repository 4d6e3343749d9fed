"""Puts on record what earlier runs have done and no evidence states: those that were killed, and what was in doubt.

The send journal knows it all: which run has claimed a row, and what became of it. What a killed run has written itself
stays as it is; beside it, a file made from the journal names every document that it has claimed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
from airflow_provider_rma.billing.files import JOURNAL_OUTCOMES, RunFolder, to_line
from airflow_provider_rma.billing.journal.model import MISMATCH, OPEN, REPEATED, JournalRow, JournalState
from airflow_provider_rma.billing.journal.runs import ClaimedRow, RunRegistry, SendingRun, StatedElsewhereError
from airflow_provider_rma.billing.outcomes import SENT, DocumentResult, Outcome
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.formatting import format_quantity

log = logging.getLogger(__name__)

_OUTCOMES = {
    JournalState.CLAIMED: Outcome.UNKNOWN,
    JournalState.UNKNOWN: Outcome.UNKNOWN,
    JournalState.REJECTED: Outcome.REJECTED,
    JournalState.RELEASED: Outcome.HELD,
    JournalState.BLOCKED: Outcome.HELD,
}
_NOTED = {MISMATCH: Outcome.CONFLICT, REPEATED: Outcome.DUPLICATE}


@dataclass(frozen=True)
class EarlierRun:
    """An earlier run that was put on record.

    :param task_run: its name.
    :param booked: how many documents of it are stated as booked, for the first time.
    :param doubts: how many are still in doubt.
    :param outcome_path: file with its documents, made from the journal.
    :param evidence: the link that states it; None if another run has written it meanwhile.
    """

    task_run: str
    booked: int
    doubts: int
    outcome_path: str
    evidence: EvidenceRef | None

    def describe(self) -> str:
        """Say in a sentence, without a full stop, what was put on record."""
        doubts = f", {format_quantity(self.doubts, 'document')} in doubt" if self.doubts else ""
        link = f", link {self.evidence.seq} of the evidence" if self.evidence else ""
        return f"{self.task_run}: {format_quantity(self.booked, 'booked document')}{doubts}{link}"

    def as_dict(self) -> dict[str, Any]:
        """Return the entry in a run's result."""
        values = {"run": self.task_run, "booked": self.booked, "in_doubt": self.doubts}
        values["outcome_path"] = self.outcome_path
        return values | ({"evidence_path": self.evidence.path} if self.evidence else {})


@dataclass(frozen=True)
class EarlierRunRecorder:
    """Puts earlier runs of one journal on record.

    :param kind: of the documents, in the plural.
    :param registry: the runs, as the journal knows them.
    :param evidence: writer of the tenant's chain.
    :param folder: of the run that puts them on record.
    """

    kind: str
    registry: RunRegistry
    evidence: EvidenceWriter
    folder: RunFolder

    def record_all(self) -> Iterator[EarlierRun]:
        """Put every earlier run on record whose record lacks something.

        :raises EvidenceError: if evidence could not be written.
        :raises StorageError: if an outcome file could not be written.
        :raises JournalError: if the journal could not be used.
        """
        for run in self.registry.list_incomplete():
            found = self._record(run)
            log.warning(
                "Put on record from the send journal: %s. Outcome file: %s", found.describe(), found.outcome_path
            )
            yield found

    def _record(self, run: SendingRun) -> EarlierRun:
        rows = self.registry.read_claimed(run)
        results = [(row, _to_result(row, position)) for position, row in enumerate(rows, start=1)]
        ref = None
        if run.evidence_seq is None:
            stated = [result for row, result in results if not row.is_stated]
        else:
            stated = [result for row, result in results if not row.is_stated and result.outcome in SENT]
        if stated or run.evidence_seq is None:
            ref = self._write_evidence(run, [row.row for row in rows], stated)
        reach("earlier_run.linked")
        outcome_path = self._write_file(run, [result for _, result in results])
        self.registry.mark_files(run)
        reach("earlier_run.recorded")
        booked = sum(result.outcome in SENT for result in stated) if ref else 0
        doubts = sum(row.row.state in OPEN for row in rows)
        return EarlierRun(run.task_run, booked, doubts, outcome_path, ref)

    def _write_evidence(
        self, run: SendingRun, rows: list[JournalRow], stated: list[DocumentResult]
    ) -> EvidenceRef | None:
        """Write the link of an earlier run; None if another run has just done so."""
        keys = {row.number: row.key for row in rows}

        def mark(connection: sa.engine.Connection, seq: int, numbers: Any) -> None:
            self.registry.mark_earlier(connection, seq, run, {keys[number] for number in numbers})

        last = max((row.updated_at for row in rows), default=run.started_at)
        is_dead = run.evidence_seq is None and run.ended_at is None
        facts = RunFacts(
            run=run.task_run,
            kind=self.kind,
            started=datetime.fromtimestamp(run.started_at, UTC),
            finished=datetime.fromtimestamp(max(last, run.started_at), UTC),
            plan_hash=run.plan_hash,
            input_hash=run.input_hash,
            approver=run.approver,
            stopped="the run had left no record of its own when a later run wrote this" if is_dead else "",
            recorded_by=self.registry.journal.run,
        )
        try:
            return self.evidence.write(facts, (result.as_dict() for result in stated), mark)
        except StatedElsewhereError:
            return None

    def _write_file(self, run: SendingRun, results: list[DocumentResult]) -> str:
        content = b"".join(to_line(result.as_dict()) for result in results)
        return self.folder.beside(run.folder, run.url, run.id).write(JOURNAL_OUTCOMES, content)


def _to_result(claimed: ClaimedRow, position: int) -> DocumentResult:
    """Return what the journal knows of a document."""
    row = claimed.row
    if row.state == JournalState.CREATED:
        outcome = _NOTED.get(row.note or "", Outcome.UPDATED if claimed.replaces else Outcome.CREATED)
    else:
        outcome = _OUTCOMES[row.state]
    reason = f"from the send journal: {row.state.meaning}" + (f" ({row.note})" if row.note else "")
    return DocumentResult(
        position,
        row.number,
        outcome,
        (reason,),
        document_id=row.document_id,
        net=row.net,
        gross=row.gross,
        currency=row.currency or "CHF",
    )
