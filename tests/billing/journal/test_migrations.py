"""Bringing a journal's database up to date: by many processes at once, from any earlier state."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.migrations import CURRENT, STEPS, migrate, read_step
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.journal.tables import EVENT, EVIDENCE, JOURNAL, RUN
from airflow_provider_rma.exceptions import JournalError
from tests.support.journal_databases import DATABASES, empty_database
from tests.support.reference import ROOT

#: A worker of its own: opens the journal, claims, and says whether it got the claim.
_WORKER = """
import sys
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
sys.stdin.readline()
journal = Journal(open_engine(sys.argv[1]), base_url="http://127.0.0.1", tenant="demo", kind="invoice", run=sys.argv[2])
print(journal.claim("R-1", "0" * 64, None, settle_after=60) is not None)
"""


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_database(request.param, request, tmp_path)


def journal(engine: sa.Engine) -> Journal:
    return Journal(engine, base_url="http://127.0.0.1", tenant="demo", kind="invoice", run="dag/run/task")


def test_an_empty_database_gets_the_tables_as_the_code_knows_them(url: str) -> None:
    engine = open_engine(url)
    assert read_step(engine) == 0
    migrate(engine)
    assert read_step(engine) == CURRENT
    inspector = sa.inspect(engine)
    for table in (JOURNAL, EVENT, EVIDENCE, RUN):
        made = {column["name"]: column for column in inspector.get_columns(table.name)}
        assert list(made) == [column.name for column in table.c]
        assert {name: column["nullable"] for name, column in made.items()} == {c.name: c.nullable for c in table.c}
        lengths = {c.name: c.type.length for c in table.c if isinstance(c.type, sa.String)}
        assert {name: getattr(made[name]["type"], "length", None) for name in lengths} == lengths
        keys = inspector.get_pk_constraint(table.name)["constrained_columns"]
        assert keys == [column.name for column in table.primary_key]


def test_migrating_again_changes_nothing(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    assert journal(engine).claim("R-1", "0" * 64, None, settle_after=60)
    migrate(engine)
    assert [event.after for event in journal(engine).history("R-1")] == [JournalState.CLAIMED]


def test_every_step_bears_being_repeated(url: str) -> None:
    engine = open_engine(url)
    assert journal(engine).claim("R-1", "0" * 64, None, settle_after=60)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rma_journal_step"))
    migrate(engine)
    assert read_step(engine) == CURRENT
    assert len(journal(engine).history("R-1")) == 1


def test_a_journal_from_before_there_were_steps_keeps_its_rows(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(STEPS[0][0]))
        connection.execute(
            sa.text(
                "INSERT INTO rma_journal (base_url, tenant, kind, key, number, state, version, content_hash, attempts,"
                " run, created_at, updated_at, note) VALUES ('http://127.0.0.1', 'demo', 'invoice', 'r-1', 'R-1',"
                " 'unknown', 2, '00', 1, 'dag/earlier/task', 1.5, 2.5, 'no reply')"
            )
        )
    (event,) = journal(engine).history("R-1")
    assert (event.version, event.at, event.before, event.after, event.note) == (2, 2.5, None, "unknown", "no reply")
    assert [entry.number for entry in journal(engine).open_rows()] == ["R-1"]


def test_a_database_newer_than_the_code_is_refused(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO rma_journal_step VALUES ({CURRENT + 1}, 0)"))
    with pytest.raises(JournalError, match=rf"step {CURRENT + 1}.*knows {CURRENT} only.*install") as caught:
        journal(engine)
    assert not caught.value.retryable


def test_a_step_that_fails_leaves_nothing_behind(url: str) -> None:
    engine = open_engine(url)
    with pytest.raises(JournalError):
        migrate(engine, (*STEPS, ("INSERT INTO no_such_table VALUES (1)",)))
    assert read_step(engine) == 0
    assert not sa.inspect(engine).has_table("rma_journal")


def test_threads_that_start_at_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: migrate(open_engine(url)), range(8)))
    assert read_step(open_engine(url)) == CURRENT


@pytest.mark.parametrize("kind", ["sqlite", "psycopg2"])
def test_processes_that_start_at_once(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = empty_database(kind, request, tmp_path)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, url, f"run-{number}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    answers = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
        answers.append(out.strip())
    assert sorted(answers) == ["False", "False", "False", "True"]
    assert len(journal(open_engine(url)).history("R-1")) == 1
