"""Any other database as the warehouse, through SQLAlchemy Core.

The slow way in: rows become Python objects and go by ``executemany``, in batches, on one connection with one commit per
window. Use DuckDB, Parquet or the PostgreSQL destination where there is a choice.

The connection comes from any hook or driver; SQLAlchemy is put on top of it. :mod:`.column_types` keeps values exact,
:mod:`.catalogues` knows how each database lists and marks objects.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Self

import sqlalchemy
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from airflow_provider_rma.exceptions import DestinationError, RunMyAccountsError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.destinations.sql.base import RelationalDestination
from airflow_provider_rma.ledger.destinations.sql.catalogues import open_catalogue
from airflow_provider_rma.ledger.destinations.sql.column_types import declare_column, declare_table, declare_tables
from airflow_provider_rma.ledger.destinations.sql.engines import find_driver, wrap_connection
from airflow_provider_rma.ledger.destinations.sql.session import DatabaseObject, Row, WarehouseTransaction
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)

#: Rows that are sent or fetched at once.
_ROWS = 5_000
#: Numbers of errors of MySQL and MariaDB that another attempt does not get over: rights, a read-only server.
_LASTING = (1044, 1045, 1142, 1143, 1227, 1290, 1370)
#: What the numbers of errors mean that a load meets; their own texts quote values.
_CAUSES = {
    1044: "the user may not use this database",
    1045: "user or password is wrong",
    1114: "the disk or table is full",
    1142: "the user has not the rights that it needs",
    1205: "another session held what is to be written for too long",
    1213: "another session wrote the same",
    1264: "a number is larger than its column allows",
    1366: "a character does not fit the character set of its column",
    1406: "a text is longer than its column allows",
    2006: "the connection was lost",
    2013: "the connection was lost",
}


class DbapiDestination(RelationalDestination):
    """See :class:`.Destination`.

    :param connect: returns a new DBAPI connection without autocommit.
    :param dialect: name of the dialect as SQLAlchemy knows it.
    :param location: where it is, without secrets.
    :param table_prefix: begins the name of every table and view.
    :param paramstyle: style of parameters (PEP 249), where the driver's module does not tell.
    :param history: keep superseded postings.
    :param idle_seconds: a connection that was idle for longer may have been dropped on the way; a new one is made.
    :param retry_waits: creating tables fails where another run creates them at the same moment; seconds before each
        further try.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        dialect: str,
        location: str,
        *,
        table_prefix: str = "rma_",
        paramstyle: str | None = None,
        history: bool = False,
        idle_seconds: float = 30.0,
        retry_waits: Sequence[float] = (0.2, 1.0),
    ) -> None:
        super().__init__(history=history)
        self.kind = dialect
        self.location = location
        self.table_prefix = table_prefix
        self._tables = declare_tables(table_prefix)
        self._paramstyle = paramstyle
        self._connect = connect
        self._idle_seconds = idle_seconds
        self._retry_waits = retry_waits
        self._connection: Connection | None = None
        #: Errors of the driver, which come as they are where SQLAlchemy was not asked.
        self._driver_error: type[Exception] = SQLAlchemyError
        self._used = 0.0
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        for wait in self._retry_waits:
            try:
                return super().__enter__()
            except DestinationError:
                # Another run may have created the tables meanwhile.
                time.sleep(wait)
        return super().__enter__()

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._connection is not None:
                with suppress(SQLAlchemyError, self._driver_error):
                    self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self, *purpose: str) -> Iterator[CoreTransaction]:
        """Return a transaction, which ends with the block.

        :param purpose: for writing; writers of one warehouse take turns, by the row of the table ``contract``.
        :raises DestinationError: the database refused.
        """
        is_creation = purpose == ("tables",)
        with self._turn:
            is_done = False
            try:
                connection = self._reconnect()
                transaction = CoreTransaction(connection, self._tables, self.table_prefix)
                if purpose:
                    transaction.begin()
                    if not is_creation:
                        transaction.lock()
                yield transaction
                connection.commit()
                is_done = True
            except (DBAPIError, self._driver_error) as error:
                raise self._error_for(error, is_creation=is_creation) from error
            finally:
                self._used = time.monotonic()
                if not is_done:
                    # Closing rolls back.
                    self.close()

    def _reconnect(self) -> Connection:
        """Return the connection that is kept, or a new one."""
        if self._connection is not None and time.monotonic() - self._used > self._idle_seconds:
            self.close()
        if self._connection is None:
            raw = self._make_connection()
            self._driver_error = find_driver(raw).Error
            self._connection = wrap_connection(raw, self.kind, self._paramstyle).connect()
        return self._connection

    def _make_connection(self) -> Any:
        try:
            return self._connect()
        except RunMyAccountsError:
            raise
        except Exception as error:  # of a driver that is not known before the first connection, or of Airflow's hook
            raise self._error_for(error, is_creation=False) from error

    def _error_for(self, error: Exception, *, is_creation: bool) -> DestinationError:
        # The database's own text may quote values, except while tables are created; the cause is chained.
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        number = getattr(cause, "errno", None) or (cause.args[0] if cause.args else None)
        known = _CAUSES.get(number, "") if isinstance(number, int) else ""
        told = known or (" ".join(str(cause).split())[:300] if is_creation else "")
        kinds = [base.__name__ for base in type(cause).__mro__]
        return DestinationError(
            f"The database refused to work on {self.location} ({type(cause).__name__}"
            f"{f' {number}' if isinstance(number, int) else ''}){f': {told}' if told else ''}.",
            advice="The task's log has the whole message of the database. One run at a time should load a tenant.",
            retryable=("OperationalError" in kinds or "InterfaceError" in kinds) and number not in _LASTING,
        )


class CoreTransaction(WarehouseTransaction):
    """A transaction through SQLAlchemy.

    :param tables: the tables by their names in the contract.
    :param prefix: begins the name of every table and view.
    """

    takes_all_views = False

    def __init__(self, connection: Connection, tables: dict[str, sqlalchemy.Table], prefix: str) -> None:
        self.connection = connection
        self.prefix = prefix
        self._tables = tables
        self._catalogue = open_catalogue(connection, prefix)

    def begin(self) -> None:
        """Begin to write, where the database has to be told so."""
        if self.connection.dialect.name == "sqlite":
            # A transaction that reads first and then wants to write would fail instead of waiting.
            self.connection.exec_driver_sql("BEGIN IMMEDIATE")

    def lock(self) -> None:
        """Wait for the end of other writers of this warehouse.

        Two runs that replace one window at the same moment would otherwise both delete what was there before, and both
        add their own. Every database keeps a second writer of a row waiting.
        """
        table = self._tables["contract"]
        self.connection.execute(sqlalchemy.update(table).values(version=table.c.version))

    # ------------------------------------------------------------------ tables and views

    def find_objects(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        return self._catalogue.find(names)

    def columns(self, table: str) -> list[str]:
        inspector = sqlalchemy.inspect(self.connection)
        try:
            return [str(column["name"]) for column in inspector.get_columns(self.prefix + table)]
        except sqlalchemy.exc.NoSuchTableError:
            return []

    def create_table(self, table: str, columns: Sequence[contract.Column], *, is_indexed: bool) -> None:
        declared = declare_table(self.prefix + table, columns)
        self.connection.execute(CreateTable(declared))
        if is_indexed:
            index = sqlalchemy.Index(f"{self.prefix}{table}_window", declared.c.tenant, declared.c.month)
            self.connection.execute(CreateIndex(index))
        if not self.connection.dialect.inline_comments:
            self.mark("table", table)

    def add_columns(self, table: str, columns: Sequence[contract.Column]) -> None:
        dialect = self.connection.dialect
        add = "ADD" if dialect.name in ("mssql", "oracle") else "ADD COLUMN"
        for column in columns:
            declared = declare_column(column, nullable=True)
            # A column is compiled as a part of its table.
            sqlalchemy.Table(self.prefix + table, sqlalchemy.MetaData(), declared)
            definition = CreateColumn(declared).compile(dialect=dialect)
            self.connection.exec_driver_sql(f"ALTER TABLE {self._catalogue.quote(table)} {add} {definition}")

    def mark(self, kind: str, name: str) -> None:
        self._catalogue.mark(kind, name)

    def renew_views(self) -> None:
        """Create the views that the database takes. The tables are committed first: a view must not undo them."""
        self.connection.commit()
        reasons = {name: reason for name in views.VIEWS if (reason := self._renew_view(name))}
        if reasons:
            log.warning(
                "This database does not take the views %s; they were left out. The first is refused because: %s",
                ", ".join(reasons),
                next(iter(reasons.values())),
            )
        self.begin()

    def _renew_view(self, name: str) -> str:
        """Create or replace a view; return why the database refuses, empty if it does not."""
        quoted = self._catalogue.quote(name)
        create = self._catalogue.write_view(name, views.replace_names(views.VIEWS[name], self._catalogue.quote))
        probe = f"SELECT * FROM {quoted} WHERE 1 = 0"  # noqa: S608 - a name of ours
        replace = create.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
        if self._catalogue.replaces_views and not self._try(replace, probe, marks=name):
            return ""
        self._try(f"DROP VIEW {quoted}")
        # Some databases take a view that they cannot carry out.
        reason = self._try(create, probe, marks=name)
        if reason:
            self._try(f"DROP VIEW {quoted}")
        return reason

    def _try(self, *statements: str, marks: str = "") -> str:
        """Execute statements in a transaction of their own; return why the database refuses, empty if it does not.

        :param marks: a view that gets its mark in the same transaction: without it, another run would take it for
            somebody else's.
        """
        try:
            for statement in statements:
                self.connection.exec_driver_sql(statement)
            if marks:
                self._catalogue.mark("view", marks)
            self.connection.commit()
        except DBAPIError as error:
            self.connection.rollback()
            return " ".join(str(error.orig).split())[:300] or type(error.orig).__name__
        return ""

    # ------------------------------------------------------------------ rows

    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        statement = sqlalchemy.insert(self._tables[table])
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS):
                self.connection.execute(statement, batch.slice(start, _ROWS).to_pylist())

    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        declared = self._tables[table]
        columns = [declared.c[name] for name in schema.names]
        query = sqlalchemy.select(*columns).where(*_match(declared, {"tenant": tenant, "month": window.start}))
        # Else drivers such as PyMySQL and psycopg2 hold all rows before the first is handed out.
        streamed = query.execution_options(stream_results=True, max_row_buffer=_ROWS)
        for rows in self.connection.execute(streamed).partitions(_ROWS):
            values = zip(schema, zip(*rows, strict=True), strict=True)
            yield pa.RecordBatch.from_arrays([pa.array(found, field.type) for field, found in values], schema=schema)

    def insert_row(self, table: str, **values: Any) -> None:
        self.connection.execute(sqlalchemy.insert(self._tables[table]).values(_stamp(table, values)))

    def update_rows(self, table: str, **values: Any) -> None:
        self.connection.execute(sqlalchemy.update(self._tables[table]).values(_stamp(table, values)))

    def delete(self, table: str, **values: Any) -> None:
        declared = self._tables[table]
        self.connection.execute(sqlalchemy.delete(declared).where(*_match(declared, values)))

    def select(self, table: str, columns: Sequence[str], **values: Any) -> list[Row]:
        declared = self._tables[table]
        query = sqlalchemy.select(*(declared.c[name] for name in columns)).where(*_match(declared, values))
        return [tuple(row) for row in self.connection.execute(query)]

    def count_postings(self, tenant: str, window: Window) -> int:
        declared = self._tables["postings"]
        query = sqlalchemy.select(sqlalchemy.func.count()).select_from(declared)
        found = self.connection.execute(query.where(*_match(declared, {"tenant": tenant, "month": window.start})))
        return int(found.scalar_one())


def _match(table: sqlalchemy.Table, values: dict[str, Any]) -> list[Any]:
    """Write the condition that columns have values."""
    return [table.c[name] == sqlalchemy.literal(value, table.c[name].type) for name, value in values.items()]


def _stamp(table: str, values: dict[str, Any]) -> dict[str, Any]:
    """Add the current time in the last column of a table of the provider's own."""
    return {**values, contract.PROVIDER_TABLES[table].names[-1]: datetime.now(UTC)}
