"""Which files are past their time, on storages that tell their age in their own ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_rma.billing.retention import list_expired, remove_file

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Storage(MemoryFileSystem):
    """A storage of its own for each test, whose files are all of the same age."""

    cachable = False
    modified_at: Any = None

    def modified(self, path: str) -> Any:
        if self.modified_at is None:
            raise NotImplementedError
        return self.modified_at


@pytest.fixture
def storage() -> Storage:
    storage = Storage()
    storage.store = {}
    storage.pseudo_dirs = [""]
    for name in ("outcomes.ndjson", "evidence.json", f"plan-{'a' * 64}.html", "rejects.ndjson.sha256", "my-plan.md"):
        storage.pipe(f"/rma/demo/invoices/run/{name}", b"{}")
    return storage


@pytest.mark.parametrize("zone", [UTC, None])
def test_what_is_older_than_the_limit(storage: Storage, zone: Any) -> None:
    storage.modified_at = (NOW - timedelta(days=30, seconds=1)).replace(tzinfo=zone)
    found = [file.path.rpartition("/")[2] for file in list_expired(storage, "/rma/demo", days=30, now=NOW)]
    assert sorted(found) == ["outcomes.ndjson", f"plan-{'a' * 64}.html"]
    storage.modified_at = (NOW - timedelta(days=30)).replace(tzinfo=zone)
    assert list(list_expired(storage, "/rma/demo", days=30, now=NOW)) == []


def test_a_storage_that_does_not_tell_the_age(storage: Storage) -> None:
    assert [file.modified for file in list_expired(storage, "/rma/demo", days=30, now=NOW)] == [None, None]


def test_a_folder_that_does_not_exist(storage: Storage) -> None:
    assert list(list_expired(storage, "/rma/other", days=30, now=NOW)) == []


def test_folders_are_removed_with_their_last_file_only(storage: Storage) -> None:
    storage.modified_at = NOW - timedelta(days=31)
    storage.pipe("/rma/demo/customers/run/outcomes.ndjson", b"{}")
    for file in list(list_expired(storage, "/rma/demo", days=30, now=NOW)):
        remove_file(storage, file, "/rma/demo")
    assert not storage.exists("/rma/demo/customers")
    assert storage.exists("/rma/demo/invoices/run/evidence.json")
    assert storage.exists("/rma/demo")
