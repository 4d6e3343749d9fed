"""Opening a journal's database: what is refused, what survives a crash, what an error says."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal import engine as engine_module
from airflow_provider_rma.billing.journal.engine import open_engine, write_transaction
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.exceptions import JournalError
from tests.support.journal_databases import DATABASES, empty_database
from tests.support.postgres import Pooler, PostgresServer
from tests.support.system.interruptions import Interrupted, Interruption


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_database(request.param, request, tmp_path)


def journal(engine: sa.Engine) -> Journal:
    return Journal(engine, base_url="http://127.0.0.1", tenant="demo", kind="invoice", run="dag/run/task")


def test_a_database_that_cannot_be_used_is_an_error_before_anything_is_posted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database, this is a text that is long enough to be taken for one" * 20)
    with pytest.raises(JournalError, match="cannot be read or written"):
        journal(open_engine(f"sqlite:///{path}"))


def test_a_database_that_is_down_is_worth_another_try(postgres: PostgresServer) -> None:
    url = postgres.url().replace(f":{postgres.port}/", ":1/")
    with pytest.raises(JournalError, match="cannot be read or written") as caught:
        journal(open_engine(url))
    assert caught.value.retryable
    assert "example" not in str(caught.value)


def test_a_connection_that_was_lost_is_replaced(postgres: PostgresServer) -> None:
    name = postgres.create_database()
    one = journal(open_engine(postgres.url(name)))
    assert one.claim("R-1", "0" * 64, None, settle_after=60)
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    assert one.claim("R-2", "0" * 64, None, settle_after=60)


def test_other_databases_are_refused() -> None:
    with pytest.raises(JournalError, match="cannot live in mysql.*PostgreSQL"):
        open_engine("mysql://127.0.0.1/books")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:books?mode=memory&uri=true"])
def test_a_journal_that_would_be_forgotten_is_refused(url: str) -> None:
    with pytest.raises(JournalError, match="cannot live in memory"):
        open_engine(url)


def test_a_driver_that_is_not_installed() -> None:
    with pytest.raises(JournalError, match=r"postgresql\+pg8000 is not installed.*\[postgres\]"):
        open_engine("postgresql+pg8000://127.0.0.1/books")


def test_sqlite_keeps_what_was_committed_through_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'journal.db'}")
    with engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000}


def test_postgresql_keeps_what_was_committed_through_a_power_cut(postgres: PostgresServer) -> None:
    name = postgres.create_database()
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with write_transaction(open_engine(postgres.url(name))) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_an_error_does_not_quote_what_was_written(url: str) -> None:
    one = journal(open_engine(url))
    with open_engine(url).begin() as connection:
        connection.execute(sa.text("DROP TABLE rma_journal"))
    with pytest.raises(JournalError) as caught:
        one.claim("R-4711", "0" * 64, None, settle_after=60)
    assert "R-4711" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_journal_behind_a_pooler_in_transaction_mode(
    postgres: PostgresServer, pooler: Pooler, driver: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    empty_database(driver, request, tmp_path)  # skips what SQLAlchemy does not know
    url = pooler.url(postgres.create_database(), driver=driver)
    worker = journal(open_engine(url))

    def bill(number: int) -> str:
        # As while sending: no read between, which would end in a rollback, after which psycopg prepares afresh.
        row = worker.claim(f"R-{number}", "0" * 64, None, settle_after=60)
        assert row is not None
        assert worker.record(row, JournalState.CREATED)
        return row.key

    # Lanes at once meet the sessions of each other.
    with ThreadPoolExecutor(5) as lanes:
        keys = list(lanes.map(bill, range(200)))
    assert {row.state for row in worker.get(keys).values()} == {JournalState.CREATED}
    assert len(worker.newest_booked(500)) == 200


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_transaction_that_meets_another_session_of_the_pooler_finds_what_it_needs(
    postgres: PostgresServer, pooler: Pooler, driver: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    empty_database(driver, request, tmp_path)  # skips what SQLAlchemy does not know
    name = postgres.create_database()
    worker = journal(open_engine(pooler.url(name, driver=driver), threads=1))

    def bill(*numbers: int) -> None:
        for number in numbers:
            row = worker.claim(f"R-{number}", "0" * 64, None, settle_after=60)
            assert row is not None
            assert worker.record(row, JournalState.CREATED)

    # psycopg would prepare from the sixth time on that it sees a statement.
    bill(*range(10))
    other = sa.create_engine(pooler.url(name, driver=driver))
    with other.connect() as connection:
        # An open transaction holds the only session that there is, so the pooler opens another one.
        held = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        bill(*range(10, 20))
        sessions = {
            pid for (pid,) in postgres.execute(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'", name)
        }
        assert held in sessions
        assert len(sessions) > 2, "the pooler has opened no second session beside the one of this very query"
    assert len(worker.newest_booked(500)) == 20


def test_a_pooler_keeps_no_setting_of_ours(postgres: PostgresServer, pooler: Pooler) -> None:
    name = postgres.create_database()
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    engine = open_engine(pooler.url(name, driver="psycopg2"))
    for _ in range(4):
        with write_transaction(engine) as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"


def test_a_journal_that_is_locked_for_good_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 1)
    monkeypatch.setattr(engine_module, "SILENT_SECONDS", 0.2)
    path = tmp_path / "journal.db"
    worker = journal(open_engine(f"sqlite:///{path}"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(JournalError, match=r"journal\.db is locked by another process.*fuser") as caught:
            worker.claim("R-1", "0" * 64, None, settle_after=60)
    assert caught.value.retryable
    assert time.monotonic() - started < 20
    assert f"Waiting for the journal {path}: another process has it locked" in caplog.text
    assert worker.claim("R-1", "0" * 64, None, settle_after=60)


def test_a_new_journal_that_is_locked_for_good_is_our_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 1)
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="locked by another process"):
            journal(open_engine(f"sqlite:///{path}"))


def test_after_a_write_that_is_interrupted_at_any_line_the_same_thread_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 1)
    worker = journal(open_engine(f"sqlite:///{tmp_path / 'journal.db'}"))

    def claim(number: str) -> bool:
        return worker.claim(number, "0" * 64, None, settle_after=60) is not None

    for line in count(1):
        interruption = Interruption("line", line)
        try:
            with interruption.arm(threading.Event()):
                claim(f"R-{line}")
        except Interrupted:
            # While the interruption is on its way, as when an interrupted run writes its evidence.
            assert claim(f"S-{line}"), line
        if not interruption.happened:
            break
    assert line > 20


def test_threads_wait_for_each_other_for_a_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'journal.db'}")
    worker = journal(engine)
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 1)
    with write_transaction(engine), ThreadPoolExecutor(1) as pool:
        future = pool.submit(worker.claim, "R-1", "0" * 64, None, settle_after=60)
        with pytest.raises(JournalError, match="the journal is busy"):
            future.result()


@pytest.mark.parametrize(
    "number", ["\N{GREEK SMALL LETTER IOTA WITH DIALYTIKA AND TONOS}" * 64, "\ufb03" * 64, "ß" * 64, "𝔘" * 64]
)
def test_any_accepted_number_is_a_key(url: str, number: str) -> None:
    worker = journal(open_engine(url))
    row = worker.claim(number, "0" * 64, None, settle_after=60)
    assert row is not None
    assert (row.number, row.key) == (number, normalize_number(number))
    assert len(worker.history(number)) == 1


def test_what_others_write_into_texts_is_no_error_of_the_database(url: str) -> None:
    worker = Journal(open_engine(url), base_url="http://127.0.0.1", tenant="d" * 255, kind="invoice", run="a\0b\ud83d")
    row = worker.claim("R-1", "0" * 64, None, settle_after=60)
    assert row is not None
    booked = BookedDocument("R-1", document_id="9" * 300, currency="F" * 20)
    assert worker.record(row, JournalState.CREATED, booked=booked, note="x\0" * 2_000 + "\ud83d")
    assert worker.history("R-1")[-1].run == "ab?"
