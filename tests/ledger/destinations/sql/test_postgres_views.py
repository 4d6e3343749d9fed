"""Views that are renewed after an upgrade: readers keep their grants, and objects that depend on views are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.views import load as views
from tests.support.ledger.warehouses import postgres_url
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting
from tests.support.postgres import PostgresServer

#: A view as an earlier version had it, with another column.
OTHER = "SELECT tenant, month, 1 AS odd FROM windows"


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres_url(postgres)


@pytest.fixture
def reader(postgres: PostgresServer, url: str) -> Iterator[str]:
    name = f"reader_{url.rpartition('/')[2]}"
    postgres.execute(f'CREATE ROLE "{name}"')
    yield name
    with psycopg.connect(url) as connection:
        connection.execute(f'DROP OWNED BY "{name}"'.encode())
    postgres.execute(f'DROP ROLE "{name}"')


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    with psycopg.connect(url) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            found = cursor.fetchall() if cursor.description else []
    return found


def make_older(url: str, monkeypatch: pytest.MonkeyPatch, **queries: str) -> None:
    """Make a warehouse by a version that had other queries for some views."""
    with monkeypatch.context() as older:
        for name, query in queries.items():
            older.setitem(views.VIEWS, name, query)
        with open_destination(url) as destination:
            load_window(destination, [posting("1000", 1)])


def reads(url: str, role: str, view: str) -> list[tuple[Any, ...]]:
    return execute(url, f'SET ROLE "{role}"', f"SELECT count(*) FROM {view}")


def test_views_that_only_get_columns_are_replaced_in_their_place(
    url: str, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = views.VIEWS["voucher_changes"].replace(", changes.load_id\n", "\n")
    assert fewer != views.VIEWS["voucher_changes"]
    make_older(url, monkeypatch, voucher_changes=fewer)
    execute(
        url,
        "CREATE SCHEMA own",
        "CREATE VIEW own.report AS SELECT * FROM rma.voucher_changes",
        f'GRANT USAGE ON SCHEMA rma, own TO "{reader}"',
        f'GRANT SELECT ON rma.voucher_changes, own.report TO "{reader}"',
    )
    before = execute(url, "SELECT 'rma.voucher_changes'::regclass::oid, 'own.report'::regclass::oid")
    with open_destination(url):
        pass
    assert execute(url, "SELECT 'rma.voucher_changes'::regclass::oid, 'own.report'::regclass::oid") == before
    assert reads(url, reader, "own.report") == reads(url, reader, "rma.voucher_changes") == [(0,)]
    assert execute(url, "SELECT load_id FROM rma.voucher_changes") == []


def test_views_with_other_columns_are_created_anew_with_their_grants(
    url: str, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_older(url, monkeypatch, voucher_changes=OTHER)
    execute(
        url,
        "CREATE VIEW own AS SELECT * FROM rma.windows",
        f'GRANT USAGE ON SCHEMA rma TO "{reader}"',
        f'GRANT SELECT ON rma.voucher_changes TO "{reader}" WITH GRANT OPTION',
        "GRANT SELECT ON rma.voucher_changes TO PUBLIC",
        # What the defaults of the schema would grant beside.
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA rma GRANT INSERT, DELETE ON TABLES TO "{reader}"',
    )
    acl = "SELECT relacl::text FROM pg_class WHERE oid = 'rma.voucher_changes'::regclass"
    before = execute(url, acl)
    with open_destination(url) as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
    assert execute(url, "SELECT voucher_key FROM rma.voucher_changes") == []
    assert sorted(execute(url, acl)[0][0].strip("{}").split(",")) == sorted(before[0][0].strip("{}").split(","))
    assert reads(url, reader, "rma.voucher_changes") == [(0,)]
    assert execute(url, "SELECT count(*) FROM own") == [(1,)]


def test_grants_on_columns_of_a_view_are_kept(url: str, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_older(url, monkeypatch, voucher_changes="SELECT tenant, month, change AS odd FROM changes")
    execute(
        url,
        f'GRANT USAGE ON SCHEMA rma TO "{reader}"',
        f'GRANT SELECT (tenant, month) ON rma.voucher_changes TO "{reader}"',
    )
    with open_destination(url):
        pass
    assert execute(url, f'SET ROLE "{reader}"', "SELECT tenant, month FROM rma.voucher_changes") == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(url, f'SET ROLE "{reader}"', "SELECT change FROM rma.voucher_changes")


@pytest.mark.parametrize(
    ("dependent", "named"),
    [
        ("CREATE VIEW own.report AS SELECT * FROM rma.voucher_changes", "view own.report"),
        ("CREATE MATERIALIZED VIEW own.report AS SELECT * FROM rma.voucher_changes", "materialized view own.report"),
        (
            "CREATE FUNCTION own.report() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM rma.voucher_changes; END",
            "function own.report",
        ),
    ],
)
def test_what_depends_on_a_view_that_must_go_is_named_before_anything_is_touched(
    url: str, monkeypatch: pytest.MonkeyPatch, dependent: str, named: str
) -> None:
    make_older(url, monkeypatch, voucher_changes=OTHER)
    if "ATOMIC" in dependent and int(execute(url, "SHOW server_version_num")[0][0]) < 140000:
        pytest.skip("this PostgreSQL has no functions that depend on views")
    # A table, too, would get a column.
    execute(url, "ALTER TABLE rma.proofs DROP COLUMN books_off_by CASCADE", "UPDATE rma.contract SET version = 2")
    execute(url, "CREATE SCHEMA own", dependent)
    before = execute(url, "SELECT attrelid::regclass::text, attname FROM pg_attribute ORDER BY 1, 2")
    with pytest.raises(ConfigurationError, match=named) as caught:
        open_destination(url).__enter__()
    assert "Drop these objects" in caught.value.advice
    assert execute(url, "SELECT attrelid::regclass::text, attname FROM pg_attribute ORDER BY 1, 2") == before
    execute(url, "DROP SCHEMA own CASCADE")
    with open_destination(url) as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
    assert execute(url, "SELECT voucher_key FROM rma.voucher_changes") == []


def test_only_views_that_read_one_with_other_columns_are_created_anew(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = f"SELECT 1 AS odd, year_end_vouchers.* FROM ({views.VIEWS['year_end_vouchers']}) AS year_end_vouchers"
    make_older(url, monkeypatch, balance_sheet=OTHER, postings_keys=odd)
    execute(url, "CREATE VIEW own AS SELECT * FROM rma.profit_and_loss")
    with open_destination(url):
        pass
    assert execute(url, "SELECT side FROM rma.balance_sheet") == [("assets",), ("result",)]
    assert execute(url, "SELECT count(line_hash) FROM rma.postings_keys") == [(1,)]
    assert execute(url, "SELECT count(*) FROM own") == [(0,)]


def test_a_view_that_reads_one_with_other_columns_is_created_anew_after_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = "SELECT 1 AS odd, loaded_months.* FROM (" + views.VIEWS["window_chains"] + ") AS loaded_months"
    make_older(url, monkeypatch, window_chains=older)
    with open_destination(url):
        pass
    assert execute(url, "SELECT tenant FROM rma.window_chains") == [(TENANT,)]
    assert execute(url, "SELECT count(*) FROM rma.trial_balance") == [(1,)]
