"""Remove files of former runs that hold personal data and are no longer needed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

#: What a run leaves for people to act upon: plans with their pages, outcomes, rejects. Everything else stays, above all
#: evidence, whatever its age.
_PERISHABLE = re.compile(r"(?:plan|outcomes|rejects)\.(?:ndjson|parquet|md|html)")


@dataclass(frozen=True)
class Expired:
    """A file whose time is over.

    :param path: on its file system.
    :param modified: when it was written last; None if the file system does not say, and the file is kept.
    :param size: in bytes.
    """

    path: str
    modified: datetime | None
    size: int


def folder_name(text: str) -> str:
    """A tenant's (or DAG's, or run's) name as a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def expired_files(fs: Any, folder: str, *, days: int, now: datetime | None = None) -> Iterator[Expired]:
    """Plan, outcome and reject files below a folder that have not been written for ``days`` days.

    :param fs: an fsspec file system.
    :param folder: a tenant's folder; nothing if it does not exist.
    :param now: the present, with its time zone.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=days)
    if not fs.exists(folder):
        return
    for path, details in fs.find(folder, detail=True).items():
        if _PERISHABLE.fullmatch(posixpath.basename(path)):
            modified = _modified(fs, path)
            if modified is None or modified < limit:
                yield Expired(path, modified, int(details.get("size") or 0))


def remove(fs: Any, file: Expired, folder: str) -> None:
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
