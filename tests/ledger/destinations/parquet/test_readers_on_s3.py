"""A Parquet warehouse on an object store that speaks S3: it works, and reading takes few requests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import duckdb
import pytest

from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet.readers import create_duckdb_views, dataset_files, read_window
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting

pytest.importorskip("s3fs", reason="each s3fs wants an fsspec of its own version, so it is not among the lowest")
from tests.support.object_store import ObjectStore

MONTHS = [Window.of(date(2025, month, 1)) for month in range(1, 13)]


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with ObjectStore() as store:
        yield store


@pytest.fixture(scope="module")
def year(store: ObjectStore) -> str:
    """A warehouse with twelve months of two tenants."""
    root = f"{store.make_bucket()}/ledger"
    with open_destination(root, fs=store.filesystem()) as destination:
        for tenant in (TENANT, "other"):
            for month in MONTHS:
                load_window(destination, [posting("1000", 1), posting("3200", -1)], window=month, tenant=tenant)
    return root


def test_every_view_can_be_asked_in_duckdb(store: ObjectStore, year: str) -> None:
    with duckdb.connect() as connection:
        for _ in range(2):
            create_duckdb_views(connection, store.filesystem(), year)
        assert connection.execute("SELECT count(*) FROM postings").fetchall() == [(48,)]
        assert connection.execute("SELECT count(*) FROM trial_balance").fetchall() == [(48,)]


def test_views_take_one_listing_and_a_read_for_each_manifest(store: ObjectStore, year: str) -> None:
    fs = store.filesystem()
    store.requests.clear()
    with duckdb.connect() as connection:
        create_duckdb_views(connection, fs, year)
        taken = store.requests.copy()
        store.requests.clear()
        create_duckdb_views(connection, fs, year, tenant=TENANT, windows=MONTHS[:1])
        fewer = store.requests.copy()
        assert connection.execute("SELECT count(*) FROM trial_balance").fetchall() == [(2,)]
    assert taken["list_objects_v2"] == fewer["list_objects_v2"] == 1
    # To learn the columns, DuckDB looks into one file of each table for each view; the number of months is no matter.
    assert len(MONTHS) * 2 <= taken["get_object"] <= len(MONTHS) * 2 + 200
    assert fewer.total() <= 1 + 1 + 200


def test_files_take_one_listing_and_a_read_for_each_manifest(store: ObjectStore, year: str) -> None:
    store.requests.clear()
    assert len(dataset_files(store.filesystem(), year)) == 24
    assert store.requests == {"list_objects_v2": 1, "get_object": 24}
    store.requests.clear()
    (file,) = dataset_files(store.filesystem(), year, tenant=TENANT, windows=MONTHS[2:3])
    assert "/tenant=acme/month=2025-03/postings-" in file
    assert store.requests == {"list_objects_v2": 1, "get_object": 1}


def test_a_window_is_replaced_and_read(store: ObjectStore) -> None:
    root, fs = f"{store.make_bucket()}/ledger", store.filesystem()
    with open_destination(root, fs=fs, history=True) as destination:
        load_window(destination, [posting("1000", 1)])
        load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
    assert read_window(store.filesystem(), root, TENANT, AUGUST).num_rows == 2
    with duckdb.connect() as connection:
        create_duckdb_views(connection, store.filesystem(), root)
        assert connection.execute("SELECT count(*) FROM postings WHERE valid_from IS NOT NULL").fetchall() == [(2,)]


def test_tasks_that_load_other_months_at_the_same_time_lose_nothing(store: ObjectStore) -> None:
    root = f"{store.make_bucket()}/ledger"

    def load(month: Window) -> None:
        with open_destination(root, fs=store.filesystem()) as destination:
            load_window(destination, [posting("1000", 1)], window=month)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, MONTHS[:8]))
    assert len(dataset_files(store.filesystem(), root)) == 8
