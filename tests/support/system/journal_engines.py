"""The journal's database, opened for each worker."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import open_engine


class JournalEngines:
    """Opens the journal's database, for two workers at the same time through engines of their own, as two processes do.

    :param folder: where the database is.
    """

    def __init__(self, folder: Path) -> None:
        self._url = f"sqlite:///{folder / 'journal.db'}"
        self._opened: dict[str, sa.Engine] = {}

    def __call__(self, worker: str) -> sa.Engine:
        slot = self._find_slot(worker)
        if slot not in self._opened:
            self._opened[slot] = open_engine(self._url)
        return self._opened[slot]

    def renew(self, worker: str) -> None:
        """Open the database anew for the worker after this one, which was interrupted: its process has ended."""
        if (engine := self._opened.pop(self._find_slot(worker), None)) is not None:
            engine.dispose()

    @staticmethod
    def _find_slot(worker: str) -> str:
        return "judge" if worker == "judge" else str(int(worker[1:]) % 2)
