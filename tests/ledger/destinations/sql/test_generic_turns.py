"""Runs that replace months in any other database take turns, also while another run renews the views."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import psycopg2
import pytest

from airflow_provider_rma.ledger.destinations.sql.generic import DbapiDestination
from tests.support.ledger.warehouses import postgres_url
from tests.support.ledger.window_fixtures import AUGUST, TENANT
from tests.support.postgres import PostgresServer

SECONDS = 120


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres_url(postgres)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets go of the writer under test, whatever becomes of the test."""
    event = threading.Event()
    yield event
    event.set()


def opened(url: str) -> DbapiDestination:
    return DbapiDestination(lambda: psycopg2.connect(url), "postgresql", "postgresql://somewhere")


def wait_for_waiters(url: str, number: int) -> None:
    """Wait until so many connections wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end = time.monotonic() + SECONDS
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchone() != (number,):
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_writer_that_waited_for_a_renewal_of_the_views_still_keeps_others_out(
    url: str, release: threading.Event
) -> None:
    entered = threading.Event()

    def renew() -> None:
        with opened(url):
            pass

    def write(writer: Any) -> None:
        with writer.transaction(TENANT, AUGUST.name):
            entered.set()
            release.wait(SECONDS)

    with ThreadPoolExecutor() as pool, opened(url) as holder, opened(url) as writer:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE rma_contract SET views = 'older'")
            with holder.transaction(TENANT, AUGUST.name):
                renewed = pool.submit(renew)
                wait_for_waiters(url, 1)
                written = pool.submit(write, writer)
                wait_for_waiters(url, 2)
            renewed.result(SECONDS)
            assert entered.wait(SECONDS)
            with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute("SELECT version FROM rma_contract FOR UPDATE NOWAIT")
        finally:
            release.set()
        written.result(SECONDS)
