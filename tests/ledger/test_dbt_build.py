"""dbt builds the example project on a loaded warehouse; `make test-dbt` names dbt, which has its own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger.books_for_views import fill_year_end
from tests.support.ledger.warehouses import Warehouse, duckdb_warehouse, postgres_warehouse
from tests.support.postgres import PostgresServer
from tests.support.reference import ROOT
from tests.support.throw_away_server import PASSWORD, USER

DBT = os.environ.get("DBT", "")

pytestmark = pytest.mark.skipif(not DBT, reason="`make test-dbt` runs it with dbt")


def build(warehouse: Warehouse, output: dict[str, Any], folder: Path) -> None:
    """Load books, build the example project beside them, and compare a model with its view."""
    fill_year_end(warehouse)
    shutil.copytree(ROOT / "docs" / "dbt", folder / "project")
    profile = {"rma_ledger": {"target": "test", "outputs": {"test": {"schema": "marts", "threads": 1, **output}}}}
    # JSON is YAML.
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    command = [DBT, "--no-use-colors", "build", "--project-dir", folder / "project", "--profiles-dir", folder]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((folder / "project" / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    assert len(results) > 40
    assert {result["status"] for result in results} == {"success", "pass"}
    built = warehouse.query("SELECT count(*), sum(amount) FROM marts.posting_lines")
    assert built == warehouse.query("SELECT count(*), sum(amount) FROM postings_proven")
    assert built[0][0] > 0


def test_dbt_builds_on_duckdb(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    build(duckdb_warehouse(path), {"type": "duckdb", "path": str(path)}, tmp_path)


def test_dbt_builds_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    database = postgres.create_database()
    where = {"host": "127.0.0.1", "port": postgres.port, "user": USER, "password": PASSWORD, "dbname": database}
    warehouse = postgres_warehouse(postgres.url(database).replace("+psycopg2", ""))
    build(warehouse, {"type": "postgres", **where}, tmp_path)
