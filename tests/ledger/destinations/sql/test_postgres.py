from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger.arrow_schemas import empty_table
from airflow_provider_rma.ledger.destinations.base import WindowTables
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.sql.postgres import PostgresDestination, PostgresTransaction
from airflow_provider_rma.ledger.destinations.views import load as views
from tests.support.ledger.child_process import python, says
from tests.support.ledger.warehouses import postgres_url, postgres_warehouse
from tests.support.ledger.window_fixtures import AUGUST, JULY, TENANT, batch, load_row, load_window, posting, proofs
from tests.support.postgres import Pooler, PostgresServer


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres_url(postgres)


def _in_background(what: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=what)
    thread.start()
    return thread


def test_another_schema_may_be_named(url: str) -> None:
    with open_destination(url, schema="Konzern Ledger") as destination:
        load_window(destination, [posting("1000", 1)])
    with psycopg.connect(url) as connection:
        assert connection.execute('SELECT accno FROM "Konzern Ledger".postings_proven').fetchall() == [("1000",)]
        assert connection.execute("SELECT to_regclass('rma.postings')").fetchall() == [(None,)]


def test_loads_behind_a_pooler_in_transaction_mode(postgres: PostgresServer, pooler: Pooler) -> None:
    """Consecutive transactions have other sessions: nothing may be prepared, held or set in one for the next."""
    database = postgres.create_database()
    url = pooler.url(database, driver="psycopg").replace("+psycopg", "")
    errors: list[BaseException] = []

    def load(tenant: str) -> None:
        try:
            for number in range(8):
                with open_destination(url) as destination:
                    load_window(
                        destination, [posting("1000", n) for n in range(number)], tenant=tenant, load=f"L{number}"
                    )
                    load_window(destination, [posting("1000", 1)], tenant=tenant, window=JULY, load=f"L{number}")
                    assert destination.count_postings(tenant, AUGUST) == number
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to
            errors.append(error)

    threads = [_in_background(lambda tenant=tenant: load(tenant)) for tenant in ("acme", "beta", "gamma")]  # type: ignore[misc]
    for thread in threads:
        thread.join(120)
    assert errors == []
    with psycopg.connect(url, prepare_threshold=None) as connection:
        assert connection.execute("SELECT tenant, count(*) FROM rma.postings GROUP BY 1 ORDER BY 1").fetchall() == [
            ("acme", 8),
            ("beta", 8),
            ("gamma", 8),
        ]
        # The pooler's sessions are as they were.
        assert connection.execute("SHOW search_path").fetchall() == [('"$user", public',)]
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_a_load_waits_for_another_of_the_same_window_and_for_no_other(url: str) -> None:
    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
    holder = open_destination(url)
    assert isinstance(holder, PostgresDestination)
    with holder.transaction(TENANT, AUGUST.name):

        def load() -> None:
            with open_destination(url) as other:
                load_window(other, [posting("1000", 2), posting("1000", 3)], load="L2")

        waiting = _in_background(load)
        with open_destination(url) as third:
            load_window(third, [posting("1000", 4)], window=JULY)
            load_window(third, [posting("1000", 4)], tenant="other")
        time.sleep(0.2)
        assert waiting.is_alive()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM rma.postings WHERE load_id = 'L2'").fetchone() == (0,)
    waiting.join(120)
    with open_destination(url) as destination:
        assert destination.count_postings(TENANT, AUGUST) == 2
    holder.__exit__(None, None, None)


def test_it_gives_up_waiting_with_an_error_that_says_so(url: str) -> None:
    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
        assert isinstance(destination, PostgresDestination)
        with (
            destination.transaction(TENANT, AUGUST.name),
            open_destination(url, lock_timeout=0.2) as other,
            pytest.raises(DestinationError, match=r"for 0\.2 seconds") as caught,
        ):
            load_window(other, [posting("1000", 2)], load="L2")
    assert caught.value.retryable


def test_readers_see_the_old_window_until_the_new_one_is_whole(url: str) -> None:
    seen: list[Any] = []
    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
        with psycopg.connect(url, autocommit=True) as reader:
            query = "SELECT load_id, amount FROM rma.postings_proven"
            with at("table.written", lambda **_: seen.append(reader.execute(query).fetchall())):
                load_window(destination, [posting("1000", 2), posting("1000", 3)], load="L2")
            assert len(reader.execute("SELECT 1 FROM rma.postings_proven").fetchall()) == 2
    assert len(seen) == 4
    assert {row[0] for rows in seen for row in rows} == {"L1"}


def test_a_connection_that_was_lost_while_the_service_was_read_is_made_anew(url: str) -> None:
    destination = PostgresDestination(lambda: psycopg.connect(url), "here", idle_seconds=0.0)
    with destination, destination.stage(TENANT, AUGUST) as stage:
        stage.write(batch(posting("1000", 1)))
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        stage.commit(WindowTables(balances=empty_table("balances"), proofs=proofs(), load=load_row(1)))
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_a_connection_that_is_lost_in_the_middle_leaves_the_old_window(url: str) -> None:
    def terminate(transaction: PostgresTransaction, **_: Any) -> None:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(f"SELECT pg_terminate_backend({transaction.connection.info.backend_pid})")

    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
        with at("table.written", terminate), pytest.raises(DestinationError) as caught:
            load_window(destination, [posting("1000", 2), posting("1000", 3)], load="L2")
        assert caught.value.retryable
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_no_connection_is_left_open(url: str, postgres: PostgresServer) -> None:
    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
    database = url.rpartition("/")[2]
    deadline = time.monotonic() + 60
    query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND backend_type = 'client backend'"
    while postgres.execute(query) != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_settings_of_the_server_do_not_matter(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        for setting in ("datestyle TO 'German'", "timezone TO 'Pacific/Auckland'", "search_path TO 'nowhere'"):
            admin.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET {setting}")
    warehouse = postgres_warehouse(url)
    with warehouse.open(history=True) as destination:
        load_window(destination, [posting("1000", 1, transdate=AUGUST.start.replace(day=3))])
        before = destination.read_fingerprints(TENANT, AUGUST)
        load_window(destination, [posting("1000", 1, transdate=AUGUST.start.replace(day=3))], load="L2")
        assert destination.read_fingerprints(TENANT, AUGUST) == before
    assert [row["transdate"].day for row in warehouse.read("postings")] == [3]
    assert warehouse.read("postings_history") == []


def test_a_user_who_may_only_write_rows_can_load_what_is_there(url: str) -> None:
    with open_destination(url), psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS loader")
        admin.execute("CREATE ROLE loader LOGIN PASSWORD 'example'")
        admin.execute("GRANT USAGE ON SCHEMA rma TO loader")
        admin.execute("GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA rma TO loader")
    with open_destination(url.replace("//rma:", "//loader:")) as destination:
        load_window(destination, [posting("1000", 1)])
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_views_whose_columns_have_changed_are_made_anew(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
    changed = {**views.VIEWS, "windows": views.VIEWS["windows"].replace("AS loaded,", "AS loaded, 1 AS one,", 1)}
    monkeypatch.setattr(views, "VIEWS", changed)
    with open_destination(url):
        pass
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT one FROM rma.windows").fetchall() == [(1,)]
        assert connection.execute("SELECT accno FROM rma.postings_proven").fetchall() == [("1000",)]


def test_a_text_that_postgresql_cannot_hold_is_refused_without_being_quoted(url: str) -> None:
    with open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
        with pytest.raises(DestinationError) as caught:
            load_window(destination, [posting("1000", 1, memo="geheim\0")], load="L2")
        assert "geheim" not in str(caught.value)
        assert not caught.value.retryable
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_a_factory_of_another_driver_is_refused(url: str) -> None:
    import psycopg2

    with pytest.raises(ConfigurationError, match="psycopg 3"):
        open_destination("postgresql://db/books", connect=lambda: psycopg2.connect(url)).__enter__()


def test_nothing_secret_is_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), open_destination(url) as destination:
        load_window(destination, [posting("1000", 1)])
    assert "example" not in caplog.text + destination.location
    assert "rma:" not in destination.location


def test_processes_load_at_the_same_time(url: str) -> None:
    program = """
with open_destination(sys.argv[1]) as destination:
    for n in range(5):
        load_window(destination, many(f"L{n}", 10 + n), load=f"L{n}", tenant=sys.argv[2])
print("done", flush=True)
"""
    with python(program, url, "one") as first, python(program, url, "two") as second:
        says(first, "done")
        says(second, "done")
    with open_destination(url) as destination:
        assert [destination.count_postings(tenant, AUGUST) for tenant in ("one", "two")] == [14, 14]
