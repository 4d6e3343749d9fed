"""Removal of files of former runs that hold personal data and are no longer needed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_rma.billing.files import is_perishable


@dataclass(frozen=True)
class ExpiredFile:
    """A file whose time is over.

    :param path: on its file system.
    :param modified: when it was written last; None if the file system does not say, and the file is kept.
    :param size: in bytes.
    """

    path: str
    modified: datetime | None
    size: int


def list_expired(fs: Any, folder: str, *, days: int, now: datetime | None = None) -> Iterator[ExpiredFile]:
    """List plan, outcome and reject files below a folder that have not been written for ``days`` days.

    :param fs: an fsspec file system.
    :param folder: a tenant's folder; nothing if it does not exist.
    :param now: the present, with its time zone.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=days)
    if not fs.exists(folder):
        return
    for path, details in fs.find(folder, detail=True).items():
        if is_perishable(posixpath.basename(path)):
            modified = _modified(fs, path)
            if modified is None or modified < limit:
                yield ExpiredFile(path, modified, int(details.get("size") or 0))


def remove_file(fs: Any, file: ExpiredFile, folder: str) -> None:
    """Remove a file, and the folders below ``folder`` that are left empty by it."""
    fs.rm_file(file.path)
    parent = posixpath.dirname(file.path)
    while len(parent) > len(folder.rstrip("/")) and parent.startswith(folder.rstrip("/")):
        try:
            if fs.ls(parent, detail=False):
                return
            fs.rmdir(parent)
        except (OSError, NotImplementedError):
            return  # object storage has no folders, or another process has just written here
        parent = posixpath.dirname(parent)


def _modified(fs: Any, path: str) -> datetime | None:
    try:
        modified: datetime = fs.modified(path)
    except (NotImplementedError, KeyError):
        return None
    return modified if modified.tzinfo else modified.replace(tzinfo=UTC)
