"""A simulator that accepts duplicate numbers, Airflow connected to it, and journals on every database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.operators.conftest import connect, rma, simulator, storage
from tests.support.postgres import PostgresServer

__all__ = ["connect", "rma", "simulator", "storage"]


@pytest.fixture(params=["sqlite", "postgresql"])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty database for a journal."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.create_database(), driver="psycopg2")
