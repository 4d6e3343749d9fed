"""What a database adds to be a warehouse: how it writes names and types, and what a transaction can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.destinations.views import load as views
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


@dataclass(frozen=True)
class Dialect:
    """How a database writes what it creates.

    :param types: SQL type by type of the contract, where it is not the one of ``contract.TYPES``.
    :param lookup: SQL type of a tenant, where a text of any length cannot be indexed.
    :param quotes: before and after a name.
    :param indexes: whether an index over tenant and month pays.
    :param names_indexes: whether an index needs a name; else the database finds one that is free.
    :param add: how a column is added.
    :param options: added to CREATE TABLE, by table.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    lookup: str = ""
    quotes: tuple[str, str] = ('"', '"')
    indexes: bool = True
    names_indexes: bool = True
    add: str = "ADD COLUMN"
    options: Mapping[str, str] = field(default_factory=dict)

    def quote(self, name: str) -> str:
        """Write a name in SQL."""
        return f"{self.quotes[0]}{name.replace(self.quotes[1], self.quotes[1] * 2)}{self.quotes[1]}"

    def define(self, column: contract.Column, *, nullable: bool | None = None) -> str:
        """Write a column in CREATE TABLE or ALTER TABLE.

        :param nullable: whether it may be null; None for what the contract says.
        """
        kind = self.types.get(column.type, contract.TYPES[column.type].sql)
        if column.name == "tenant" and self.lookup:
            kind = self.lookup
        may_be_null = column.nullable if nullable is None else nullable
        return f"{self.quote(column.name)} {kind}" + ("" if may_be_null else " NOT NULL")


class WarehouseTransaction(ABC):
    """A transaction. Statements have ``?`` for each parameter.

    :param prefix: beginning of the name of every table and view.
    """

    def __init__(self, dialect: Dialect, prefix: str = "") -> None:
        self.dialect = dialect
        self.prefix = prefix

    # ------------------------------------------------------------------ what a database implements

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""

    @abstractmethod
    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the few rows of a query."""

    @abstractmethod
    def find_objects(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        """Find what the database has under names of the contract: tables, views, and whatever else takes the name."""

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """List the columns of a table; empty if there is no such table."""

    @abstractmethod
    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows, by the names of their columns."""

    @abstractmethod
    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        """Read columns of the rows of a window."""

    # ------------------------------------------------------------------ what a database may override

    #: Whether the database takes every view.
    takes_all_views = True

    def mark(self, kind: str, name: str) -> None:
        """Mark an object as the provider's own."""
        self.execute(f"COMMENT ON {kind.upper()} {self.quote_table(name)} IS '{MARK}'")

    def create_view(self, name: str) -> None:
        """Create or replace a view, and mark it."""
        self.execute(f"CREATE OR REPLACE VIEW {self.quote_table(name)} AS\n{self.write_query(name)}")
        self.mark("view", name)

    def write_query(self, view: str) -> str:
        """Write the query of a view, with the names of tables and views as this transaction writes them."""
        return views.replace_names(views.VIEWS[view], self.quote_table)

    def renew_views(self) -> None:
        """Create or replace the views.

        :raises ConfigurationError: objects of others depend on a view that cannot be replaced.
        """
        for name in views.VIEWS:
            self.create_view(name)

    # ------------------------------------------------------------------ what every database has

    def quote_table(self, table: str) -> str:
        """Write the name of a table or view in SQL."""
        return self.dialect.quote(self.prefix + table)

    def quote_columns(self, columns: Iterable[str]) -> str:
        """Write a list of columns in SQL."""
        return ", ".join(map(self.dialect.quote, columns))

    def where(self, *columns: str) -> str:
        """Write the condition that columns have values, one parameter each."""
        return "WHERE " + " AND ".join(f"{self.dialect.quote(column)} = ?" for column in columns)

    def insert_row(self, table: str, **values: Any) -> None:
        """Add a row to a table of the provider's own, and the current time in its last column."""
        *columns, stamp = contract.PROVIDER_TABLES[table].names
        marks = ", ".join("?" for _ in columns)
        self.execute(
            f"INSERT INTO {self.quote_table(table)} ({self.quote_columns([*columns, stamp])}) "  # noqa: S608 - our names
            f"VALUES ({marks}, CURRENT_TIMESTAMP)",
            [values[column] for column in columns],
        )

    def delete(self, table: str, **values: Any) -> None:
        """Remove the rows that have these values; all rows if none is given."""
        statement = f"DELETE FROM {self.quote_table(table)}"  # noqa: S608 - names of ours
        self.execute(f"{statement} {self.where(*values)}" if values else statement, list(values.values()))

    def select(self, table: str, columns: Sequence[str], **values: Any) -> list[Row]:
        """Return columns of the few rows that have these values; of all rows if none is given."""
        query = f"SELECT {self.quote_columns(columns)} FROM {self.quote_table(table)}"  # noqa: S608 - names of ours
        return self.fetch(f"{query} {self.where(*values)}" if values else query, list(values.values()))

    def select_window(self, table: str, columns: Iterable[str]) -> str:
        """Write the query for columns of the rows of a window; its parameters are tenant and first day."""
        condition = self.where("tenant", "month")
        return f"SELECT {self.quote_columns(columns)} FROM {self.quote_table(table)} {condition}"  # noqa: S608

    def count_postings(self, tenant: str, window: Window) -> int:
        """Count the postings of a window."""
        query = f"SELECT count(*) FROM {self.quote_table('postings')} {self.where('tenant', 'month')}"  # noqa: S608
        return int(self.fetch(query, [tenant, window.start])[0][0])

    def is_loaded(self, tenant: str, window: Window) -> bool:
        """Return whether a window was ever loaded."""
        found = self.select("proofs", ["accno", "loaded"], tenant=tenant, month=window.start)
        return any(loaded for accno, loaded in found if accno is None)
