"""A transaction in a warehouse with tables: what a database implements, and how its objects are marked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.windows import Window

#: The row of the database's answer to a query.
Row = tuple[Any, ...]

#: Comment on every table and view of the provider's own. An object without it belongs to somebody else.
MARK = "Ledger of Run my Accounts, kept by airflow-provider-rma."


@dataclass(frozen=True)
class DatabaseObject:
    """An object that is found under a name of the contract.

    :param kind: as people call it: ``table``, ``view``, ``sequence``, …
    :param is_marked: whether it carries the :data:`MARK`.
    """

    kind: str
    name: str
    is_marked: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def is_mark(comment: str | None) -> bool:
    """Return whether a comment is the :data:`MARK`, alone or within a text that somebody has added to it."""
    return MARK in (comment or "")


class WarehouseTransaction(ABC):
    """A transaction. Tables and views are named as in the contract."""

    #: Whether the database takes every view.
    takes_all_views = True

    @abstractmethod
    def find_objects(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        """Find what the database has under names of the contract: tables, views, and whatever else takes the name."""

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """List the columns of a table or view; empty if there is none."""

    @abstractmethod
    def create_table(self, table: str, columns: Sequence[contract.Column], *, is_indexed: bool) -> None:
        """Create a table and mark it.

        :param is_indexed: whether windows are looked up in it.
        """

    @abstractmethod
    def add_columns(self, table: str, columns: Sequence[contract.Column]) -> None:
        """Add columns to a table. They may be null even if the contract says otherwise: older rows have no value."""

    @abstractmethod
    def mark(self, kind: str, name: str) -> None:
        """Mark an object as the provider's own."""

    @abstractmethod
    def renew_views(self) -> None:
        """Create or replace the views, and mark them.

        :raises ConfigurationError: objects of others depend on a view that cannot be replaced.
        """

    @abstractmethod
    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows, by the names of their columns."""

    @abstractmethod
    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        """Read columns of the rows of a window."""

    @abstractmethod
    def insert_row(self, table: str, **values: Any) -> None:
        """Add a row to a table of the provider's own, and the current time in its last column."""

    @abstractmethod
    def update_rows(self, table: str, **values: Any) -> None:
        """Change all rows of a table of the provider's own, and the time in its last column."""

    @abstractmethod
    def delete(self, table: str, **values: Any) -> None:
        """Remove the rows that have these values; all rows if none is given."""

    @abstractmethod
    def select(self, table: str, columns: Sequence[str], **values: Any) -> list[Row]:
        """Return columns of the few rows that have these values; of all rows if none is given."""

    @abstractmethod
    def count_postings(self, tenant: str, window: Window) -> int:
        """Count the postings of a window."""

    def is_loaded(self, tenant: str, window: Window) -> bool:
        """Return whether a window was ever loaded."""
        found = self.select("proofs", ["accno", "loaded"], tenant=tenant, month=window.start)
        return any(loaded for accno, loaded in found if accno is None)
