from __future__ import annotations

import json
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.warehouse import open_warehouse
from airflow_provider_rma.ledger.destinations.base import Destination
from airflow_provider_rma.ledger.destinations.parquet.readers import read_window
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting
from tests.support.postgres import PostgresServer
from tests.support.throw_away_server import PASSWORD, USER


def _connection(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields))


def _loads(destination: Destination) -> None:
    with destination:
        load_window(destination, [posting("1000", 1), posting("3200", -1)])
        assert destination.count_postings(TENANT, AUGUST) == 2


@pytest.fixture
def in_postgres(monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer) -> str:
    database = postgres.create_database()
    _connection(
        monkeypatch,
        conn_type="postgres",
        host="127.0.0.1",
        port=postgres.port,
        login=USER,
        password=PASSWORD,
        schema=database,
    )
    return database


def test_a_connection_to_postgresql_is_loaded_by_copy(in_postgres: str, postgres: PostgresServer) -> None:
    destination = open_warehouse("conn://warehouse?schema=books")
    assert destination.kind == "postgresql"
    assert destination.location == f"postgresql://127.0.0.1:{postgres.port}/{in_postgres}?schema=books"
    _loads(destination)
    assert postgres.execute("SELECT count(*) FROM books.postings", in_postgres) == [(2,)]


def test_history_is_passed_on(in_postgres: str, postgres: PostgresServer) -> None:
    _loads(open_warehouse("conn://warehouse", history=True))
    assert postgres.execute("SELECT count(*) FROM rma.postings_history", in_postgres) == [(0,)]


@pytest.mark.parametrize("scheme", ["parquet:///", "file://"])
def test_history_is_passed_on_to_files(tmp_path: Path, scheme: str) -> None:
    _loads(open_warehouse(f"{scheme}{tmp_path}/books", history=True))
    found = read_window(LocalFileSystem(), f"{tmp_path}/books", TENANT, AUGUST)
    assert found.column("valid_from").null_count == 0


def test_any_other_database_is_loaded_by_its_hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _connection(monkeypatch, conn_type="sqlite", host=str(tmp_path / "books.db"))
    destination = open_warehouse("conn://warehouse?table_prefix=books_")
    assert destination.kind == "sqlite"
    _loads(destination)


def test_a_connection_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _connection(monkeypatch, conn_type="rma", host="https://service.example")
    with pytest.raises(ConfigurationError, match="not one of a database"):
        open_warehouse("conn://warehouse")


def test_a_connection_whose_provider_is_not_installed_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _connection(monkeypatch, conn_type="nosuchdatabase", host="127.0.0.1")
    with pytest.raises(ConfigurationError, match=r"has the type nosuchdatabase, .* Install the provider"):
        open_warehouse("conn://warehouse")


def test_credentials_do_not_belong_into_the_address_of_a_task() -> None:
    with pytest.raises(ConfigurationError, match="holds credentials") as caught:
        open_warehouse("postgresql://ada:secret@db/books")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("ledger.duckdb", "duckdb"),
        ("duckdb:///ledger.duckdb", "duckdb"),
        ("parquet:///ledger", "parquet"),
        ("file:///tmp/ledger", "parquet"),
        ("postgresql://db/books", "postgresql"),
    ],
)
def test_other_addresses_are_understood_as_they_are(address: str, kind: str) -> None:
    assert open_warehouse(address).kind == kind
