"""What a warehouse is: a :class:`Destination`, opened for a run, and a :class:`Stage` for each window.

Each window is staged while it is read, and then either takes the place of the old one, in one step, or leaves it as it
was. Whoever reads the warehouse at any moment sees a window as it was before or as it is after, never a mixture.

A new kind of warehouse subclasses both, implements the abstract methods, and leaves alone what is marked final: that
checks the rules of every warehouse. The contract tests run against each entry of a list in
``tests/support/ledger/warehouses.py``.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self, final

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.arrow_schemas import check_constant, conform
from airflow_provider_rma.ledger.destinations.unknown_fields import UnknownFields
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, Fingerprint, Fingerprinter
from airflow_provider_rma.ledger.windows import Window


@dataclass(frozen=True, kw_only=True)
class WindowTables:
    """What a decision on a window stores beside the postings.

    Every row belongs to the tenant and month of the stage. ``loaded`` of the proofs and of the load is true for a
    commit and a confirmation, false for a rejection.

    :param proofs: rows of ``proofs``, exactly one of them with a null ``accno``.
    :param load: one row of ``loads``.
    :param balances: rows of ``balances``; None for a rejection, which leaves the balances as they are.
    :param changes: rows of ``changes`` with the ``load_id`` of the load; for a commit only.
    """

    proofs: pa.Table
    load: pa.Table
    balances: pa.Table | None = None
    changes: Iterable[pa.RecordBatch] = ()

    @property
    def load_id(self) -> str:
        return str(self.load.column("load_id")[0])

    @property
    def rows(self) -> int:
        """Postings that the load claims."""
        return int(self.load.column("rows")[0].as_py())

    @property
    def verdict(self) -> str:
        return str(self.load.column("verdict")[0])

    @property
    def finished_at(self) -> datetime:
        """When the verdict was known."""
        finished: datetime = self.load.column("finished_at")[0].as_py()
        return finished


class Stage(ABC):
    """One window on its way in, to be used with ``with``. Leaving the block without a decision leaves the old window.

    :ivar staged_rows: postings written so far.
    """

    def __init__(self, tenant: str, window: Window, unknown: UnknownFields) -> None:
        self.tenant = tenant
        self.window = window
        self.staged_rows = 0
        self._unknown = unknown
        self._is_complete = False
        self._is_decided = False

    def __enter__(self) -> Self:
        return self

    @final
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_decided = True
        reach("window.left")
        self._discard()

    @final
    def write(self, batch: pa.RecordBatch) -> None:
        """Add postings.

        :param batch: any number of rows of ``postings``.
        :raises ValueError: other columns, a null in a required column, another tenant or month.
        :raises RuntimeError: the stage was read or decided already.
        """
        if self._is_decided:
            raise RuntimeError("The stage has been decided already.")
        if self._is_complete:
            raise RuntimeError("What was staged has been read already.")
        checked = self._check(batch, "postings")
        if checked.num_rows:
            self._unknown.add(checked)
            self._write(checked)
            self.staged_rows += checked.num_rows

    @final
    def read_staged(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the postings that were written, from the beginning; as often as needed, one reading after the other.
        Nothing may be written afterwards.

        :param columns: columns of ``postings``, in the order that the batches shall have.
        """
        self._is_complete = True
        return self._read_back(columns)

    @final
    def commit(self, tables: WindowTables) -> None:
        """Replace the window, all at once, also when nothing was staged: postings by those that were staged, balances
        and proofs by those given. Add the rows of ``loads`` and ``changes``.

        :raises DestinationError: it failed; the old window is in place.
        :raises ValueError: the tables do not belong to this window or contradict what was staged.
        """
        checked = self._decide(tables, loaded=True)
        if checked.rows != self.staged_rows:
            raise ValueError(f"The load claims {checked.rows} postings, {self.staged_rows} were staged.")
        if tables.changes:
            checked = replace(checked, changes=self._check_changes(tables.changes, checked.load_id))
        reach("window.staged")
        self._commit(checked)

    @final
    def confirm(self, tables: WindowTables) -> None:
        """As :meth:`commit`, for a window whose postings have not changed: the loaded ones stay (with their older
        ``load_id``), the staged ones are dropped, balances and proofs are replaced.

        :raises DestinationError: it failed, or another number of postings is loaded than the load says.
        :raises ValueError: the tables do not belong to this window.
        """
        self._confirm(self._decide(tables, loaded=True))

    @final
    def reject(self, tables: WindowTables) -> None:
        """Leave the window as it is and record the refused attempt beside it. A later attempt replaces this record.

        :raises DestinationError: it failed; nothing was recorded.
        :raises ValueError: the tables do not belong to this window.
        """
        self._reject(self._decide(tables, loaded=False))

    # ------------------------------------------------------------------ what a warehouse implements

    @abstractmethod
    def _write(self, batch: pa.RecordBatch) -> None:
        """Keep postings until the decision, out of sight of readers. The batch is checked and not empty."""

    @abstractmethod
    def _read_back(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See :meth:`read_staged`."""

    @abstractmethod
    def _commit(self, tables: WindowTables) -> None:
        """See :meth:`commit`. The tables are checked. An error must leave the old window."""

    @abstractmethod
    def _confirm(self, tables: WindowTables) -> None:
        """See :meth:`confirm`. The tables are checked.

        :raises DestinationError: see :func:`changed_meanwhile_error`; the window is not loaded, or holds another number
            of postings than ``tables.rows``.
        """

    @abstractmethod
    def _reject(self, tables: WindowTables) -> None:
        """See :meth:`reject`. The tables are checked; there are no balances and no changes."""

    @abstractmethod
    def _discard(self) -> None:
        """Remove what was staged; called when the block ends, also after a decision."""

    # ------------------------------------------------------------------ checks

    def _decide(self, tables: WindowTables, *, loaded: bool) -> WindowTables:
        """Return the tables in the schemas of the contract, without the changes."""
        if self._is_decided:
            raise RuntimeError("The stage has been decided already.")
        self._is_decided = True
        if (tables.balances is not None) != loaded:
            raise ValueError(f"There must be {'a' if loaded else 'no'} table of balances here.")
        checked = WindowTables(
            proofs=self._check(tables.proofs, "proofs"),
            load=self._check(tables.load, "loads"),
            balances=self._check(tables.balances, "balances") if loaded else None,
        )
        if checked.proofs.column("accno").null_count != 1:
            raise ValueError("The proofs must hold one row for the window as a whole, with a null accno.")
        if checked.load.num_rows != 1:
            raise ValueError("There must be one row of loads.")
        for name, table in (("proofs", checked.proofs), ("loads", checked.load)):
            if set(table.column("loaded").to_pylist()) != {loaded}:
                raise ValueError(f"The column loaded of the {name} must be {loaded} here.")
        return checked

    def _check_changes(self, changes: Iterable[pa.RecordBatch], load_id: str) -> Iterator[pa.RecordBatch]:
        for batch in changes:
            check_constant(batch, "load_id", load_id)
            yield self._check(batch, "changes")

    def _check(self, data: Any, table: str) -> Any:
        conformed = conform(data, table)
        check_constant(conformed, "tenant", self.tenant)
        check_constant(conformed, "month", self.window.start)
        return conformed


class Destination(ABC):
    """A warehouse, opened for one run with ``with``.

    :param history: keep superseded postings in ``postings_history``.
    :ivar kind: ``duckdb``, ``parquet``, ``postgresql``, or the name of another database.
    :ivar location: where it is, without secrets; for logs and results.
    :ivar unknown: fields of postings that were met and are not columns; they are in the column ``extra``.
    :ivar buffer_folder: folder with room for temporary files; None for the system's folder.
    """

    kind: str
    location: str
    buffer_folder: str | os.PathLike[str] | None = None

    def __init__(self, *, history: bool = False) -> None:
        self.history = history
        self.unknown = UnknownFields()

    # ------------------------------------------------------------------ what a warehouse implements

    @abstractmethod
    def __enter__(self) -> Self:
        """Create what is absent, and widen what an earlier version of the contract has left."""

    @abstractmethod
    def close(self) -> None:
        """Release what is kept open between two calls."""

    @abstractmethod
    def count_postings(self, tenant: str, window: Window) -> int:
        """Count the postings that are loaded for a window; 0 if it was never loaded."""

    @abstractmethod
    def is_loaded(self, tenant: str, window: Window) -> bool:
        """Return whether a window was ever loaded, even if empty."""

    @abstractmethod
    def read_loaded(self, tenant: str, window: Window, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the postings that are loaded for a window, in no particular order. The warehouse may be locked until the
        last batch was taken.

        :param columns: columns of ``postings``, in the order that the batches shall have.
        """

    @abstractmethod
    def read_table(self, name: str, tenant: str, window: Window) -> pa.Table:
        """Read the rows of a window in one of the small tables.

        :param name: ``balances``, ``proofs``, ``loads`` or ``changes``.
        """

    @abstractmethod
    def read_convention(self, tenant: str) -> dict[str, Any] | None:
        """Read the sign convention of the tenant's balances; None if it was never saved."""

    @abstractmethod
    def save_convention(self, tenant: str, convention: dict[str, Any]) -> None:
        """Save the sign convention.

        :param convention: what JSON can carry.
        """

    @abstractmethod
    def stage(self, tenant: str, window: Window) -> Stage:
        """Begin to replace a window."""

    @abstractmethod
    def _replace_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        """See :meth:`save_accounts`. The table is checked."""

    # ------------------------------------------------------------------ what a warehouse may override

    def keep_open(self) -> AbstractContextManager[None]:
        """Keep what is costly to open until the block ends. Others may have to wait meanwhile, so nothing that takes
        long belongs inside, and no request to the service."""
        return nullcontext()

    # ------------------------------------------------------------------ what every warehouse has

    @final
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @final
    def read_fingerprints(self, tenant: str, window: Window) -> dict[str, Fingerprint]:
        """Compute the fingerprints of what is loaded from the rows themselves, by account number."""
        fingerprinter = Fingerprinter()
        for batch in self.read_loaded(tenant, window, BUSINESS_COLUMNS):
            fingerprinter.add(batch)
        return fingerprinter.result()

    @final
    def save_accounts(self, tenant: str, accounts: pa.Table, load_id: str) -> None:
        """Replace the tenant's accounts, all at once.

        :param accounts: rows of ``accounts`` with this ``load_id``.
        :raises ValueError: other columns, another tenant or load.
        """
        accounts = conform(accounts, "accounts")
        check_constant(accounts, "tenant", tenant)
        check_constant(accounts, "load_id", load_id)
        self._replace_accounts(tenant, accounts, load_id)


def changed_meanwhile_error(expected: int, loaded: int) -> DestinationError:
    """Return the error for a window that is not the one that was compared with."""
    return DestinationError(
        f"The window was to be confirmed with {expected} postings, but {loaded} are loaded: another run replaced it.",
        advice="Run again; let one run at a time load a tenant.",
        retryable=True,
    )
