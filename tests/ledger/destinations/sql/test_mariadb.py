"""What is particular about MariaDB, in a database with the character set latin1."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymysql
import pytest
import sqlalchemy

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.views.load import VIEWS
from tests.support.ledger.warehouses import Warehouse, mariadb_warehouse
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting
from tests.support.mariadb import MariaDbServer

SECONDS = 120


@pytest.fixture
def database(mariadb: MariaDbServer) -> str:
    return mariadb.create_database()


@pytest.fixture
def warehouse(mariadb: MariaDbServer, database: str) -> Warehouse:
    return mariadb_warehouse(mariadb.url(database))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme", "Acme"),
        ("mueller-ag", "mueller-äg"),
        ("strasse", "straße"),
        ("acme", "acme "),
        ("e\u0301", "\u00e9"),
        ("日本", "日木"),
        ("a🙂", "a🙃"),
    ],
)
def test_tenants_that_differ_in_any_byte_are_not_the_same(warehouse: Warehouse, one: str, other: str) -> None:
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)], tenant=one)
        load_window(destination, [posting("1000", 3)], tenant=other)
        destination.save_convention(one, {"of": one})
        destination.save_convention(other, {"of": other})
        assert [destination.count_postings(tenant, AUGUST) for tenant in (one, other)] == [2, 1]
        load_window(destination, [posting("1000", 1)], load="L2", tenant=other)
        assert [destination.count_postings(tenant, AUGUST) for tenant in (one, other)] == [2, 1]
        assert [destination.read_convention(tenant) for tenant in (one, other)] == [{"of": one}, {"of": other}]
    assert sorted(warehouse.query("SELECT tenant, count(*) FROM trial_balance GROUP BY tenant")) == sorted(
        [(one, 1), (other, 1)]
    )


def test_accounts_and_references_are_compared_byte_by_byte_in_the_views(warehouse: Warehouse) -> None:
    rows = [posting(accno, 1, reference=accno) for accno in ("a1", "A1", "ä1", "a1 ")]
    with warehouse.open() as destination:
        load_window(destination, rows)
    assert len(warehouse.query("SELECT accno FROM trial_balance")) == 4
    assert len(warehouse.query("SELECT DISTINCT line_hash FROM postings_keys")) == 4
    assert len(warehouse.query("SELECT DISTINCT reference FROM postings")) == 4


def test_a_loaded_window_is_not_held_as_a_whole_while_it_is_read(warehouse: Warehouse) -> None:
    streamed = list[str]()

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if isinstance(cursor, pymysql.cursors.SSCursor):
            streamed.append(statement)

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "after_cursor_execute", note)
    try:
        with warehouse.open() as destination:
            load_window(destination, [posting("1000", number) for number in range(1, 4)])
            batches = [*destination.read_loaded(TENANT, AUGUST, ("accno",))]
            assert destination.count_postings(TENANT, AUGUST) == 3
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "after_cursor_execute", note)
    assert sum(batch.num_rows for batch in batches) == 3
    assert any("rma_postings" in statement for statement in streamed)


def test_every_view_is_there(mariadb: MariaDbServer, database: str, warehouse: Warehouse) -> None:
    with warehouse.open():
        pass
    found = mariadb.execute("SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()",
                            database=database)  # fmt: skip
    assert {name for (name,) in found} == {f"rma_{view}" for view in VIEWS}


def test_every_table_and_view_is_marked_and_everything_else_is_refused(
    mariadb: MariaDbServer, database: str, warehouse: Warehouse
) -> None:
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    for view in VIEWS:
        mariadb.execute(f"DROP VIEW rma_{view}", f"CREATE VIEW rma_{view} AS SELECT 1 AS mine", database=database)
        with pytest.raises(ConfigurationError, match=f": view rma_{view}\\."):
            warehouse.open().__enter__()
        mariadb.execute(f"DROP VIEW rma_{view}", database=database)
    # Without its mark but with its content, the table of the contract is one of an earlier version.
    for table in [*contract.TABLES, "conventions"]:
        mariadb.execute(f"ALTER TABLE rma_{table} COMMENT = 'mine'", database=database)
        with pytest.raises(ConfigurationError, match=f": table rma_{table}\\."):
            warehouse.open().__enter__()
        mariadb.execute(
            f"ALTER TABLE rma_{table} COMMENT = 'Ledger of Run my Accounts, kept by airflow-provider-rma.'",
            database=database,
        )
    mariadb.execute("CREATE TABLE RMA_ACCOUNTS (id int)", "CREATE SEQUENCE rma_postings_history", database=database)
    with warehouse.open() as destination:
        assert destination.count_postings("acme", AUGUST) == 1
    with pytest.raises(ConfigurationError, match="sequence rma_postings_history"):
        warehouse.open(history=True).__enter__()


def test_a_warehouse_of_an_earlier_version_without_marks_is_taken_over(
    mariadb: MariaDbServer, database: str, warehouse: Warehouse
) -> None:
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    for table in [*contract.TABLES, *contract.PROVIDER_TABLES]:
        mariadb.execute(f"ALTER TABLE rma_{table} COMMENT = ''", database=database)
    mariadb.execute("UPDATE rma_contract SET version = 3", database=database)
    with warehouse.open() as destination:
        assert destination.count_postings("acme", AUGUST) == 1
    mariadb.execute("ALTER TABLE rma_loads COMMENT = ''", database=database)
    with pytest.raises(ConfigurationError, match=": table rma_loads"):
        warehouse.open().__enter__()


def test_a_renewed_view_keeps_the_grants_of_readers(
    mariadb: MariaDbServer, database: str, warehouse: Warehouse
) -> None:
    with warehouse.open():
        pass
    reader = f"reader_{database}@'127.0.0.1'"
    mariadb.execute(
        f"CREATE USER {reader}",
        f"GRANT SELECT ON {database}.rma_windows TO {reader}",
        "UPDATE rma_contract SET views = 'older'",
        "CREATE OR REPLACE VIEW rma_windows AS SELECT * FROM (SELECT 1 AS odd) AS kept_by_airflow_provider_rma",
        database=database,
    )
    with warehouse.open():
        pass
    with pymysql.connect(
        host="127.0.0.1", port=mariadb.port, user=f"reader_{database}", database=database
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("SELECT tenant, proven FROM rma_windows")
        assert cursor.fetchall() == ()


def test_the_cause_of_a_failure_is_named_without_values(
    mariadb: MariaDbServer, database: str, warehouse: Warehouse
) -> None:
    with warehouse.open() as destination:
        with pytest.raises(DestinationError, match="1406.*longer than its column") as caught:
            load_window(destination, [posting("9" * 300, 1)])
        assert not caught.value.retryable
        assert "999" not in str(caught.value)
        assert destination.count_postings("acme", AUGUST) == 0
    user = f"poor_{database}"
    mariadb.execute(f"CREATE USER {user}@'127.0.0.1'", f"GRANT SELECT ON {database}.* TO {user}@'127.0.0.1'")
    address = f"mysql+pymysql://{user}@127.0.0.1:{mariadb.port}/{database}?table_prefix=other_"
    with pytest.raises(DestinationError, match="1142.*rights") as caught:
        open_destination(address).__enter__()
    assert not caught.value.retryable


def test_writers_of_one_month_take_turns(warehouse: Warehouse) -> None:
    """The first waits after it has deleted; without turns the second would delete nothing, and both would add."""
    deleted, release = threading.Event(), threading.Event()
    held: list[int] = []

    def hold(**_: Any) -> None:
        if not held:
            held.append(1)
            deleted.set()
            assert release.wait(SECONDS)

    def load(name: str) -> None:
        with warehouse.open() as destination:
            load_window(destination, [posting("1000", 1), posting("1000", 2)], load=name)

    load("L0")
    with ThreadPoolExecutor() as pool, at("postings.deleted", hold):
        try:
            first = pool.submit(load, "L1")
            assert deleted.wait(SECONDS)
            second = pool.submit(load, "L2")
            with pytest.raises(TimeoutError):
                second.result(0.5)
        finally:
            release.set()
        first.result(SECONDS)
        second.result(SECONDS)
    assert warehouse.query("SELECT DISTINCT load_id FROM postings") == [("L2",)]
    assert warehouse.query("SELECT count(*) FROM postings") == [(2,)]


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_connection_of_a_hook_in_another_character_set_is_taken(
    mariadb: MariaDbServer, database: str, dialect: str
) -> None:
    address = f"{dialect}://127.0.0.1/{database}"
    with open_destination(address, connect=lambda: mariadb.connect(database, charset="latin1")) as destination:
        load_window(destination, [posting("1000", "-12345678901234567890.12345678", description="Zahlung 🙂 Łódź")])
        (row,) = [row for batch in destination.read_loaded("acme", AUGUST, ["description", "amount"])
                  for row in batch.to_pylist()]  # fmt: skip
    assert row["description"] == "Zahlung 🙂 Łódź"
    assert str(row["amount"]) == "-12345678901234567890.12345678"
