"""Rows of queries, on SQLite and on a real PostgreSQL, by every kind of row that drivers return."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import traceback
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from airflow.providers.common.compat.sdk import BaseHook
from airflow.providers.postgres.hooks.postgres import PostgresHook

from airflow_provider_rma.billing.records.columns import CUSTOMER_COLUMNS
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError
from airflow_provider_rma.hooks.sql import query
from tests.support.postgres import PostgresServer
from tests.support.throw_away_server import PASSWORD, USER

pytestmark = pytest.mark.airflow

#: No line of the tests holds it, which a traceback would show.
SECRET = "Geheim" + "weg 7"
NUMBERS = "SELECT n AS customernumber, 'x' AS name FROM generate_series(1, 2500) AS n"


@pytest.fixture
def erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite database with the numbers 0 to 2,499."""
    database = sqlite3.connect(tmp_path / "erp.db")
    database.execute("CREATE TABLE numbers (n INTEGER)")
    database.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(2_500)])
    database.commit()
    database.close()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "erp.db")}
    monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps(connection))


@pytest.fixture
def server(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``server(**extra)`` points the connection ``pg`` to PostgreSQL."""

    def connect(**extra: Any) -> None:
        connection = {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": postgres.port,
            "login": USER,
            "password": PASSWORD,
            "schema": "postgres",
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_PG", json.dumps(connection))

    connect()
    return connect


def test_rows_come_by_cursor_with_their_column_names(erp: None) -> None:
    rows = query("erp", "SELECT n AS invnumber FROM numbers ORDER BY n", None)
    assert next(rows) == {"invnumber": 0}
    assert sum(1 for _ in rows) == 2_499


def test_parameters_are_bound(erp: None) -> None:
    assert list(query("erp", "SELECT n FROM numbers WHERE n BETWEEN :a AND :b", {"a": 3, "b": 4})) == [
        {"n": 3},
        {"n": 4},
    ]


def test_columns_named_twice_are_refused(erp: None) -> None:
    with pytest.raises(ConfigurationError, match=r"columns named twice: n\. Name each column once"):
        list(query("erp", "SELECT n, n FROM numbers", None))
    with pytest.raises(ConfigurationError, match=r"columns named twice: name\."):
        list(query("erp", "SELECT n AS name, n AS NAME FROM numbers", None, CUSTOMER_COLUMNS))


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t (n)", "SELECT 1; CREATE TABLE t (n)", "UPDATE numbers SET n = 1"]
)
def test_a_statement_without_rows_is_refused(erp: None, statement: str) -> None:
    with pytest.raises(ConfigurationError, match="returns no rows"):
        list(query("erp", statement, None))


@pytest.mark.parametrize("statement", ["", "  \n", ";", "; ;", "-- nothing"])
def test_a_text_without_a_statement_is_refused(erp: None, statement: str) -> None:
    with pytest.raises(ConfigurationError, match="sql: is empty"):
        list(query("erp", statement, None))


def test_a_connection_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NOT_SQL", json.dumps({"conn_type": "rma", "schema": "demo", "password": "x"}))
    with pytest.raises(ConfigurationError, match="'not_sql' is not a connection of a database"):
        list(query("not_sql", "SELECT 1", None))


def test_a_connection_that_does_not_exist_or_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": "abacus"}))
    for name in ("nobody_knows_it", "odd"):
        with pytest.raises(ConfigurationError, match=f"no usable connection '{name}'") as caught:
            list(query(name, "SELECT 1", None))
        assert not caught.value.retryable


@pytest.mark.parametrize(
    ("statement", "text"),
    [("SELEKT 1", "syntax error"), ("SELECT n FROM nothing", "nothing"), ("SELECT nn FROM numbers", "nn")],
)
def test_a_wrong_statement_is_named_and_not_tried_again(
    erp: None, server: Callable[..., None], statement: str, text: str
) -> None:
    for conn_id in ("erp", "pg"):
        with pytest.raises(ConfigurationError, match=f"sql: the database refuses .*{text}") as caught:
            list(query(conn_id, statement.replace("numbers", "pg_class") if conn_id == "pg" else statement, None))
        assert not caught.value.retryable


def test_a_database_that_is_down_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PG", json.dumps({"conn_type": "postgres", "host": "127.0.0.1", "port": 9}))
    with pytest.raises(ConfigurationError, match="sql_conn_id: the database refuses") as caught:
        list(query("pg", "SELECT 1", None))
    assert caught.value.retryable


def test_data_in_an_error_of_the_database_is_not_repeated(server: Callable[..., None]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(query("pg", f"SELECT CAST('{SECRET}' AS integer) AS n", None))
    # A task's log shows causes as well.
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_value_that_is_bound_is_not_repeated_either(postgres: PostgresServer, server: Callable[..., None]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(query("pg", "SELECT nothing FROM pg_class WHERE relname = %(name)s", {"name": SECRET}))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# ------------------------------------------------------------------ several statements


@pytest.mark.parametrize(
    "statements",
    [
        "SET search_path TO pg_catalog; SELECT 7 AS n",
        "SET search_path TO pg_catalog;\n\nSELECT 7 AS n;",
        "SELECT 1 AS x; SELECT 2 AS y; SELECT 7 AS n; -- that is all",
        "CREATE TEMPORARY TABLE t AS SELECT 7 AS n; SELECT n FROM t",
        "SELECT set_config('my.n', '7', true); SELECT current_setting('my.n')::int AS n",
        "/* ; */ SELECT 7 AS n",
        "SELECT 7 AS n -- one; two",
        "SELECT 7 AS n, ';' AS s",
        "WITH a AS (SELECT 7 AS n) SELECT n FROM a",
        "VALUES (7)",
        "(SELECT 7 AS n) UNION (SELECT 7)",
        "CREATE TEMPORARY TABLE t (n int); WITH a AS (INSERT INTO t VALUES (7) RETURNING n) SELECT n FROM a",
        "CREATE TEMPORARY TABLE t (n int); INSERT INTO t VALUES (7) RETURNING n",
    ],
)
def test_of_several_statements_the_rows_of_the_last_one_count(server: Callable[..., None], statements: str) -> None:
    ((value, *_),) = [list(row.values()) for row in query("pg", statements, None)]
    assert value == 7


def test_a_database_that_takes_one_statement_at_a_time_gets_them_one_by_one(erp: None) -> None:
    statements = "PRAGMA case_sensitive_like = ON; CREATE TEMP TABLE t AS SELECT :n AS n; SELECT n FROM t WHERE n = :n"
    assert list(query("erp", statements, {"n": 7})) == [{"n": 7}]
    assert list(query("erp", "PRAGMA case_sensitive_like = ON; SELECT ? AS n", [7])) == [{"n": 7}]


def test_parameters_of_postgresql_are_bound(server: Callable[..., None]) -> None:
    assert list(query("pg", "SET search_path TO pg_catalog; SELECT %(n)s::int AS n", {"n": 7})) == [{"n": 7}]
    assert list(query("pg", "SET search_path TO pg_catalog; SELECT %s::int AS n", [7])) == [{"n": 7}]


# ------------------------------------------------------------------ kinds of rows


@pytest.mark.parametrize("cursor", [None, "dictcursor", "namedtuplecursor"])
def test_rows_are_read_by_column_whatever_cursor_the_connection_asks_for(
    server: Callable[..., None], cursor: str | None
) -> None:
    server(**({"cursor": cursor} if cursor else {}))
    rows = list(query("pg", NUMBERS, None, CUSTOMER_COLUMNS))
    assert rows[0] == {"customernumber": 1, "name": "x"}
    assert len(rows) == 2_500
    assert {tuple(row) for row in rows} == {("customernumber", "name")}


@pytest.mark.parametrize("kind", ["cursor", "DictCursor", "RealDictCursor", "NamedTupleCursor"])
def test_rows_of_the_older_driver_are_read_by_column(
    postgres: PostgresServer, server: Callable[..., None], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    url = postgres.url().replace("+psycopg2", "")
    factory = getattr(psycopg2.extras, kind, psycopg2.extensions.cursor)
    monkeypatch.setattr(PostgresHook, "get_conn", lambda _: psycopg2.connect(url, cursor_factory=factory))
    rows = list(query("pg", f"SET search_path TO pg_catalog; {NUMBERS}", None, CUSTOMER_COLUMNS))
    assert (len(rows), rows[-1]) == (2_500, {"customernumber": 2_500, "name": "x"})
    assert list(query("pg", "SELECT 1 AS customernumber, 'x' AS name WHERE false", None, CUSTOMER_COLUMNS)) == []
    statements = "CREATE TEMPORARY TABLE t (n int); INSERT INTO t VALUES (7) RETURNING n AS customernumber, 'x' AS name"
    assert list(query("pg", statements, None)) == [{"customernumber": 7, "name": "x"}]
    with pytest.raises(ConfigurationError, match="returns no rows"):
        list(query("pg", "CREATE TEMPORARY TABLE t (n int)", None))


class FakeCursor:
    """A driver's cursor that returns rows of some kind."""

    def __init__(self, rows: list[Any], names: tuple[str, ...] = ("customernumber", "name")) -> None:
        self.description: Any = [(name, None, None, None, None, None, None) for name in names]
        self.rows = rows

    def execute(self, *_: Any) -> None:
        pass

    def fetchmany(self, size: int) -> list[Any]:
        rows, self.rows = self.rows[:size], self.rows[size:]
        return rows

    def close(self) -> None:
        pass


class FakeDatabase:
    """A driver's connection with one cursor."""

    def __init__(self, cursor: FakeCursor) -> None:
        self._cursor = cursor

    def cursor(self) -> FakeCursor:
        return self._cursor

    def close(self) -> None:
        pass


@pytest.fixture
def driver(erp: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCursor], Iterator[dict[str, Any]]]:
    """``driver(cursor)`` runs a query that is answered by a cursor."""

    def run(cursor: FakeCursor) -> Iterator[dict[str, Any]]:
        hook = BaseHook.get_connection("erp").get_hook()
        monkeypatch.setattr(type(hook), "get_conn", lambda _: FakeDatabase(cursor))
        return query("erp", "SELECT 1", None, CUSTOMER_COLUMNS)

    return run


Pair = namedtuple("Pair", ["customernumber", "name"])


def sqlite_row() -> sqlite3.Row:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    row: sqlite3.Row = database.execute("SELECT 'K-1' AS customernumber, 'A' AS name").fetchone()
    return row


class KeyedRow:
    """A driver's own kind of row: by name, and iterating over the names."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def keys(self) -> Any:
        return self._values.keys()

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class NumberedRow:
    """A driver's own kind of row: by position alone."""

    def __init__(self, *values: str) -> None:
        self._values = values

    def __getitem__(self, position: int) -> str:
        return self._values[position]

    def __len__(self) -> int:
        return len(self._values)


class AttributeRow(SimpleNamespace):
    """A driver's own kind of row: by attribute, and iterating over the names."""

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self))


@pytest.mark.parametrize(
    "row",
    [
        ("K-1", "A"),
        ["K-1", "A"],
        Pair("K-1", "A"),
        sqlite_row(),
        {"name": "A", "customernumber": "K-1"},
        KeyedRow(name="A", customernumber="K-1"),
        NumberedRow("K-1", "A"),
    ],
)
def test_every_kind_of_row_is_read_by_name_or_position(
    driver: Callable[[FakeCursor], Iterator[dict[str, Any]]], row: Any
) -> None:
    assert list(driver(FakeCursor([row]))) == [{"customernumber": "K-1", "name": "A"}]


@pytest.mark.parametrize(
    "row",
    [
        *("ab", b"ab", bytearray(b"ab"), memoryview(b"ab"), 17, None, object(), ("K-1",), ("K-1", "A", 3)),
        *({"name": "A"}, {}, {"K-1", "A"}, KeyedRow(name="A"), AttributeRow(customernumber="K-1", name="A")),
        *({"customernumber": 1, "name": 2}.keys(), {"customernumber": 1, "name": 2}.items()),
    ],
    ids=lambda row: type(row).__name__,
)
def test_rows_that_cannot_be_read_by_column_are_refused(
    driver: Callable[[FakeCursor], Iterator[dict[str, Any]]], row: Any
) -> None:
    with pytest.raises(ConfigurationError, match="Remove the kind of cursor from the extra"):
        list(driver(FakeCursor([row])))


@pytest.mark.parametrize("module", ["pymysql", "MySQLdb"])
def test_mysql_is_asked_for_the_cursor_that_leaves_rows_on_the_server(
    erp: None, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    asked: list[Any] = []

    class Database(FakeDatabase):
        def cursor(self, *kinds: Any) -> FakeCursor:
            asked.extend(kinds)
            return super().cursor()

    Database.__module__ = f"{module}.connections"
    cursors = ModuleType(f"{module}.cursors")
    cursors.SSCursor = "SSCursor"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    monkeypatch.setitem(sys.modules, f"{module}.cursors", cursors)
    hook = BaseHook.get_connection("erp").get_hook()
    monkeypatch.setattr(type(hook), "get_conn", lambda _: Database(FakeCursor([("K-1", "A")])))
    assert list(query("erp", "SELECT 1", None)) == [{"customernumber": "K-1", "name": "A"}]
    assert asked == ["SSCursor"]


def test_names_in_capitals_are_those_of_the_fields(
    driver: Callable[[FakeCursor], Iterator[dict[str, Any]]],
) -> None:
    """Oracle and Snowflake fold names that are not quoted."""
    names = ("CUSTOMERNUMBER", "NAME")
    rows = [("K-1", "A"), {"CUSTOMERNUMBER": "K-2", "NAME": "B"}]
    assert [row["name"] for row in driver(FakeCursor(rows, names))] == ["A", "B"]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("n", "none of its 1 columns is named as a field of RMA"),
        ("customernumber, name, 1 AS nam", "sql: nam: is not a field of a customer; did you mean 'name'"),
        ("customernumber", "name: is missing"),
        ("customernumber, name, 1 AS __index_level_0__", "is the index of a data frame"),
    ],
)
def test_wrong_columns_are_one_error_with_rows_and_without(erp: None, names: str, problem: str) -> None:
    for where in ("", " WHERE n < 0"):
        source = "(SELECT n, n AS customernumber, n AS name FROM numbers)"
        with pytest.raises(InvalidInputError, match=problem) as caught:
            list(query("erp", f"SELECT {names} FROM {source}{where}", None, CUSTOMER_COLUMNS))
        assert len(caught.value.problems) == 1


def test_several_results_that_cannot_be_told_apart_are_refused(
    driver: Callable[[FakeCursor], Iterator[dict[str, Any]]],
) -> None:
    class Several(FakeCursor):
        left = 2

        def nextset(self) -> bool:
            self.left -= 1
            return self.left > 0

    with pytest.raises(ConfigurationError, match="several statements return rows"):
        list(driver(Several([("K-1", "A")])))


# ------------------------------------------------------------------ memory


def test_four_hundred_thousand_rows_of_postgresql_do_not_grow_the_memory(
    postgres: PostgresServer, server: Callable[..., None]
) -> None:
    code = """
import resource
from airflow_provider_rma.hooks.sql import query
sql = "SELECT n AS invnumber, repeat('x', 100) AS notes FROM generate_series(1, {}) AS n"
def peak(count):
    assert sum(1 for _ in query("pg", sql.format(count), None)) == count
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
few = peak(2_000)
print(peak(400_000) - few)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 15


def test_the_driver_in_use_has_a_cursor_on_the_server(server: Callable[..., None]) -> None:
    """Otherwise the test before this one proves nothing of it."""
    with PostgresHook("pg").get_conn() as connection:
        assert type(connection).__module__.split(".")[0] in ("psycopg", "psycopg2")
