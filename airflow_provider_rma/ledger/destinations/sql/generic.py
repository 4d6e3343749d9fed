"""Any other database as the warehouse, through the Python database interface (DBAPI, PEP 249).

The slow way in: rows become Python objects and go by ``executemany``, in batches, on one connection with one commit per
window. Use DuckDB, Parquet or the PostgreSQL destination where there is a choice.
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
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pyarrow
from airflow_provider_rma.ledger.destinations import views
from airflow_provider_rma.ledger.destinations.sql.base import RelationalDestination, WarehouseTransaction
from airflow_provider_rma.ledger.destinations.sql.dialects import DIALECTS, READ, STANDARD, DbapiDialect

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)

#: Rows that are sent or fetched at once.
_ROWS = 5_000
#: A connection that was idle for longer than these seconds may have been dropped on the way; a new one is made.
_IDLE = 30.0
#: Creating tables fails where another run creates them at the same moment; seconds before the next try.
_AGAIN = (0.2, 1.0)
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

    :param connect: gives a new DBAPI connection that does not commit by itself.
    :param dialect: name of the dialect as SQLAlchemy knows it.
    :param location: where it is, without secrets.
    :param table_prefix: begins the name of every table and view.
    :param paramstyle: as of PEP 249, where the driver's module does not tell.
    :param history: keep superseded postings.
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
    ) -> None:
        super().__init__(history=history)
        if not _PREFIX.fullmatch(table_prefix):
            raise ConfigurationError("table_prefix is no name.", advice="Use letters, digits and underscores.")
        self.kind = dialect
        self.location = location
        self.table_prefix = table_prefix
        self._dialect = DIALECTS.get(dialect, STANDARD)
        self._paramstyle = paramstyle
        self._new = connect
        self._connection: Any = None
        self._driver: _Driver | None = None
        self._used = 0.0
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        for wait in _AGAIN:
            try:
                return self._entered()
            except DestinationError:
                # Another run may have created the tables meanwhile.
                time.sleep(wait)
        return self._entered()

    def _entered(self) -> Self:
        super().__enter__()
        return self

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._connection is not None and self._driver is not None:
                with suppress(self._driver.error):
                    self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self, *what: str) -> Iterator[DbapiTransaction]:
        """A transaction, which ends with the block.

        :param what: for writing; writers of one warehouse take turns, by the row of the table ``contract``.
        :raises DestinationError: the database refused.
        """
        with self._turn:
            connection, driver = self._connected()
            done = False
            try:
                session = DbapiTransaction(connection, driver, self._dialect, self.table_prefix)
                if what:
                    session.begin()
                    if what != ("tables",):
                        session.lock()
                yield session
                connection.commit()
                done = True
            except driver.error as error:
                raise self._refusal(error, driver) from error
            finally:
                self._used = time.monotonic()
                if not done:
                    with suppress(driver.error):
                        connection.rollback()
                    self.close()

    def _connected(self) -> tuple[Any, _Driver]:
        if self._connection is not None and time.monotonic() - self._used > _IDLE:
            self.close()
        if self._connection is None:
            connection = self._new()
            self._driver = _Driver(connection, self._paramstyle)
            self._connection = connection
        if self._driver is None:
            raise AssertionError("unreachable")
        return self._connection, self._driver

    def _refusal(self, error: Exception, driver: _Driver) -> DestinationError:
        # The database's own text may quote values, so the message names only the kind; the cause is chained.
        return DestinationError(
            f"The database refused to work on {self.location} ({type(error).__name__}).",
            advice="Check the rights of the user and the free space, and that one run at a time loads a tenant.",
            retryable=isinstance(error, driver.passing),
        )


class _Driver:
    """What the module of a connection says of itself."""

    def __init__(self, connection: Any, paramstyle: str | None) -> None:
        module = self._module(connection)
        self.error: type[Exception] = module.Error
        self.passing: type[Exception] = module.OperationalError
        style = paramstyle or module.paramstyle
        if style not in _STYLES:
            raise ConfigurationError(f"The paramstyle {style} is none of PEP 249.", advice="Give the driver's own.")
        self.style = style

    @staticmethod
    def _module(connection: Any) -> Any:
        for kind in type(connection).__mro__:
            parts = kind.__module__.split(".")
            for length in range(len(parts), 0, -1):
                module = sys.modules.get(".".join(parts[:length]))
                if module is not None and hasattr(module, "paramstyle") and hasattr(module, "Error"):
                    return module
        raise ConfigurationError(
            f"{type(connection).__module__} is no module of PEP 249.", advice="Give a factory of DBAPI connections."
        )

    def written(self, sql: str) -> str:
        """A statement with the driver's marks."""
        parts = sql.split("?")
        mark = _STYLES[self.style]
        return parts[0] + "".join(mark(number) + part for number, part in enumerate(parts[1:], start=1))

    def given(self, parameters: Sequence[Any]) -> Any:
        """Parameters as the driver takes them."""
        if self.style == "named":
            return {f"p{number}": value for number, value in enumerate(parameters, start=1)}
        return tuple(parameters)


class DbapiTransaction(WarehouseTransaction):
    """A transaction on a DBAPI connection."""

    dialect: DbapiDialect

    def __init__(self, connection: Any, driver: _Driver, dialect: DbapiDialect, prefix: str) -> None:
        super().__init__(dialect, prefix)
        self.connection = connection
        self._driver = driver

    def begin(self) -> None:
        """Begin to write, where the database has to be told so."""
        if self.dialect.begin:
            self._run(self.dialect.begin).close()

    def lock(self) -> None:
        """Wait for the end of whoever else writes this warehouse.

        Two runs that replace one window at the same moment would otherwise both delete what was there before, and both
        add their own. Every database keeps a second writer of a row waiting.
        """
        contract, version = self.name("contract"), self.dialect.quoted("version")
        self.execute(f"UPDATE {contract} SET {version} = {version}")  # noqa: S608 - names of ours

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._run(sql, parameters).close()

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._run(sql, parameters)
        try:
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def columns(self, table: str) -> list[str]:
        try:
            cursor = self._run(f"SELECT * FROM {self.name(table)} WHERE 1 = 0")  # noqa: S608 - a name of ours
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
        sql = f"INSERT INTO {self.name(table)} ({self.names(schema.names)}) VALUES ({marks})"  # noqa: S608
        sql = self._driver.written(sql)
        cursor = self.connection.cursor()
        try:
            if hasattr(cursor, "fast_executemany"):
                cursor.fast_executemany = True
            for batch in batches:
                for start in range(0, batch.num_rows, _ROWS):
                    cursor.executemany(sql, self._rows(table, batch.slice(start, _ROWS)))
        finally:
            cursor.close()

    def read(self, table: str, schema: pa.Schema, tenant: str, window: Window) -> Iterator[pa.RecordBatch]:
        arrow = pyarrow()
        kinds = _kinds(table)
        query = f"SELECT {self.names(schema.names)} FROM {self.name(table)} {self.where('tenant', 'month')}"  # noqa: S608
        cursor = self._run(query, [tenant, window.start])
        try:
            while rows := cursor.fetchmany(_ROWS):
                columns = [
                    arrow.array([None if value is None else READ[kinds[one.name]](value) for value in values], one.type)
                    for one, values in zip(schema, zip(*rows, strict=True), strict=True)
                ]
                yield arrow.RecordBatch.from_arrays(columns, schema=schema)
        finally:
            cursor.close()

    def renew_views(self) -> None:
        """The tables are committed first: a view that the database does not take must not undo them."""
        self.connection.commit()
        for name in reversed(views.VIEWS):
            self._tried(f"DROP VIEW {self.name(name)}")
        skipped = []
        for name, text in views.VIEWS.items():
            view = self.name(name)
            created = self._tried(f"CREATE VIEW {view} AS{self._prefixed(text)}")
            # Some databases take a view that they cannot carry out.
            if not (created and self._tried(f"SELECT * FROM {view} WHERE 1 = 0")):  # noqa: S608 - a name of ours
                self._tried(f"DROP VIEW {view}")
                skipped.append(name)
        if skipped:
            log.warning("This database does not take the views %s; they were left out.", ", ".join(skipped))
        self.begin()

    def _tried(self, sql: str) -> bool:
        """Carry out a statement in a transaction of its own; whether it worked."""
        try:
            self.execute(sql)
            self.connection.commit()
        except self._driver.error:
            self.connection.rollback()
            return False
        return True

    def _prefixed(self, text: str) -> str:
        names = "|".join([*contract.TABLES, *views.VIEWS])
        # Texts in quotes stay as they are: a kind of account is called like a view.
        found = re.compile(rf"'[^']*'|\b(?:{names})\b")
        return found.sub(lambda match: match[0] if match[0].startswith("'") else self.prefix + match[0], text)

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        cursor = self.connection.cursor()
        values = self.dialect.values
        given = [values["date"](one) if isinstance(one, date) and "date" in values else one for one in parameters]
        if given:
            cursor.execute(self._driver.written(sql), self._driver.given(given))
        else:
            cursor.execute(sql)
        return cursor

    def _rows(self, table: str, batch: Any) -> list[Any]:
        kinds = _kinds(table)
        columns = []
        for name in batch.schema.names:
            values = batch.column(name).to_pylist()
            turned = self.dialect.values.get(kinds[name])
            columns.append([None if value is None else turned(value) for value in values] if turned else values)
        return [self._driver.given(row) for row in zip(*columns, strict=True)]


def _kinds(table: str) -> dict[str, str]:
    """Types of the contract by column."""
    declared = [] if table == "postings_history" else list(contract.TABLES[table].columns)
    if table.startswith("postings"):
        declared += contract.HISTORY.columns
    return {column.name: column.type for column in declared}
