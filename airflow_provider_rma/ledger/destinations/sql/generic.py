"""Any other database as the warehouse, through the Python database interface (DBAPI, PEP 249).

The slow way in: rows become Python objects and go by ``executemany``, in batches, on one connection with one commit per
window. Use DuckDB, Parquet or the PostgreSQL destination where there is a choice.

SQLAlchemy names the dialect and finds the driver of an address, but its compiler does not write the statements. The
connection comes from any hook, so the style of parameters is that of its driver, not of SQLAlchemy's dialect. Amounts
must be exact where a database has no decimals; SQLAlchemy would bind them as floats on SQLite. The statements are those
of :class:`.WarehouseTransaction`, shared with DuckDB and PostgreSQL. Core could take over the quoting of names and the
marks of parameters: some thirty lines here, and as many to declare the tables a second time.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any, Self

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.destinations.sql.base import RelationalDestination
from airflow_provider_rma.ledger.destinations.sql.dialects import DIALECTS, READ, STANDARD, DbapiDialect
from airflow_provider_rma.ledger.destinations.sql.session import DatabaseObject, Row, WarehouseTransaction
from airflow_provider_rma.ledger.destinations.views import load as views
from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)

#: Rows that are sent or fetched at once.
_ROWS = 5_000
_PREFIX = re.compile(r"\w*")
_STYLES: dict[str, Callable[[int], str]] = {
    "qmark": lambda _: "?",
    "format": lambda _: "%s",
    "pyformat": lambda _: "%s",
    "numeric": lambda number: f":{number}",
    "named": lambda number: f":p{number}",
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
        if not _PREFIX.fullmatch(table_prefix):
            raise ConfigurationError("table_prefix is not a name.", advice="Use letters, digits and underscores.")
        self.kind = dialect
        self.location = location
        self.table_prefix = table_prefix
        self._dialect = DIALECTS.get(dialect, STANDARD)
        self._paramstyle = paramstyle
        self._connect = connect
        self._idle_seconds = idle_seconds
        self._retry_waits = retry_waits
        self._connection: Any = None
        self._driver: _Driver | None = None
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
            if self._connection is not None and self._driver is not None:
                with suppress(self._driver.error):
                    self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self, *purpose: str) -> Iterator[DbapiTransaction]:
        """Return a transaction, which ends with the block.

        :param purpose: for writing; writers of one warehouse take turns, by the row of the table ``contract``.
        :raises DestinationError: the database refused.
        """
        with self._turn:
            connection, driver = self._reconnect()
            is_done = False
            try:
                transaction = DbapiTransaction(connection, driver, self._dialect, self.table_prefix)
                if purpose:
                    transaction.begin()
                    if purpose != ("tables",):
                        transaction.lock()
                yield transaction
                connection.commit()
                is_done = True
            except driver.error as error:
                raise self._error_for(error, driver) from error
            finally:
                self._used = time.monotonic()
                if not is_done:
                    with suppress(driver.error):
                        connection.rollback()
                    self.close()

    def _reconnect(self) -> tuple[Any, _Driver]:
        """Return the connection that is kept, or a new one."""
        if self._connection is not None and time.monotonic() - self._used > self._idle_seconds:
            self.close()
        if self._connection is None or self._driver is None:
            connection = self._connect()
            self._driver = _Driver(connection, self._paramstyle)
            self._connection = connection
        return self._connection, self._driver

    def _error_for(self, error: Exception, driver: _Driver) -> DestinationError:
        # The database's own text may quote values, so the message names only the kind; the cause is chained.
        return DestinationError(
            f"The database refused to work on {self.location} ({type(error).__name__}).",
            advice="Check the rights of the user and the free space, and that one run at a time loads a tenant.",
            retryable=isinstance(error, driver.transient),
        )


class _Driver:
    """Errors and style of parameters of a connection, from the module of its driver."""

    def __init__(self, connection: Any, paramstyle: str | None) -> None:
        module = self._find_module(connection)
        self.error: type[Exception] = module.Error
        self.transient: type[Exception] = module.OperationalError
        style = paramstyle or module.paramstyle
        if style not in _STYLES:
            raise ConfigurationError(f"The paramstyle {style} is none of PEP 249.", advice="Give the driver's own.")
        self.style = style

    @staticmethod
    def _find_module(connection: Any) -> Any:
        for base in type(connection).__mro__:
            parts = base.__module__.split(".")
            for length in range(len(parts), 0, -1):
                module = sys.modules.get(".".join(parts[:length]))
                if module is not None and hasattr(module, "paramstyle") and hasattr(module, "Error"):
                    return module
        raise ConfigurationError(
            f"{type(connection).__module__} is no module of PEP 249.", advice="Give a factory of DBAPI connections."
        )

    def write_marks(self, sql: str) -> str:
        """Write a statement with the driver's marks."""
        parts = sql.split("?")
        mark = _STYLES[self.style]
        return parts[0] + "".join(mark(number) + part for number, part in enumerate(parts[1:], start=1))

    def bind(self, parameters: Sequence[Any]) -> Any:
        """Put parameters into the form that the driver takes."""
        if self.style == "named":
            return {f"p{number}": value for number, value in enumerate(parameters, start=1)}
        return tuple(parameters)


class DbapiTransaction(WarehouseTransaction):
    """A transaction on a DBAPI connection."""

    dialect: DbapiDialect
    takes_all_views = False

    def __init__(self, connection: Any, driver: _Driver, dialect: DbapiDialect, prefix: str) -> None:
        super().__init__(dialect, prefix)
        self.connection = connection
        self._driver = driver

    def begin(self) -> None:
        """Begin to write, where the database has to be told so."""
        if self.dialect.begin:
            self._run(self.dialect.begin).close()

    def lock(self) -> None:
        """Wait for the end of other writers of this warehouse.

        Two runs that replace one window at the same moment would otherwise both delete what was there before, and both
        add their own. Every database keeps a second writer of a row waiting.
        """
        table, version = self.quote_table("contract"), self.dialect.quote("version")
        self.execute(f"UPDATE {table} SET {version} = {version}")  # noqa: S608 - names of ours

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._run(sql, parameters).close()

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        cursor = self._run(sql, parameters)
        try:
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def find_objects(self, names: Iterable[str]) -> dict[str, DatabaseObject]:
        # The table of the contract vouches for the others.
        listed = list(names)
        own = contract.PROVIDER_TABLES["contract"].names
        is_ours = [name.lower() for name in self.columns("contract")] == own
        return {name: DatabaseObject("table", name, is_ours) for name in listed if self.columns(name)}

    def mark(self, kind: str, name: str) -> None:
        """Do nothing: the table of the contract vouches for the others."""

    def columns(self, table: str) -> list[str]:
        try:
            cursor = self._run(f"SELECT * FROM {self.quote_table(table)} WHERE 1 = 0")  # noqa: S608 - a name of ours
        except self._driver.error:
            # There is no such table. Nothing was written yet in this transaction, and some databases end it here.
            self.connection.rollback()
            self.begin()
            return []
        try:
            return [str(column[0]) for column in cursor.description]
        finally:
            cursor.close()

    def insert(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        marks = ", ".join("?" for _ in schema)
        sql = f"INSERT INTO {self.quote_table(table)} ({self.quote_columns(schema.names)}) VALUES ({marks})"  # noqa: S608
        sql = self._driver.write_marks(sql)
        cursor = self.connection.cursor()
        try:
            if hasattr(cursor, "fast_executemany"):
                cursor.fast_executemany = True
            for batch in batches:
                for start in range(0, batch.num_rows, _ROWS):
                    cursor.executemany(sql, self._convert_rows(table, batch.slice(start, _ROWS)))
        finally:
            cursor.close()

    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        types = _column_types(table)
        cursor = self._run(self.select_window(table, schema.names), [tenant, window.start])
        try:
            while rows := cursor.fetchmany(_ROWS):
                arrays = [
                    pa.array(
                        [None if value is None else READ[types[field.name]](value) for value in values], field.type
                    )
                    for field, values in zip(schema, zip(*rows, strict=True), strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        finally:
            cursor.close()

    def renew_views(self) -> None:
        """Create the views that the database takes. The tables are committed first: a view must not undo them."""
        self.connection.commit()
        for name in reversed(views.VIEWS):
            self._try(f"DROP VIEW {self.quote_table(name)}")
        skipped = []
        for name, query in views.VIEWS.items():
            view = self.quote_table(name)
            is_created = self._try(f"CREATE VIEW {view} AS\n{views.replace_names(query, self.quote_table)}")
            # Some databases take a view that they cannot carry out.
            if not (is_created and self._try(f"SELECT * FROM {view} WHERE 1 = 0")):  # noqa: S608 - a name of ours
                self._try(f"DROP VIEW {view}")
                skipped.append(name)
        if skipped:
            log.warning("This database does not take the views %s; they were left out.", ", ".join(skipped))
        self.begin()

    def _try(self, sql: str) -> bool:
        """Execute a statement in a transaction of its own; return whether it worked."""
        try:
            self.execute(sql)
            self.connection.commit()
        except self._driver.error:
            self.connection.rollback()
            return False
        return True

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        cursor = self.connection.cursor()
        convert = self.dialect.values.get("date")
        values = [convert(value) if convert and isinstance(value, date) else value for value in parameters]
        if values:
            cursor.execute(self._driver.write_marks(sql), self._driver.bind(values))
        else:
            cursor.execute(sql)
        return cursor

    def _convert_rows(self, table: str, batch: pa.RecordBatch) -> list[Any]:
        types = _column_types(table)
        columns = []
        for name in batch.schema.names:
            values = batch.column(name).to_pylist()
            convert = self.dialect.values.get(types[name])
            columns.append([None if value is None else convert(value) for value in values] if convert else values)
        return [self._driver.bind(row) for row in zip(*columns, strict=True)]


def _column_types(table: str) -> dict[str, str]:
    """Return the types of the contract by column."""
    declared = [] if table == "postings_history" else list(contract.TABLES[table].columns)
    if table.startswith("postings"):
        declared += contract.HISTORY.columns
    return {column.name: column.type for column in declared}
