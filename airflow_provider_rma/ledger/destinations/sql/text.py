"""Transactions whose statements are written here as text, for databases that are loaded in a way of their own.

The statements have ``?`` for each parameter.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.sql.session import MARK, Row, WarehouseTransaction
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window


@dataclass(frozen=True)
class Dialect:
    """How a database writes what it creates.

    :param indexes: whether an index over tenant and month pays.
    :param options: added to CREATE TABLE, by table.
    """

    indexes: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    def quote(self, name: str) -> str:
        """Write a name in SQL."""
        return '"' + name.replace('"', '""') + '"'

    def define(self, column: contract.Column, *, nullable: bool | None = None) -> str:
        """Write a column in CREATE TABLE or ALTER TABLE.

        :param nullable: whether it may be null; None for what the contract says.
        """
        kind = contract.TYPES[column.type].sql
        may_be_null = column.nullable if nullable is None else nullable
        return f"{self.quote(column.name)} {kind}" + ("" if may_be_null else " NOT NULL")


class TextTransaction(WarehouseTransaction):
    """A transaction that executes statements."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    # ------------------------------------------------------------------ what a database implements

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""

    @abstractmethod
    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the few rows of a query."""

    @abstractmethod
    def quote_table(self, table: str) -> str:
        """Write the name of a table or view in SQL, with the schema in which it is."""

    # ------------------------------------------------------------------ tables and views

    def create_table(self, table: str, columns: Sequence[contract.Column], *, is_indexed: bool) -> None:
        name = self.quote_table(table)
        definitions = ", ".join(map(self.dialect.define, columns))
        self.execute(f"CREATE TABLE {name} ({definitions}){self.dialect.options.get(table, '')}")
        if self.dialect.indexes and is_indexed:
            # Without a name, for the database to find one that is free.
            self.execute(f"CREATE INDEX ON {name} ({self.quote_columns(['tenant', 'month'])})")
        self.mark("table", table)

    def add_columns(self, table: str, columns: Sequence[contract.Column]) -> None:
        for column in columns:
            definition = self.dialect.define(column, nullable=True)
            self.execute(f"ALTER TABLE {self.quote_table(table)} ADD COLUMN {definition}")

    def mark(self, kind: str, name: str) -> None:
        self.execute(f"COMMENT ON {kind.upper()} {self.quote_table(name)} IS '{MARK}'")

    def create_view(self, name: str) -> None:
        """Create or replace a view, and mark it."""
        self.execute(f"CREATE OR REPLACE VIEW {self.quote_table(name)} AS\n{self.write_query(name)}")
        self.mark("view", name)

    def write_query(self, view: str) -> str:
        """Write the query of a view, with the names of tables and views as this transaction writes them."""
        return views.replace_names(views.VIEWS[view], self.quote_table)

    def renew_views(self) -> None:
        for name in views.VIEWS:
            self.create_view(name)

    # ------------------------------------------------------------------ rows

    def quote_columns(self, columns: Iterable[str]) -> str:
        """Write a list of columns in SQL."""
        return ", ".join(map(self.dialect.quote, columns))

    def where(self, *columns: str) -> str:
        """Write the condition that columns have values, one parameter each."""
        return "WHERE " + " AND ".join(f"{self.dialect.quote(column)} = ?" for column in columns)

    def insert_row(self, table: str, **values: Any) -> None:
        *columns, stamp = contract.PROVIDER_TABLES[table].names
        marks = ", ".join("?" for _ in columns)
        self.execute(
            f"INSERT INTO {self.quote_table(table)} ({self.quote_columns([*columns, stamp])}) "  # noqa: S608 - our names
            f"VALUES ({marks}, CURRENT_TIMESTAMP)",
            [values[column] for column in columns],
        )

    def update_rows(self, table: str, **values: Any) -> None:
        stamp = self.dialect.quote(contract.PROVIDER_TABLES[table].columns[-1].name)
        changes = "".join(f"{self.dialect.quote(column)} = ?, " for column in values)
        self.execute(
            f"UPDATE {self.quote_table(table)} SET {changes}{stamp} = CURRENT_TIMESTAMP",  # noqa: S608 - names of ours
            list(values.values()),
        )

    def delete(self, table: str, **values: Any) -> None:
        statement = f"DELETE FROM {self.quote_table(table)}"  # noqa: S608 - names of ours
        self.execute(f"{statement} {self.where(*values)}" if values else statement, list(values.values()))

    def select(self, table: str, columns: Sequence[str], **values: Any) -> list[Row]:
        query = f"SELECT {self.quote_columns(columns)} FROM {self.quote_table(table)}"  # noqa: S608 - names of ours
        return self.fetch(f"{query} {self.where(*values)}" if values else query, list(values.values()))

    def select_window(self, table: str, columns: Iterable[str]) -> str:
        """Write the query for columns of the rows of a window; its parameters are tenant and first day."""
        condition = self.where("tenant", "month")
        return f"SELECT {self.quote_columns(columns)} FROM {self.quote_table(table)} {condition}"  # noqa: S608

    def count_postings(self, tenant: str, window: Window) -> int:
        query = f"SELECT count(*) FROM {self.quote_table('postings')} {self.where('tenant', 'month')}"  # noqa: S608
        return int(self.fetch(query, [tenant, window.start])[0][0])
