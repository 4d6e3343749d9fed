"""Opening a journal's database: what is refused, what survives a crash, what an error says."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.exceptions import JournalError
from tests.support.journal_databases import DATABASES, empty_database
from tests.support.postgres import PostgresServer


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
    with open_engine(postgres.url(name)).connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_an_error_does_not_quote_what_was_written(url: str) -> None:
    one = journal(open_engine(url))
    with open_engine(url).begin() as connection:
        connection.execute(sa.text("DROP TABLE rma_journal"))
    with pytest.raises(JournalError) as caught:
        one.claim("R-4711", "0" * 64, None, settle_after=60)
    assert "R-4711" not in f"{caught.value} {caught.value.__cause__}"
