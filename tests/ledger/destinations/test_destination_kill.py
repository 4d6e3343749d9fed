"""kill -9 at any moment leaves the old window or the new one, and the next run repairs what is missing."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import fsspec
import pytest

from tests.ledger.destinations.conftest import duckdb_warehouse, parquet_warehouse
from tests.ledger.destinations.processes import python, says
from tests.ledger.destinations.rows import AUGUST, TENANT, Warehouse, load_window, posting

_ONE_LOAD = """
exec(sys.argv[2])
with open_destination(sys.argv[1]) as destination:
    load_window(destination, many("L2", 300), load="L2", stated=balances(("1000", "1", "2"), load="L2"))
"""

#: Where the process dies, and whether the new window counts then.
_DUCKDB_MOMENTS = {
    "while staging": (
        "import airflow_provider_rma.ledger.destinations.duckdb as d; d.DuckDbStage._replace = die",
        "L1",
    ),
    "after deleting": ("import airflow_provider_rma.ledger.destinations.duckdb as d; d._insert = die", "L1"),
    "between two tables": (
        "import airflow_provider_rma.ledger.destinations.duckdb as d; real = d._insert; "
        "d._insert = lambda c, table, data: die() if table == 'proofs' else real(c, table, data)",
        "L1",
    ),
    "before the commit": (
        "import airflow_provider_rma.ledger.destinations.duckdb as d; real = d._insert; "
        "d._insert = lambda c, table, data: (real(c, table, data), table == 'loads' and die())",
        "L1",
    ),
    "after the commit": (
        "import airflow_provider_rma.ledger.destinations.duckdb as d; d.DuckDbStage._discard = die",
        "L2",
    ),
}
_PARQUET_MOMENTS = {
    "while staging": (
        "import airflow_provider_rma.ledger.destinations.parquet as p; p.ParquetStage._finish = die",
        "L1",
    ),
    "between two files": (
        "import airflow_provider_rma.ledger.destinations.parquet as p; p.ParquetStage._loads = die",
        "L1",
    ),
    "before the manifest": (
        "import airflow_provider_rma.ledger.destinations.parquet as p; p.write_manifest = die",
        "L1",
    ),
    "before it is renamed": ("os.replace = die", "L1"),
    "after the manifest": ("import airflow_provider_rma.ledger.destinations.parquet as p; p.orphans = die", "L2"),
}


@pytest.fixture(params=["duckdb", "parquet"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Warehouse, str]:
    if request.param == "duckdb":
        path = tmp_path / "ledger.duckdb"
        return duckdb_warehouse(path), str(path)
    root = tmp_path / "ledger"
    return parquet_warehouse(fsspec.filesystem("file"), str(root), "parquet"), f"parquet:///{root}"


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
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 3), posting("1000", 4)], load="L3")
        assert destination.rows(TENANT, AUGUST) == 2
    assert _check_whole(warehouse) == "L3"
    return left


@pytest.mark.parametrize("moment", list(_DUCKDB_MOMENTS))
def test_duckdb_killed_at_a_step(tmp_path: Path, moment: str) -> None:
    patch, expected = _DUCKDB_MOMENTS[moment]
    path = tmp_path / "ledger.duckdb"
    assert _die_at(str(path), duckdb_warehouse(path), patch) == expected
    assert {file.name for file in tmp_path.iterdir()} <= {"ledger.duckdb", "ledger.duckdb.wal"}


@pytest.mark.parametrize("moment", list(_PARQUET_MOMENTS))
def test_parquet_killed_at_a_step(tmp_path: Path, moment: str) -> None:
    patch, expected = _PARQUET_MOMENTS[moment]
    root = tmp_path / "ledger"
    warehouse = parquet_warehouse(fsspec.filesystem("file"), str(root), "parquet")
    assert _die_at(f"parquet:///{root}", warehouse, patch) == expected


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
