"""The databases a journal can live in; every test of the journal runs on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer

DATABASES = ("sqlite", "psycopg", "psycopg2")


def empty_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """SQLAlchemy URL of a database without tables."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'journal' / 'journal.db'}"
    if kind == "psycopg":
        import sqlalchemy

        if sqlalchemy.__version__.startswith("1."):
            pytest.skip("SQLAlchemy 1.4 does not know psycopg 3")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.create_database(), driver=kind)
