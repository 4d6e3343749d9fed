from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.sql.catalogues import PostgresCatalogue
from airflow_provider_rma.ledger.destinations.sql.generic import DbapiDestination
from tests.support.ledger.warehouses import postgres_url, sqlite_warehouse
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting
from tests.support.postgres import PostgresServer


class Counted(sqlite3.Connection):
    """A connection that counts."""

    made = 0
    commits = 0

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        type(self).made += 1

    def commit(self) -> None:
        type(self).commits += 1
        super().commit()


def test_a_window_takes_one_connection_and_one_commit(tmp_path: Path) -> None:
    Counted.made = 0
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    connect = lambda: sqlite3.connect(tmp_path / "ledger.db", factory=Counted)  # noqa: E731 - a factory
    with open_destination(address, connect=connect) as destination:
        Counted.commits = 0
        load_window(destination, [posting("1000", number, entry_id=number) for number in range(12_000)])
        assert (Counted.made, Counted.commits) == (1, 1)
        assert destination.count_postings(TENANT, AUGUST) == 12_000


def test_views_that_the_database_does_not_take_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse = sqlite_warehouse(tmp_path / "ledger.db")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with warehouse.open() as destination:
                load_window(destination, [posting("1000", 1)])
    (told,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert "trial_balance" in told
    assert "postings_proven" not in told
    assert warehouse.query("SELECT accno, amount FROM postings_proven") == [("1000", "1.00000000")]
    found = warehouse.query("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY 1")
    assert {("rma_postings_proven",), ("rma_windows",)} <= set(found)
    assert ("rma_trial_balance",) not in found


def test_amounts_are_exact_where_the_database_has_no_decimals(tmp_path: Path) -> None:
    warehouse = sqlite_warehouse(tmp_path / "ledger.db")
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", "0.00000001"), posting("1000", "-99999999999999999999.99999999")])
    found = warehouse.query("SELECT amount, typeof(amount), debit FROM postings ORDER BY debit")
    assert found == [
        ("0.00000001", "text", "0.00000000"),
        ("-99999999999999999999.99999999", "text", "99999999999999999999.99999999"),
    ]


#: The SQLAlchemy of Airflow 3.1.
_IS_SQLALCHEMY_1 = sqlalchemy.__version__.startswith("1.")
_needs_psycopg_dialect = pytest.mark.skipif(_IS_SQLALCHEMY_1, reason="SQLAlchemy 1.4 does not know psycopg 3")


@_needs_psycopg_dialect
def test_nobody_sees_a_view_before_it_has_its_mark(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    psycopg = pytest.importorskip("psycopg")
    url, real = postgres_url(postgres), PostgresCatalogue.mark
    seen = []

    def mark(self: PostgresCatalogue, kind: str, name: str) -> None:
        with psycopg.connect(url) as other:
            query = "SELECT relname FROM pg_class WHERE relkind = 'v' AND relname = %s"
            seen.append((kind, other.execute(query, [self.prefix + name]).fetchall()))
        real(self, kind, name)

    monkeypatch.setattr(PostgresCatalogue, "mark", mark)
    with DbapiDestination(lambda: psycopg.connect(url), "postgresql", "here"):
        assert ("view", []) in seen
        assert [found for kind, found in seen if kind == "view" and found] == []


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param("psycopg", marks=_needs_psycopg_dialect),
        "psycopg2",
    ],
)
def test_drivers_with_other_marks(postgres: PostgresServer, driver: str) -> None:
    module = pytest.importorskip(driver)
    url = postgres_url(postgres)
    with DbapiDestination(lambda: module.connect(url), "postgresql", "here") as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)])
        assert destination.read_fingerprints(TENANT, AUGUST)["1000"].count == 2


@pytest.mark.parametrize(
    "style",
    [
        "qmark",
        pytest.param(
            "numeric", marks=pytest.mark.skipif(_IS_SQLALCHEMY_1, reason="SQLAlchemy 1.4 cannot write numeric marks")
        ),
        "named",
    ],
)
def test_marks_of_a_driver_may_be_given(tmp_path: Path, style: str) -> None:
    connect = lambda: sqlite3.connect(tmp_path / "ledger.db")  # noqa: E731 - a factory
    with DbapiDestination(connect, "sqlite", "here", paramstyle=style) as destination:
        destination.save_convention(TENANT, {"a": 1})
        load_window(destination, [posting("1000", 1, memo="wie? so!")])
        assert destination.read_convention(TENANT) == {"a": 1}


def test_what_is_no_connection_or_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PEP 249"):
        DbapiDestination(Path, "sqlite", "here").__enter__()
    with pytest.raises(ConfigurationError, match="table_prefix"):
        open_destination("sqlite:///ledger.db", table_prefix='x"; --')
    connect = lambda: sqlite3.connect(tmp_path / "ledger.db")  # noqa: E731 - a factory
    with pytest.raises(ConfigurationError, match="paramstyle"):
        DbapiDestination(connect, "sqlite", "here", paramstyle="odd").__enter__()


def test_marks_that_sqlalchemy_14_cannot_write_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlalchemy, "__version__", "1.4.54")
    connect = lambda: sqlite3.connect(tmp_path / "ledger.db")  # noqa: E731 - a factory
    with pytest.raises(ConfigurationError, match="SQLAlchemy 1.4 cannot write the paramstyle numeric"):
        DbapiDestination(connect, "sqlite", "here", paramstyle="numeric").__enter__()


def test_a_failed_replacement_leaves_the_old_window(tmp_path: Path) -> None:
    def fail(table: str, **_: Any) -> None:
        if table == "proofs":
            raise sqlite3.OperationalError("disk full")

    with open_destination(f"sqlite:///{tmp_path / 'ledger.db'}") as destination:
        load_window(destination, [posting("1000", 1)])
        with at("table.written", fail), pytest.raises(DestinationError, match="OperationalError") as caught:
            load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
        assert caught.value.retryable
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_tables_that_another_run_creates_at_the_same_moment_are_taken(tmp_path: Path) -> None:
    connections: list[sqlite3.Connection] = []
    others = []

    def connect() -> sqlite3.Connection:
        connections.append(sqlite3.connect(tmp_path / "ledger.db"))
        return connections[-1]

    def create_meanwhile() -> None:
        if not others:
            others.append(open_destination(f"sqlite:///{tmp_path / 'ledger.db'}"))
            # SQLite lets nobody else create what this run has just found absent while its transaction is open.
            connections[0].rollback()
            with others[0]:
                pass

    destination = DbapiDestination(connect, "sqlite", "here", retry_waits=(0.01,))
    with at("tables.looked_up", create_meanwhile), destination:
        assert destination.count_postings(TENANT, AUGUST) == 0
    assert len(connections) == 2


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE RMA_Accounts (id)", "table RMA_Accounts"),
        ("CREATE VIEW rma_loads AS SELECT 1", "view rma_loads"),
        ("CREATE TABLE rma_trial_balance (id)", "table rma_trial_balance"),
        ("CREATE TABLE mine (id); CREATE INDEX rma_changes ON mine (id)", "index rma_changes"),
    ],
)
def test_objects_of_somebody_else_in_sqlite_are_named_and_nothing_is_created(
    tmp_path: Path, statement: str, named: str
) -> None:
    path = tmp_path / "ledger.db"
    listed = "SELECT type, name, sql FROM sqlite_master ORDER BY 2"
    with sqlite3.connect(path) as connection:
        connection.executescript(statement)
        before = connection.execute(listed).fetchall()
    with pytest.raises(ConfigurationError, match=named):
        open_destination(f"sqlite:///{path}").__enter__()
    with sqlite3.connect(path) as connection:
        assert connection.execute(listed).fetchall() == before


def test_a_table_of_sqlite_that_somebody_created_anew_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_destination(f"sqlite:///{path}"):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE copy AS SELECT * FROM rma_accounts")
        connection.execute("DROP TABLE rma_accounts")
    # What is missing is created again; what took its place is not touched.
    with open_destination(f"sqlite:///{path}"):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE rma_accounts")
        connection.execute("CREATE TABLE rma_accounts AS SELECT * FROM copy")
    with pytest.raises(ConfigurationError, match=": table rma_accounts"):
        open_destination(f"sqlite:///{path}").__enter__()


def test_a_warehouse_in_sqlite_without_marks_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_destination(f"sqlite:///{path}") as destination:
        load_window(destination, [posting("1000", 1)])
    with sqlite3.connect(path) as connection:
        marks = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%kept_by%'").fetchall()
        assert len(marks) == len(contract.TABLES) + len(contract.PROVIDER_TABLES)
        for (name,) in marks:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("UPDATE rma_contract SET version = 3")
    with open_destination(f"sqlite:///{path}") as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%kept_by%'").fetchall()
    assert sorted(found) == sorted(marks)


def test_a_dialect_that_sqlalchemy_does_not_know_is_named(tmp_path: Path) -> None:
    connect = lambda: sqlite3.connect(tmp_path / "ledger.db")  # noqa: E731 - a factory
    with pytest.raises(ConfigurationError, match="does not know the dialect db2"):
        DbapiDestination(connect, "db2", "here").__enter__()


class AccessDeniedError(Exception):
    """An error as the drivers of MariaDB make it."""

    errno = 1045


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (AccessDeniedError("Access denied for user 'erp'"), r"AccessDeniedError 1045\): user or password is wrong"),
        (AccessDeniedError(1045, "Access denied"), r"AccessDeniedError 1045\): user or password is wrong"),
        (RuntimeError("You do not have the package"), r"refused to work on here \(RuntimeError\)"),
    ],
)
def test_a_connection_that_cannot_be_made_is_an_error_of_the_destination(failure: Exception, sentence: str) -> None:
    def connect() -> None:
        raise failure

    with pytest.raises(DestinationError, match=sentence) as caught:
        DbapiDestination(connect, "mysql", "here").__enter__()
    assert not caught.value.retryable
    assert caught.value.__cause__ is failure


def test_an_error_of_ours_while_connecting_stays_what_it_is() -> None:
    def connect() -> None:
        raise ConfigurationError("no such connection")

    with pytest.raises(ConfigurationError, match="no such connection"):
        DbapiDestination(connect, "mysql", "here").__enter__()
