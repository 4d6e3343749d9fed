from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination
from tests.support.reference import ROOT


@pytest.mark.parametrize(
    ("url", "kind", "location"),
    [
        ("duckdb:///folder/ledger.duckdb", "duckdb", "folder/ledger.duckdb"),
        ("duckdb:////data/ledger.db", "duckdb", "/data/ledger.db"),
        ("folder/ledger.duckdb", "duckdb", "folder/ledger.duckdb"),
        ("/data/ledger.duckdb", "duckdb", "/data/ledger.duckdb"),
        ("parquet:////data/ledger", "parquet", "file:///data/ledger"),
        ("parquet:///data/ledger", "parquet", f"file://{os.getcwd()}/data/ledger"),
        ("file:///data/ledger", "parquet", "file:///data/ledger"),
        ("memory://bucket/ledger", "parquet", "memory:///bucket/ledger"),
        (
            "postgresql://ada:secret@db:5433/books?sslmode=require",
            "postgresql",
            "postgresql://db:5433/books?schema=rma",
        ),
        ("postgres://ada:secret@db/books?schema=ledger", "postgresql", "postgresql://db/books?schema=ledger"),
        ("postgresql+psycopg://db/books", "postgresql", "postgresql://db/books?schema=rma"),
        ("sqlite:///data/ledger.db", "sqlite", "sqlite:///data/ledger.db"),
    ],
)
def test_addresses(url: str, kind: str, location: str) -> None:
    destination = open_destination(url)
    assert (destination.kind, destination.location) == (kind, location)


@pytest.mark.parametrize("path", ["bucket/ledger", "memory://bucket/ledger", "bucket/odd.duckdb"])
def test_any_path_with_a_file_system_means_parquet(path: str) -> None:
    destination = open_destination(path, fs=fsspec.filesystem("memory"))
    assert isinstance(destination, ParquetDestination)
    assert destination.location == "memory:///bucket/" + path.rpartition("/")[2]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "warehouse",
        "data/ledger.db",
        "postgresql://user:secret@host:port/db",
        "nothing+like://user:secret@host/db",
        "duckdb:",
        "duckdb://host/file",
        "parquet:",
    ],
)
def test_other_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_destination(url)
    assert caught.value.advice
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "url", "extra"),
    [
        ("duckdb", "duckdb:///{}/l.duckdb", "airflow-provider-rma[duckdb]"),
        ("pyarrow.parquet", "parquet:///{}", "airflow-provider-rma[parquet]"),
        ("psycopg", "postgresql://localhost/{}", "airflow-provider-rma[postgres]"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, missing: str, url: str, extra: str) -> None:
    # In a process of its own: here the package has been imported long since.
    program = (
        "import sys; sys.modules[sys.argv[1]] = None\n"
        "from airflow_provider_rma.exceptions import ConfigurationError\n"
        "from airflow_provider_rma.ledger.destinations.open import open_destination\n"
        "try: open_destination(sys.argv[2])\n"
        "except ConfigurationError as error: print(error.args[0], error.advice)"
    )
    command = [sys.executable, "-c", program, missing, url.format(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"The package {missing.partition('.')[0]} is not installed." in done.stdout
    assert extra in done.stdout


def test_a_factory_of_connections_makes_credentials_in_the_address_unnecessary(tmp_path: Path) -> None:
    address = "sqlite://somewhere/ledger?table_prefix=books_"
    connect = lambda: sqlite3.connect(tmp_path / "ledger.db")  # noqa: E731 - a factory
    with open_destination(address, connect=connect) as destination:
        assert destination.location == "sqlite://somewhere/ledger"
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("SELECT count(*) FROM books_postings").fetchall() == [(0,)]


def test_a_database_that_does_not_answer_is_worth_another_try_and_its_password_is_kept() -> None:
    with pytest.raises(DestinationError) as caught:
        open_destination("postgresql://ada:secret@127.0.0.1:1/books?connect_timeout=2").__enter__()
    assert caught.value.retryable
    assert "127.0.0.1:1/books" in str(caught.value)
    assert "secret" not in repr(caught.value) + str(caught.value.__cause__)


def test_reading_an_address_imports_none_of_the_big_packages() -> None:
    program = (
        "import sys\n"
        "from airflow_provider_rma.ledger import contract, dbt\n"
        "from airflow_provider_rma.ledger.destinations import open\n"
        "from airflow_provider_rma.ledger.destinations.views import load\n"
        "open.is_database('postgresql://h/d'); contract.TABLES['postings'].names; load.statements()\n"
        "print([name for name in ('pyarrow', 'duckdb', 'psycopg', 'airflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
