"""The runs of a journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.runs import RunRegistry
from airflow_provider_rma.billing.journal.store import Journal


def test_the_rows_of_a_run_are_found_without_reading_the_whole_journal(tmp_path: Path) -> None:
    """A tenant's journal holds everything ever sent; a run asks several times for the little that is of one run."""
    engine = open_engine(f"sqlite:///{tmp_path / 'journal.db'}")
    journal = Journal(engine, base_url="http://127.0.0.1", tenant="demo", kind="invoice", run="dag/1/task")
    registry = RunRegistry(journal)
    registry.enter("/runs/1", "/runs/1", input_hash="", plan_hash="", approver="")
    other = RunRegistry(Journal(engine, base_url="http://127.0.0.1", tenant="demo", kind="invoice", run="dag/2/task"))
    asked: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    registry.end(has_files=False)
    (run,) = other.list_incomplete()
    other.read_claimed(run)
    registry.read_stated()
    sa.event.remove(engine, "before_cursor_execute", note)

    searches = []
    with engine.connect() as connection:
        for statement, parameters in asked:
            if "rma_journal" in statement:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                searches += [step for (*_, step) in plan if "rma_journal" in step]
    assert len(searches) >= 4
    assert all("owner" in step for step in searches), searches
