"""One month while a run works on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_rma.ledger.changes import Changes
from airflow_provider_rma.ledger.postings.slices import SlicePlan
from airflow_provider_rma.ledger.proof.prove import Proof
from airflow_provider_rma.ledger.result import MonthState, WindowResult
from airflow_provider_rma.ledger.windows import Window


@dataclass
class MonthRun:
    """One window while it is worked on.

    :param rows_before: postings loaded at the beginning.
    :param is_loaded: whether the window was ever loaded.
    :param attempts: how often it was read.
    :param moves: how often the books moved meanwhile.
    :param calls: requests made, those for postings not counted.
    """

    window: Window
    started: datetime
    rows_before: int = 0
    is_loaded: bool = False
    attempts: int = 0
    moves: int = 0
    calls: int = 0

    def __post_init__(self) -> None:
        self.plan = SlicePlan(self.window)
        self._clock = time.monotonic()

    def result(self, state: MonthState, proof: Proof, rows: int, changes: Changes | None = None) -> WindowResult:
        """What is known at the moment of decision."""
        return WindowResult(
            window=self.window,
            state=state,
            verdict=proof.verdict,
            reasons=proof.reasons,
            rows=rows,
            rows_before=self.rows_before,
            attempts=self.attempts,
            calls=self.calls + self.plan.calls,
            parts=tuple(map(str, self.plan.parts)) if self.plan.is_split else (),
            changes=changes,
            seconds=time.monotonic() - self._clock,
        )
