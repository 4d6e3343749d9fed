"""kill -9 at any moment leaves the old window or the new one, and the next run repairs what is missing."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.ledger.child_process import python, says
from tests.support.ledger.warehouses import Warehouse, make_warehouse, parquet_folder
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting

#: Loads a window, and dies at a fault point; argument: table or kind of file that it must be about, empty for any.
_ONE_LOAD = """
address, point, about = sys.argv[1:]
def maybe_die(table="", kind="", **_):
    if about in (table, kind):
        die()
with open_destination(address) as destination, at(point, maybe_die):
    stated = balances(("1000", "1", "2"), load="L2")
    load_window(destination, many("L2", 300), load="L2", stated=stated, changes=[change(7)])
"""
#: Fault point where the process dies, what it is about, and which window counts then.
_TABLE_MOMENTS = {
    "while staging": ("window.staged", "", "L1"),
    "after deleting": ("postings.deleted", "", "L1"),
    "between two tables": ("table.written", "balances", "L1"),
    "before the commit": ("table.written", "loads", "L1"),
    "after the commit": ("window.left", "", "L2"),
}
_PARQUET_MOMENTS = {
    "while staging": ("window.staged", "", "L1"),
    "between two files": ("file.written", "proofs", "L1"),
    "before the manifest": ("window.written", "", "L1"),
    "before it is renamed": ("draft.written", "", "L1"),
    "after the manifest": ("manifest.written", "", "L2"),
}
#: Databases that another process can open.
_DATABASES = ("duckdb", "postgres", "dbapi-sqlite")


@pytest.fixture(params=[*_DATABASES, "parquet"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """A warehouse that another process can open."""
    return make_warehouse(request.param, tmp_path, request)


def _check_whole(warehouse: Warehouse) -> str:
    """Check that the window is one load with all that belongs to it; return which."""
    (proof,) = warehouse.read("proofs")
    load = proof["load_id"]
    (entry,) = [row for row in warehouse.read("loads") if row["load_id"] == load][-1:]
    postings = warehouse.read("postings")
    assert {row["load_id"] for row in postings} == {load}
    assert len(postings) == entry["rows"]
    assert {row["load_id"] for row in warehouse.read("balances")} <= {load}
    return str(load)


def _die_at(warehouse: Warehouse, point: str, about: str) -> str:
    """Load a window in a process that dies, check what it left, and load it again; return the load that was left."""
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 1)])
    with python(_ONE_LOAD, warehouse.address, point, about) as process:
        assert process.wait(60) == -signal.SIGKILL
    left = _check_whole(warehouse)
    assert [row["load_id"] for row in warehouse.read("changes")] == (["L2"] if left == "L2" else [])
    with warehouse.open() as destination:
        load_window(destination, [posting("1000", 3), posting("1000", 4)], load="L3")
        assert destination.count_postings(TENANT, AUGUST) == 2
    assert _check_whole(warehouse) == "L3"
    return left


@pytest.mark.parametrize("moment", list(_TABLE_MOMENTS))
@pytest.mark.parametrize("kind", _DATABASES)
def test_a_database_killed_at_a_step(tmp_path: Path, request: pytest.FixtureRequest, kind: str, moment: str) -> None:
    point, about, expected = _TABLE_MOMENTS[moment]
    warehouse = make_warehouse(kind, tmp_path, request)
    assert _die_at(warehouse, point, about) == expected
    left = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert left <= {"ledger.duckdb", "ledger.duckdb.wal", "ledger.db"}


@pytest.mark.parametrize("moment", list(_PARQUET_MOMENTS))
def test_parquet_killed_at_a_step(tmp_path: Path, moment: str) -> None:
    point, about, expected = _PARQUET_MOMENTS[moment]
    assert _die_at(parquet_folder(tmp_path / "ledger"), point, about) == expected


def test_parquet_killed_between_history_and_postings(tmp_path: Path) -> None:
    """What was superseded is neither lost nor there twice."""
    warehouse = parquet_folder(tmp_path / "ledger")
    program = """
with open_destination(sys.argv[1], history=True) as destination, at("history.written", die):
    load_window(destination, many("L2", 2), load="L2")
"""
    with warehouse.open(history=True) as destination:
        load_window(destination, [posting("1000", 1), posting("9999", 7)])
    with python(program, warehouse.address) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert _check_whole(warehouse) == "L1"
    assert warehouse.read("postings_history") == []
    with warehouse.open(history=True) as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L3")
    (gone,) = warehouse.read("postings_history")
    assert (gone["accno"], gone["load_id"], gone["superseded_by"]) == ("9999", "L1", "L3")


def test_killed_at_any_moment(local: Warehouse) -> None:
    program = """
with open_destination(sys.argv[1]) as destination:
    load_window(destination, many("L0", 5), load="L0")
    print("loaded", flush=True)
    for n in range(1, 100_000):
        load_window(destination, many(f"L{n}", 5 + n % 300), load=f"L{n}")
"""
    for delay in (0.03, 0.11, 0.17, 0.26):
        with python(program, local.address) as process:
            says(process, "loaded")
            time.sleep(delay)
            process.kill()
            process.wait(30)
            _check_whole(local)
