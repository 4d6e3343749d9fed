"""The parts of a run over books in memory, so that each rule of billing is tested in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from airflow_provider_rma.billing.journal.model import JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.base import D, DocumentKind
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import CREATE, DocumentResult
from airflow_provider_rma.billing.planner import Planner
from airflow_provider_rma.billing.working_set import PlannedDecision, WorkingSet
from tests.support.fake_client import FakeClient

HASH = "0" * 64


@dataclass
class Clock:
    """The journal's time, set by a test."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk(Generic[D]):
    """A kind, a journal and a working set, as a run has them."""

    kind: DocumentKind[D]
    client: FakeClient
    journal: Journal
    clock: Clock
    working_set: WorkingSet[D] = field(default_factory=WorkingSet)

    def add(self, record: Mapping[str, Any], *, planned: PlannedDecision | None = None) -> D:
        """Validate a record into the working set."""
        document = self.kind.read(record, self.working_set.count() + 1)
        self.working_set.add(document, record, planned=planned)
        return document

    def plan(self) -> Planner[D]:
        """Decide about everything."""
        planner = Planner(self.kind, self.journal, self.working_set)
        planner.run()
        return planner

    def decisions(self) -> list[str]:
        """The decision about each record: ``create``, or an outcome."""
        decided = (record.result for record in self.working_set.decided())
        return [CREATE if result is None else str(result.outcome) for result in decided]

    def results(self) -> list[DocumentResult]:
        """The result of each record, ``held`` for those that have none."""
        return [result for result, _ in self.working_set.results()]

    def row(self, number: str) -> JournalRow:
        """The journal's row of a number."""
        key = normalize_number(number)
        return self.journal.get([key])[key]

    def leave(self, number: str, state: JournalState, *, settle_after: float = 100.0) -> JournalRow:
        """Leave a row in the journal as an earlier run would."""
        row = self.journal.claim(number, HASH, None, settle_after=settle_after)
        assert row is not None
        if state != JournalState.CLAIMED:
            self.journal.record(row, state, note="earlier")
        self.clock.now += 1
        return self.row(number)
