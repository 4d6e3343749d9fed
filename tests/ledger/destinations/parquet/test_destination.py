from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet
import pytest
from fsspec.implementations.dirfs import DirFileSystem

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger.destinations.base import WindowTables
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet import manifest as manifests
from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination
from airflow_provider_rma.ledger.destinations.parquet.manifest import new_name, read_manifest
from airflow_provider_rma.ledger.destinations.parquet.readers import create_duckdb_views, dataset_files, read_window
from tests.support.ledger.window_fixtures import (
    AUGUST,
    JULY,
    TENANT,
    balances,
    batch,
    change,
    load_row,
    load_window,
    posting,
    proofs,
    reject_window,
)

FS = fsspec.filesystem("file")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def _folder(root: Path) -> Path:
    return root / "tenant=acme" / "month=2026-08"


def _manifest(root: Path) -> dict[str, Any]:
    return dict(json.loads((_folder(root) / "manifest.json").read_text(encoding="utf-8")))


def _load(root: Path, *amounts: int, load: str = "L1", grace: timedelta = timedelta(hours=24)) -> None:
    with ParquetDestination(FS, str(root), grace=grace) as destination:
        load_window(destination, [posting("1000", amount) for amount in amounts], load=load)


def _files(root: Path, kind: str) -> set[str]:
    return {path.name for path in _folder(root).glob(f"{kind}-*.parquet")}


def test_the_layout_and_the_manifest(root: Path) -> None:
    with open_destination(f"parquet:///{root}") as destination:
        load_window(destination, [posting("1000", 5), posting("1000", 6)], stated=balances(("1000", "1", "2")))
    (postings,) = _files(root, "postings")
    content = _manifest(root)
    assert content["contract"] == contract.CONTRACT_VERSION
    assert content["files"]["postings"] == [{"name": postings, "rows": 2}]
    assert set(content["files"]) == {"postings", "balances", "proofs", "loads"}
    about = content["about"]
    assert (about["tenant"], about["month"], about["refused"]) == ("acme", "2026-08", None)
    assert (about["loaded"]["load_id"], about["loaded"]["verdict"], about["loaded"]["rows"]) == ("L1", "exact", 2)
    stored = pa.parquet.ParquetFile(_folder(root) / postings)
    assert stored.schema_arrow.equals(arrow_schemas.schema("postings"))
    assert stored.metadata.row_group(0).column(0).compression == "ZSTD"
    assert postings.startswith("postings-L1-")


def test_a_month_without_postings_has_no_file_of_them(root: Path) -> None:
    _load(root)
    assert _files(root, "postings") == set()
    assert _manifest(root)["files"]["postings"] == []
    assert read_window(FS, str(root), TENANT, AUGUST).schema == arrow_schemas.schema("postings")


def test_the_manifest_says_what_was_refused(root: Path) -> None:
    _load(root, 1)
    with open_destination(f"parquet:///{root}") as destination:
        reject_window(destination, verdict="broken")
    about = _manifest(root)["about"]
    assert (about["loaded"]["load_id"], about["refused"]["load_id"]) == ("L1", "L2")
    assert about["refused"]["verdict"] == "broken"
    _load(root, 1, load="L3")
    assert _manifest(root)["about"]["refused"] is None


def test_an_abandoned_window_leaves_no_file(root: Path) -> None:
    _load(root, 1)
    before = set(_folder(root).iterdir())
    with ParquetDestination(FS, str(root)) as destination, destination.stage(TENANT, AUGUST) as stage:
        stage.write(batch(*[posting("1000", 1)] * 130_000))
        assert len(set(_folder(root).iterdir())) == len(before) + 1
    assert set(_folder(root).iterdir()) == before


def test_readers_keep_files_of_before_until_the_grace_time_is_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _load(root, 1, load="L1")
    (first,) = _files(root, "postings")
    _load(root, 2, load="L2")
    assert first in _files(root, "postings")
    assert first in _manifest(root)["superseded"]
    _age_superseded(root, timedelta(hours=23))
    _load(root, 3, load="L3")
    assert first in _files(root, "postings")
    _age_superseded(root, timedelta(hours=2))
    _load(root, 4, load="L4")
    assert first not in _files(root, "postings")
    assert first not in _manifest(root)["superseded"]
    # Those that L3 and L4 replaced are younger.
    assert len(_files(root, "postings")) == 3


def _age_superseded(root: Path, age: timedelta) -> None:
    path = _folder(root) / "manifest.json"
    content = _manifest(root)
    content["superseded"] = {
        name: (datetime.fromisoformat(since) - age).isoformat() for name, since in content["superseded"].items()
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_file_that_counts_again_is_not_removed(root: Path) -> None:
    _load(root, 1)
    (live,) = _files(root, "postings")
    content = _manifest(root)
    content["superseded"] = {live: "2020-01-01T00:00:00+00:00"}
    (_folder(root) / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    with ParquetDestination(FS, str(root)) as destination:
        reject_window(destination)
    assert live in _files(root, "postings")


def test_what_a_killed_run_left_behind_is_removed_after_the_grace_time(root: Path) -> None:
    _load(root, 1)
    young, foreign = new_name("postings", "L9"), "notes-of-mine.parquet"
    old = "postings-L8-20200101T000000Z-0123abcd.parquet"
    for name in (young, foreign, old):
        (_folder(root) / name).write_bytes(b"")
    _load(root, 2, load="L2")
    names = {path.name for path in _folder(root).iterdir()}
    assert {young, foreign} <= names
    assert old not in names


def test_a_manifest_that_may_have_been_put_in_place_keeps_its_files(root: Path) -> None:
    _load(root, 1)

    def lose_response() -> None:
        raise DestinationError("connection lost")

    with at("manifest.written", lose_response), pytest.raises(DestinationError, match="connection lost"):
        _load(root, 2, 3, load="L2")
    assert read_window(FS, str(root), TENANT, AUGUST).num_rows == 2


def test_an_object_store_gets_each_manifest_in_one_put(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    puts: list[str] = []
    real = type(memory).pipe_file
    monkeypatch.setattr(
        type(memory), "pipe_file", lambda fs, path, data, **kw: (puts.append(path), real(fs, path, data, **kw))
    )
    with ParquetDestination(memory, "/put-once") as destination:
        load_window(destination, [posting("1000", 1)])
    assert puts == ["/put-once/tenant=acme/month=2026-08/manifest.json"]


def test_a_folder_as_file_system_is_still_local(root: Path) -> None:
    wrapped = DirFileSystem(path=str(root.parent), fs=FS)
    with ParquetDestination(wrapped, "ledger") as destination:
        load_window(destination, [posting("1000", 1)])
        assert manifests.is_local(destination.fs)
    assert read_window(FS, str(root), TENANT, AUGUST).num_rows == 1
    assert read_window(wrapped, "ledger", TENANT, AUGUST).num_rows == 1
    assert dataset_files(wrapped, "ledger") == dataset_files(FS, str(root))


def test_readers_find_the_files_that_count(root: Path) -> None:
    with ParquetDestination(FS, str(root)) as destination:
        for tenant in ("acme", "other & sons/2"):
            load_window(destination, [posting("1000", 1)], tenant=tenant)
            load_window(destination, [posting("1000", 2), posting("1000", 3)], load="L2", tenant=tenant)
            load_window(destination, [], window=JULY, tenant=tenant)
        reject_window(destination, load="L3")
    assert len(dataset_files(FS, str(root))) == 2
    assert dataset_files(FS, str(root), tenant="nobody") == []
    assert dataset_files(FS, str(root / "nowhere")) == []
    (mine,) = dataset_files(FS, str(root), tenant="other & sons/2")
    assert pa.parquet.read_table(mine, partitioning=None).num_rows == 2
    assert len(dataset_files(FS, str(root), "loads", tenant="acme")) == 2
    # Proofs of the two loaded windows and of the refused attempt.
    assert len(dataset_files(FS, str(root), "proofs", tenant="acme")) == 3


def test_addresses_for_readers_without_a_file_system() -> None:
    memory = fsspec.filesystem("memory")
    with ParquetDestination(memory, "memory://addresses") as destination:
        load_window(destination, [posting("1000", 1)])
    (path,) = dataset_files(memory, "addresses")
    (url,) = dataset_files(memory, "addresses", urls=True)
    assert memory.exists(path)
    assert url == f"memory://{path}"


def test_duckdb_reads_the_month_as_a_date(root: Path) -> None:
    _load(root, 1)
    with duckdb.connect() as connection:
        create_duckdb_views(connection, FS, str(root))
        assert connection.execute("SELECT tenant, month, amount FROM postings").fetchall() == [
            (TENANT, AUGUST.start, 1)
        ]
        _load(root, 1, 2, load="L2")
        create_duckdb_views(connection, FS, str(root))
        assert connection.execute("SELECT count(*) FROM postings").fetchall() == [(2,)]


def _known(root: Path, *amounts: int, load: str, history: bool = True, changes: Any = ()) -> None:
    with ParquetDestination(FS, str(root), grace=timedelta(0), history=history) as destination:
        load_window(destination, [posting("1000", amount) for amount in amounts], load=load, changes=changes)


def test_each_load_that_supersedes_adds_a_file_that_is_never_written_again(root: Path) -> None:
    _known(root, 1, 2, load="L1")
    assert (_manifest(root)["files"]["postings_history"], _files(root, "postings_history")) == ([], set())
    _known(root, 2, load="L2", changes=[change(7)])
    (first,) = _files(root, "postings_history")
    content = (_folder(root) / first).read_bytes()
    _known(root, 2, 3, load="L3")
    assert _files(root, "postings_history") == {first}, "nothing vanished"
    with ParquetDestination(FS, str(root), grace=timedelta(0), history=True) as destination:
        reject_window(destination, load="L4")
        with destination.stage(TENANT, AUGUST) as stage:
            stage.confirm(
                WindowTables(
                    balances=arrow_schemas.empty_table("balances"),
                    proofs=proofs(load="L5"),
                    load=load_row(2, load="L5"),
                )
            )
    _known(root, 4, load="L6", changes=[change(8, load="L6")])
    _known(root, 5, load="L7", history=False)
    assert (_folder(root) / first).read_bytes() == content
    files = _manifest(root)["files"]
    assert [entry["rows"] for entry in files["postings_history"]] == [1, 2]
    assert {entry["name"] for entry in files["postings_history"]} == _files(root, "postings_history")
    assert [entry["rows"] for entry in files["changes"]] == [1, 1]
    assert {entry["name"] for entry in files["changes"]} == _files(root, "changes")
    assert len(dataset_files(FS, str(root), "postings_history")) == len(dataset_files(FS, str(root), "changes")) == 2
    assert [name.split("-")[1] for name in sorted(_files(root, "postings_history"))] == ["L2", "L6"]


def test_a_load_that_fails_removes_all_files_it_wrote(root: Path) -> None:
    def broken() -> Any:
        yield from pa.Table.from_pylist([change(7)] * 130_000, arrow_schemas.schema("changes")).to_batches()
        raise ZeroDivisionError

    _known(root, 1, 2, load="L1")
    before = set(_folder(root).iterdir())
    given: Any = {
        "balances": arrow_schemas.empty_table("balances"),
        "proofs": proofs(load="L2"),
        "load": load_row(1, load="L2"),
    }
    with ParquetDestination(FS, str(root), history=True) as destination, destination.stage(TENANT, AUGUST) as stage:
        stage.write(batch(posting("1000", 3, load="L2")))
        with pytest.raises(ZeroDivisionError):
            stage.commit(WindowTables(**given, changes=broken()))
    assert set(_folder(root).iterdir()) == before


def test_windows_with_and_without_history_are_read_together(root: Path) -> None:
    _known(root, 1, load="L1", history=False)
    with duckdb.connect() as connection:
        create_duckdb_views(connection, FS, str(root))
        assert "valid_from" not in connection.sql("SELECT * FROM postings").columns
        with ParquetDestination(FS, str(root), history=True) as destination:
            load_window(destination, [posting("1000", 2)], window=JULY)
        create_duckdb_views(connection, FS, str(root))
        query = "SELECT month, valid_from IS NULL FROM postings ORDER BY month"
        assert connection.execute(query).fetchall() == [(JULY.start, False), (AUGUST.start, True)]
        assert connection.execute("SELECT count(*) FROM postings_history").fetchall() == [(0,)]
        _known(root, 3, load="L2")
        create_duckdb_views(connection, FS, str(root))
        assert connection.execute("SELECT amount, superseded_by FROM postings_history").fetchall() == [(1, "L2")]
        # All again without it: no file has the column any more.
        with ParquetDestination(FS, str(root)) as destination:
            load_window(destination, [posting("1000", 2)], window=JULY, load="L3")
            load_window(destination, [posting("1000", 2)], load="L3")
        create_duckdb_views(connection, FS, str(root))
        assert connection.execute(query).fetchall() == [(JULY.start, True), (AUGUST.start, True)]
    columns = read_window(FS, str(root), TENANT, JULY).schema.names
    assert columns == [*arrow_schemas.schema("postings").names, "valid_from"]


def test_a_half_written_manifest_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _load(root, 1)
    path = _folder(root) / "manifest.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    monkeypatch.setattr(manifests.time, "sleep", lambda _: path.write_bytes(whole))
    assert read_window(FS, str(root), TENANT, AUGUST).num_rows == 1


@pytest.mark.parametrize("content", [b"{", b"[]", b""])
def test_a_damaged_manifest_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    _load(root, 1)
    monkeypatch.setattr(manifests.time, "sleep", lambda _: None)
    (_folder(root) / "manifest.json").write_bytes(content)
    with pytest.raises(DestinationError, match=r"month=2026-08/manifest\.json is damaged"):
        read_window(FS, str(root), TENANT, AUGUST)


def test_a_manifest_of_a_newer_version_is_refused(root: Path) -> None:
    _load(root, 1)
    content = {**_manifest(root), "contract": contract.CONTRACT_VERSION + 1}
    (_folder(root) / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="newer version"):
        _load(root, 2)


def test_a_missing_file_is_named(root: Path) -> None:
    _load(root, 1)
    (name,) = _files(root, "postings")
    (_folder(root) / name).unlink()
    with pytest.raises(DestinationError, match="missing"):
        read_window(FS, str(root), TENANT, AUGUST)
    with ParquetDestination(FS, str(root)) as destination, pytest.raises(DestinationError, match="missing"):
        destination.read_fingerprints(TENANT, AUGUST)


def test_a_damaged_file_is_named(root: Path) -> None:
    _load(root, 1)
    (name,) = _files(root, "postings")
    (_folder(root) / name).write_bytes((_folder(root) / name).read_bytes()[:-7])
    with pytest.raises(DestinationError, match=r"postings-.*\.parquet is damaged"):
        read_window(FS, str(root), TENANT, AUGUST)


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError, match="cannot be read or written") as caught:
        open_destination(f"parquet:///{tmp_path}/file/ledger").__enter__()
    assert not caught.value.retryable


def test_manifests_of_two_windows_are_two_files(root: Path) -> None:
    _load(root, 1)
    before = (_folder(root) / "manifest.json").read_bytes()
    with ParquetDestination(FS, str(root)) as destination:
        load_window(destination, [posting("1000", 1)], window=JULY)
        load_window(destination, [posting("1000", 1)], tenant="other")
    assert (_folder(root) / "manifest.json").read_bytes() == before
    assert read_manifest(FS, str(_folder(root))) is not None
