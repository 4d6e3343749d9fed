"""A database on disk that lives as long as a run, so that a run's memory does not grow with its size."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Scratch:
    """A context manager; not shared between threads.

    :param tables: SQL that creates the tables.
    """

    def __init__(self, tables: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rma-billing-")
        self._db = sqlite3.connect(Path(self._folder.name) / "scratch.db", isolation_level=None)
        # It dies with the run: nothing is gained by surviving a crash.
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + tables)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()
