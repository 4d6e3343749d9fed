from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from packaging.version import Version

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.sql.duckdb import DuckDbDestination, DuckDbTransaction
from tests.support.ledger.child_process import python, says
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.window_fixtures import AUGUST, TENANT, batch, load_window, posting

_HOLD = """
import duckdb, time
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[3] == "reader")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.duckdb"
    with open_destination(str(path)) as destination:
        load_window(destination, [posting("1000", 1)])
    return path


@pytest.mark.parametrize("who", ["writer", "reader"])
def test_it_waits_for_a_process_that_holds_the_file(path: Path, who: str) -> None:
    def count_rows() -> int:
        with open_destination(str(path), lock_timeout=120) as destination:
            return destination.count_postings(TENANT, AUGUST)

    with python(_HOLD, str(path), "600", who) as process, ThreadPoolExecutor() as pool:
        says(process, "held")
        counted = pool.submit(count_rows)
        with pytest.raises(TimeoutError):
            counted.result(0.3)
        process.kill()
        assert counted.result(120) == 1


def test_it_gives_up_waiting_with_an_error_that_says_so(path: Path) -> None:
    with python(_HOLD, str(path), "60", "writer") as process:
        says(process, "held")
        begun = time.monotonic()
        with pytest.raises(DestinationError, match=r"held by another process for 0\.3 seconds") as caught:
            open_destination(str(path), lock_timeout=0.3).__enter__()
        assert time.monotonic() - begun < 30
    assert caught.value.retryable
    assert "close what has the file open" in str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301 - our own


def test_a_thread_that_holds_the_file_too_long_is_given_up_as_well(path: Path) -> None:
    with DuckDbDestination(path) as holder, holder.transaction(), pytest.raises(DestinationError, match="held"):
        DuckDbDestination(path, lock_timeout=0.1).count_postings(TENANT, AUGUST)


def test_the_file_is_free_while_a_window_is_being_read(path: Path) -> None:
    program = """
import duckdb
with open_destination(sys.argv[1], lock_timeout=60) as destination:
    load_window(destination, many("L5", 7), load="L5", tenant="other")
print("loaded", flush=True)
"""
    with open_destination(str(path)) as destination, destination.stage(TENANT, AUGUST) as stage:
        stage.write(batch(posting("1000", 1)))
        with python(program, str(path)) as process:
            says(process, "loaded")
        assert destination.count_postings("other", AUGUST) == 7


def test_processes_take_turns(path: Path) -> None:
    program = """
with open_destination(sys.argv[1]) as destination:
    for n in range(5):
        load_window(destination, many(f"L{n}", 10 + n), load=f"L{n}", tenant=sys.argv[2])
print("done", flush=True)
"""
    with python(program, str(path), "one") as first, python(program, str(path), "two") as second:
        says(first, "done")
        says(second, "done")
    with open_destination(str(path)) as destination:
        assert [destination.count_postings(tenant, AUGUST) for tenant in (TENANT, "one", "two")] == [1, 14, 14]


def test_the_contract_version_is_kept_and_a_newer_one_refused(path: Path) -> None:
    with connect_duckdb(path) as connection:
        assert connection.execute("SELECT version FROM contract").fetchall() == [(contract.CONTRACT_VERSION,)]
        connection.execute("UPDATE contract SET version = version + 1")
    with pytest.raises(ConfigurationError, match="newer version of this provider") as caught:
        open_destination(str(path)).__enter__()
    assert "Upgrade" in caught.value.advice


def test_opening_again_writes_nothing(path: Path) -> None:
    with connect_duckdb(path) as connection:
        before = connection.execute("SELECT * EXCLUDE (written_at), written_at::VARCHAR FROM contract").fetchall()
    with open_destination(str(path)):
        pass
    with connect_duckdb(path) as connection:
        after = connection.execute("SELECT * EXCLUDE (written_at), written_at::VARCHAR FROM contract").fetchall()
    assert after == before


def test_tables_and_views_of_the_user_are_left_alone(path: Path) -> None:
    with connect_duckdb(path) as connection:
        connection.execute("CREATE TABLE budget AS SELECT 1 AS year")
        connection.execute("ALTER TABLE postings ADD COLUMN my_note VARCHAR")
    with open_destination(str(path)) as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
    with connect_duckdb(path) as connection:
        assert connection.execute("SELECT year FROM budget").fetchall() == [(1,)]
        assert connection.execute("SELECT my_note FROM postings").fetchall() == [(None,), (None,)]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(DestinationError, match="refused to work on") as caught:
        open_destination(str(path)).__enter__()
    assert not caught.value.retryable


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="folder of"):
        open_destination(str(tmp_path / "file" / "ledger.duckdb")).__enter__()


def test_a_failed_replacement_leaves_the_old_window(path: Path) -> None:
    def fail(table: str, **_: Any) -> None:
        if table == "proofs":
            raise duckdb.IOException("No space left on device")

    with open_destination(str(path)) as destination:
        with at("table.written", fail), pytest.raises(DestinationError, match="IOException"):
            load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_a_replacement_that_lost_rows_is_undone(path: Path) -> None:
    def lose(transaction: DuckDbTransaction, **_: Any) -> None:
        transaction.delete("postings")

    with open_destination(str(path)) as destination:
        with (
            at("table.written", lose),
            pytest.raises(DestinationError, match="2 postings were staged and 0 arrived"),
        ):
            load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
        assert destination.count_postings(TENANT, AUGUST) == 1


def test_space_of_replaced_windows_is_used_again(path: Path) -> None:
    rows = [posting("1000", n, entry_id=n, description=f"Beleg {n * 7919 % 10007}") for n in range(5_000)]
    sizes = []
    with open_destination(str(path)) as destination:
        for n in range(12):
            load_window(destination, rows, load=f"L{n}")
            sizes.append(path.stat().st_size)
    assert sizes[-1] <= 3 * sizes[0] + 4_000_000


def test_threads_of_one_process_may_share_the_file(path: Path) -> None:
    def run(tenant: str) -> None:
        with open_destination(str(path)) as destination:
            load_window(destination, [posting("1000", n, entry_id=n) for n in range(20)], tenant=tenant)

    threads = [threading.Thread(target=run, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_destination(str(path)) as destination:
        assert [destination.count_postings(f"t{n}", AUGUST) for n in range(4)] == [20] * 4


def test_a_connection_of_this_process_with_the_same_settings_is_not_in_the_way(path: Path) -> None:
    with duckdb.connect(str(path)) as holder:
        with open_destination(str(path), lock_timeout=0.3) as destination:
            load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
        assert holder.execute("SELECT count(*) FROM rma.postings").fetchall() == [(2,)]


_attached = pytest.param(
    "attached",
    marks=pytest.mark.skipif(Version(duckdb.__version__) < Version("1.4"), reason="DuckDB before 1.4 shares the file"),
)


@pytest.mark.parametrize("how", ["read-only", "settings", _attached])
def test_a_connection_of_this_process_that_is_in_the_way_is_called_so(path: Path, how: str) -> None:
    if how == "attached":
        holder = duckdb.connect()
        holder.execute(f"ATTACH '{path}' AS books")
    elif how == "settings":
        holder = duckdb.connect(str(path), config={"threads": 3})
    else:
        holder = duckdb.connect(str(path), read_only=True)
    with holder, pytest.raises(DestinationError, match="held by another connection of this process") as caught:
        open_destination(str(path), lock_timeout=0.3).__enter__()
    assert caught.value.retryable
    with open_destination(str(path), lock_timeout=30) as destination:
        assert destination.count_postings(TENANT, AUGUST) == 1
