"""kill -9 at any moment leaves the old window or the new one, and the next run repairs what is missing."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import fsspec
import pytest

from tests.ledger.destinations.conftest import (
    duckdb_warehouse,
    parquet_warehouse,
    postgres_url,
    postgres_warehouse,
    sqlite_warehouse,
)
from tests.support.ledger.child_process import python, says
from tests.support.ledger.window_fixtures import AUGUST, TENANT, Warehouse, load_window, posting

_ONE_LOAD = """
exec(sys.argv[2])
with open_destination(sys.argv[1]) as destination:
    stated = balances(("1000", "1", "2"), load="L2")
    load_window(destination, many("L2", 300), load="L2", stated=stated, changes=[change(7)])
"""

_SESSIONS = {
    "duckdb": "from airflow_provider_rma.ledger.destinations.sql.duckdb import DuckDbSession as S\n",
    "postgres": "from airflow_provider_rma.ledger.destinations.sql.postgres import PostgresSession as S\n",
    "dbapi-sqlite": "from airflow_provider_rma.ledger.destinations.sql.generic import DbapiSession as S\n",
}
_STAGE = "from airflow_provider_rma.ledger.destinations.sql.base import RelationalStage as R\n"
#: Where the process dies, and whether the new window counts then.
_TABLE_MOMENTS = {
    "while staging": (_STAGE + "R._replace = die", "L1"),
    "after deleting": ("S.insert = die", "L1"),
    "between two tables": (
        "real = S.insert; S.insert = lambda s, t, *data: die() if t == 'proofs' else real(s, t, *data)",
        "L1",
    ),
    "before the commit": (
        "real = S.insert; S.insert = lambda s, t, *data: (real(s, t, *data), t == 'loads' and die())",
        "L1",
    ),
    "after the commit": (_STAGE + "R._discard = die", "L2"),
}
_PARQUET_MOMENTS = {
    "while staging": (
        "import airflow_provider_rma.ledger.destinations.parquet.destination as p; p.FileWriter.finish = die",
        "L1",
    ),
    "between two files": (
        "import airflow_provider_rma.ledger.destinations.parquet.destination as p; p.ParquetStage._loads = die",
        "L1",
    ),
    "before the manifest": (
        "import airflow_provider_rma.ledger.destinations.parquet.destination as p; p.write_manifest = die",
        "L1",
    ),
    "before it is renamed": ("os.replace = die", "L1"),
    "after the manifest": (
        "import airflow_provider_rma.ledger.destinations.parquet.destination as p; p.orphans = die",
        "L2",
    ),
}


def _local(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Warehouse, str]:
    """A warehouse, and the address by which another process opens it."""
    if kind == "duckdb":
        path = tmp_path / "ledger.duckdb"
        return duckdb_warehouse(path), str(path)
    if kind == "dbapi-sqlite":
        path = tmp_path / "ledger.db"
        return sqlite_warehouse(path), f"sqlite:///{path}"
    if kind == "postgres":
        url = postgres_url(request.getfixturevalue("postgres"))
        return postgres_warehouse(url), url
    root = tmp_path / "ledger"
    return parquet_warehouse(fsspec.filesystem("file"), str(root), "parquet"), f"parquet:///{root}"


@pytest.fixture(params=[*_SESSIONS, "parquet"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Warehouse, str]:
    return _local(request.param, tmp_path, request)


def _check_whole(warehouse: Warehouse) -> str:
    """The window is one load with all that belongs to it; gives which."""
    (proof,) = warehouse.read("proofs")
    load = proof["load_id"]
    (entry,) = [row for row in warehouse.read("loads") if row["load_id"] == load][-1:]
    postings = warehouse.read("postings")
    assert {row["load_id"] for row in postings} == {load}
    assert len(postings) == entry["rows"]
    assert {row["load_id"] for row in warehouse.read("balances")} <= {load}
    return str(load)


def _die_at(address: str, warehouse: Warehouse, patch: str) -> str:
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    with python(_ONE_LOAD, address, patch) as process:
        assert process.wait(60) == -signal.SIGKILL
    left = _check_whole(warehouse)
    assert [row["load_id"] for row in warehouse.read("changes")] == (["L2"] if left == "L2" else [])
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 3), posting("1000", 4)], load="L3")
        assert destination.rows(TENANT, AUGUST) == 2
    assert _check_whole(warehouse) == "L3"
    return left


@pytest.mark.parametrize("moment", list(_TABLE_MOMENTS))
@pytest.mark.parametrize("kind", list(_SESSIONS))
def test_a_database_killed_at_a_step(tmp_path: Path, request: pytest.FixtureRequest, kind: str, moment: str) -> None:
    patch, expected = _TABLE_MOMENTS[moment]
    warehouse, address = _local(kind, tmp_path, request)
    assert _die_at(address, warehouse, _SESSIONS[kind] + patch) == expected
    left = {file.name for file in tmp_path.iterdir()}
    assert left <= {"ledger.duckdb", "ledger.duckdb.wal", "ledger.db"}


@pytest.mark.parametrize("moment", list(_PARQUET_MOMENTS))
def test_parquet_killed_at_a_step(tmp_path: Path, moment: str) -> None:
    patch, expected = _PARQUET_MOMENTS[moment]
    root = tmp_path / "ledger"
    warehouse = parquet_warehouse(fsspec.filesystem("file"), str(root), "parquet")
    assert _die_at(f"parquet:///{root}", warehouse, patch) == expected


def test_parquet_killed_between_history_and_postings(tmp_path: Path) -> None:
    """What was superseded is neither lost nor there twice."""
    root = tmp_path / "ledger"
    warehouse = parquet_warehouse(fsspec.filesystem("file"), str(root), "parquet")
    program = """
import airflow_provider_rma.ledger.destinations.parquet.destination as p
p.Replacement.dated = die
with open_destination(sys.argv[1], history=True) as destination:
    load_window(destination, many("L2", 2), load="L2")
"""
    with warehouse.open(history=True) as destination:
        load_window(destination, [posting("1000", 1), posting("9999", 7)])
    with python(program, f"parquet:///{root}") as process:
        assert process.wait(60) == -signal.SIGKILL
    assert _check_whole(warehouse) == "L1"
    assert warehouse.read("postings_history") == []
    with warehouse.open(history=True) as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L3")
    (gone,) = warehouse.read("postings_history")
    assert (gone["accno"], gone["load_id"], gone["superseded_by"]) == ("9999", "L1", "L3")


def test_killed_at_any_moment(local: tuple[Warehouse, str]) -> None:
    warehouse, address = local
    program = """
with open_destination(sys.argv[1]) as destination:
    load_window(destination, many("L0", 5), load="L0")
    print("loaded", flush=True)
    for n in range(1, 100_000):
        load_window(destination, many(f"L{n}", 5 + n % 300), load=f"L{n}")
"""
    for delay in (0.03, 0.11, 0.17, 0.26):
        with python(program, address) as process:
            says(process, "loaded")
            time.sleep(delay)
            process.kill()
            process.wait(30)
            _check_whole(warehouse)
