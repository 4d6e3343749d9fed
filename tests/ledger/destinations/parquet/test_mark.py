"""A folder with files of somebody else does not become a warehouse."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.destinations.parquet.mark import MARK
from tests.support.ledger.window_fixtures import AUGUST, TENANT, load_window, posting


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[fsspec.AbstractFileSystem, str]:
    root = str(tmp_path / "ledger") if request.param == "file" else f"/bucket-{uuid.uuid4().hex}/ledger"
    return fsspec.filesystem(request.param), root


Place = tuple[fsspec.AbstractFileSystem, str]


@pytest.mark.parametrize(
    "name",
    [
        "postings/part-0.parquet",
        "report.csv",
        "tenant=acme/month=2025-08/part-0.parquet",
        "tenant=acme/manifest.json",
        "tenant=acme/month=2025-08/manifest.json",
        "accounts",
    ],
)
def test_files_of_somebody_else_are_refused_and_named(place: Place, name: str) -> None:
    fs, root = place
    fs.makedirs(f"{root}/{name}".rpartition("/")[0])
    fs.pipe_file(f"{root}/{name}", b"{}")
    before = fs.find(root)
    with pytest.raises(ConfigurationError, match=name.partition("/")[0]) as caught:
        open_destination(root, fs=fs).__enter__()
    assert "folder of its own" in caught.value.advice
    assert fs.find(root) == before


def test_an_empty_folder_and_hidden_files_are_in_nobodys_way(place: Place) -> None:
    fs, root = place
    fs.makedirs(root)
    fs.pipe_file(f"{root}/.gitkeep", b"")
    with open_destination(root, fs=fs) as destination:
        load_window(destination, [posting("1000", 1)])
    assert fs.exists(f"{root}/{MARK}")
    # From now on the folder is the provider's; what somebody adds is left alone.
    fs.pipe_file(f"{root}/report.csv", b"mine")
    with open_destination(root, fs=fs) as destination:
        load_window(destination, [posting("1000", 1), posting("1000", 2)], load="L2")
    assert fs.cat_file(f"{root}/report.csv") == b"mine"


@pytest.mark.parametrize("kept", ["convention", "window", "both"])
def test_a_warehouse_of_an_earlier_version_is_marked(place: Place, kept: str) -> None:
    fs, root = place
    with open_destination(root, fs=fs) as destination:
        if kept != "window":
            destination.save_convention(TENANT, {"version": 1})
        if kept != "convention":
            load_window(destination, [posting("1000", 1)])
    fs.rm_file(f"{root}/{MARK}")
    with open_destination(root, fs=fs) as destination:
        assert destination.count_postings(TENANT, AUGUST) == (0 if kept == "convention" else 1)
    assert fs.exists(f"{root}/{MARK}")
