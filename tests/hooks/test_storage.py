"""Files on storages: whatever is wrong with them, the error is ours, and says whether another try may help."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.settings import storage_path, tenant_folder
from airflow_provider_rma.hooks.storage import find_source, find_storage, open_outcomes, open_plan

pytestmark = pytest.mark.airflow

READERS = {"plan": open_plan, "customer_outcomes": open_outcomes}


@pytest.mark.parametrize("parameter", READERS)
@pytest.mark.parametrize("path", ["missing", "folder", "file/below", "nowhere://x/y", "s3://bucket/key", "half\0"])
def test_a_file_that_is_not_there_is_named_and_not_waited_for(tmp_path: Path, parameter: str, path: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=f"^{parameter}: there is no file") as caught:
        READERS[parameter](path if "://" in path else str(tmp_path / path))
    assert not caught.value.retryable


@pytest.mark.parametrize("parameter", READERS)
@pytest.mark.parametrize("name", ["loop", "x" * 300])
def test_a_storage_that_cannot_be_read_is_worth_another_try(tmp_path: Path, parameter: str, name: str) -> None:
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    with pytest.raises(ConfigurationError, match=f"^{parameter}: the storage of .* cannot be read") as caught:
        READERS[parameter](str(tmp_path / name))
    assert caught.value.retryable


def test_a_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(b"{}\n")
    with open_plan(str(tmp_path / "plan")) as stream:
        assert stream.read() == b"{}\n"


@pytest.mark.parametrize(
    ("parameter", "find"),
    [
        ("source", lambda url: find_source(url, None)),
        ("output_path", lambda url: tenant_folder("demo", url)),
        ("anything", lambda url: find_storage("anything", url)),
    ],
)
@pytest.mark.parametrize("url", ["nowhere://x/y", "s3://bucket/key", "http://127.0.0.1:1/x"])
def test_an_address_without_a_storage_behind_it_is_refused(
    parameter: str, find: Callable[[str], Any], url: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{parameter} {url}: there is no usable storage") as caught:
        find(url)
    assert not caught.value.retryable


def test_a_setting_without_a_storage_behind_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", "nowhere://x")
    with pytest.raises(ConfigurationError, match=r"^\[rma\] storage_path nowhere://x: there is no usable storage"):
        storage_path()


@pytest.mark.parametrize("parameter", READERS)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_file_has_lines_whatever_airflow_puts_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameter: str, is_wrapped: bool
) -> None:
    (tmp_path / "file").write_bytes(b"a\nb\n")

    class WithoutLines:
        def close(self) -> None:
            pass

    if is_wrapped:
        monkeypatch.setattr(ObjectStoragePath, "open", lambda *_: WithoutLines())
    with READERS[parameter](str(tmp_path / "file")) as stream:
        assert list(stream) == [b"a\n", b"b\n"]
