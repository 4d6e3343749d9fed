"""The objects of a warehouse belong to its owner: what the provider did not create it does not touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.views.load import VIEWS
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.warehouses import Warehouse, make_warehouse, postgres_url
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting
from tests.support.postgres import PostgresServer

NAMES = sorted({*contract.TABLES, *contract.PROVIDER_TABLES, *VIEWS})


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres_url(postgres)


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    with psycopg.connect(url) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            found = cursor.fetchall() if cursor.description else []
    return found


def list_objects(url: str) -> list[tuple[Any, ...]]:
    return execute(
        url,
        "SELECT relkind, oid::regclass::text, relfilenode, obj_description(oid) FROM pg_class "
        "WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('rma', 'public')) ORDER BY 2",
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_somebody_else_is_refused_before_anything_is_touched(database: Warehouse, name: str) -> None:
    if database.name == "duckdb":
        # A file without a warehouse in it: names without a schema are those of its first schema.
        Path(database.address.removeprefix("duckdb:///")).parent.mkdir()
    if database.name in ("duckdb", "postgres"):
        database.query("CREATE SCHEMA rma")
    database.query(f"CREATE TABLE {name} (id INTEGER, note VARCHAR(20))")
    database.query(f"INSERT INTO {name} VALUES (1, 'mine')")
    with pytest.raises(ConfigurationError, match=rf"table \w*{name}\b") as caught:
        database.open().__enter__()
    assert "schema" in caught.value.advice
    assert "table_prefix" in caught.value.advice
    assert database.query(f"SELECT * FROM {name}") == [(1, "mine")]
    other = "proofs" if name != "proofs" else "loads"
    with pytest.raises(Exception, match=other):
        database.query(f"SELECT * FROM {other}")


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE VIEW rma.accounts AS SELECT 1 AS id", "view accounts"),
        ("CREATE TABLE rma.trial_balance (id int)", "table trial_balance"),
        ("CREATE MATERIALIZED VIEW rma.balance_sheet AS SELECT 1 AS id", "materialized view balance_sheet"),
        ("CREATE SEQUENCE rma.loads", "sequence loads"),
        ("CREATE TYPE rma.changes AS ENUM ('a')", "type changes"),
        ("CREATE TYPE rma.changes AS (a int)", "type changes"),
        ("CREATE DOMAIN rma.windows AS int", "type windows"),
        ("CREATE TABLE rma.mine (id int); CREATE INDEX postings ON rma.mine (id)", "index postings"),
        ("CREATE TABLE rma.proofs (id int) PARTITION BY RANGE (id)", "partitioned table proofs"),
        ("CREATE TABLE rma.accounts (LIKE rma.accounts)", "table accounts"),
        (
            "CREATE TABLE rma.contract (version int, views text, written_at timestamptz);"
            "INSERT INTO rma.contract VALUES (1, 'mine', now())",
            "table contract",
        ),
    ],
)
def test_whatever_takes_a_name_in_postgresql_is_named(url: str, statement: str, named: str) -> None:
    if "LIKE" in statement:
        # Dropped and created anew, with the same columns: it is not the provider's any more.
        with open_destination(url):
            pass
        execute(url, "CREATE TABLE rma.copy (LIKE rma.accounts)", "DROP TABLE rma.accounts CASCADE")
        execute(url, "ALTER TABLE rma.copy RENAME TO accounts")
    else:
        execute(url, "CREATE SCHEMA rma", statement)
    before = list_objects(url)
    with pytest.raises(ConfigurationError, match=named):
        open_destination(url).__enter__()
    assert list_objects(url) == before


def test_objects_in_other_schemas_and_temporary_tables_are_in_nobodys_way(url: str) -> None:
    execute(
        url,
        "CREATE TABLE public.postings AS SELECT 1 AS mine",
        "CREATE VIEW public.windows AS SELECT 2 AS mine",
        'CREATE SCHEMA rma; CREATE TABLE rma."Accounts" AS SELECT 3 AS mine; CREATE TABLE rma.postings_window (id int)',
    )

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(url)
        for name in ("postings", "proofs", "windows", "contract"):
            connection.execute(f"CREATE TEMPORARY TABLE {name} (hidden int)".encode())
        connection.commit()
        return connection

    with open_destination(url, connect=connect) as destination:
        load_window(destination, [posting("1000", 1)])
    assert execute(url, "SELECT count(*) FROM rma.postings_proven") == [(1,)]
    assert execute(url, "SELECT * FROM public.postings, public.windows") == [(1, 2)]
    assert execute(url, 'SELECT * FROM rma."Accounts"') == [(3,)]


@pytest.mark.parametrize("statement", ['CREATE TABLE rma."Accounts" (id int)', 'CREATE VIEW rma."WINDOWS" AS SELECT 1'])
def test_duckdb_takes_names_in_another_case_for_the_same(tmp_path: Path, statement: str) -> None:
    with connect_duckdb(tmp_path / "l.duckdb") as connection:
        connection.execute(f"CREATE SCHEMA rma; {statement}")
    with pytest.raises(ConfigurationError, match="accounts|windows"):
        open_destination(str(tmp_path / "l.duckdb")).__enter__()
    with connect_duckdb(tmp_path / "l.duckdb") as connection:
        assert len(connection.execute("SELECT 1 FROM duckdb_tables() UNION ALL SELECT 1 FROM duckdb_views() WHERE NOT "
                                      "internal").fetchall()) == 1  # fmt: skip


def test_tables_of_the_user_in_main_of_the_same_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "own.duckdb"
    with connect_duckdb(path) as connection:
        for name in NAMES:
            connection.execute(f"CREATE TABLE {name} AS SELECT 7 AS mine")
    with open_destination(str(path)) as destination:
        load_window(destination, [posting("1000", 1)])
        assert destination.count_postings(TENANT, AUGUST) == 1
    with connect_duckdb(path, schema="main") as connection:
        for name in NAMES:
            assert connection.execute(f"SELECT * FROM main.{name}").fetchall() == [(7,)]
        assert connection.execute("SELECT count(*) FROM rma.postings_proven").fetchall() == [(1,)]


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_table_that_was_dropped_is_created_anew_and_one_of_the_user_in_its_place_is_refused(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    warehouse = make_warehouse(kind, tmp_path, request)
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    warehouse.query("DROP VIEW voucher_changes")
    warehouse.query("DROP TABLE changes")
    with warehouse.open() as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
    assert warehouse.query("SELECT * FROM voucher_changes") == []
    warehouse.query("DROP VIEW voucher_changes")
    warehouse.query("CREATE VIEW voucher_changes AS SELECT 1 AS mine")
    with pytest.raises(ConfigurationError, match="view voucher_changes"):
        warehouse.open().__enter__()
    assert warehouse.query("SELECT * FROM voucher_changes") == [(1,)]


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_warehouse_of_an_earlier_version_without_marks_is_taken_over(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    warehouse = make_warehouse(kind, tmp_path, request)
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    for name in [*contract.TABLES, *contract.PROVIDER_TABLES]:
        warehouse.query(f"COMMENT ON TABLE {name} IS NULL")
    for name in VIEWS:
        warehouse.query(f"COMMENT ON VIEW {name} IS NULL")
    warehouse.query("UPDATE contract SET version = 3")
    with warehouse.open() as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
    warehouse.query("COMMENT ON TABLE accounts IS NULL")
    with pytest.raises(ConfigurationError, match=": table accounts"):
        warehouse.open().__enter__()


def test_a_mark_survives_a_text_that_somebody_adds(url: str) -> None:
    with open_destination(url):
        pass
    execute(url, "COMMENT ON TABLE rma.postings IS 'Finance. Ledger of Run my Accounts, kept by airflow-provider-rma.'")
    with open_destination(url):
        pass


@pytest.mark.parametrize(
    "name",
    ["rma", "main", "temp", "system", "memory", "a-b.c", 'q"uote', "it's", "pg_catalog", "Gross Buchhaltung", "über"],
)
def test_a_duckdb_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.duckdb"
    with open_destination(str(path), history=True) as destination:
        load_window(destination, [posting("1000", 1)])
        load_window(destination, [posting("1000", 2)], load="L2")
        destination.save_convention(TENANT, {"a": 1})
    with open_destination(f"duckdb:///{path}") as destination:
        assert destination.read_convention(TENANT) == {"a": 1}
    with connect_duckdb(path, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM postings_proven").fetchall() == [(1,)]
    # Attached under another name, the views read the same tables.
    with connect_duckdb(":memory:") as connection:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS other (READ_ONLY); CREATE TABLE postings AS SELECT 1 AS mine")
        assert connection.execute("SELECT count(*) FROM other.rma.trial_balance").fetchall() == [(1,)]


def test_a_duckdb_file_takes_another_schema(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with open_destination(f"duckdb:///{path}?schema=books") as destination:
        load_window(destination, [posting("1000", 1)])
    with open_destination(str(path), schema="main") as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)])
    with connect_duckdb(path, schema="books") as connection:
        assert connection.execute("SELECT count(*) FROM postings_proven").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM main.postings_proven").fetchall() == [(2,)]
        found = connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables() ORDER BY 1").fetchall()
    assert found == [("books",), ("main",)]


def test_a_duckdb_warehouse_that_an_earlier_version_made_in_main_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with open_destination(str(path), schema="main") as destination:
        load_window(destination, [posting("1000", 1)])
    with pytest.raises(ConfigurationError, match="schema main") as caught:
        open_destination(str(path)).__enter__()
    assert "?schema=main" in caught.value.advice
    with open_destination(f"duckdb:///{path}?schema=main") as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
