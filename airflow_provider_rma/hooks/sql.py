"""Read rows from any database that Airflow has a connection to."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_rma.exceptions import ConfigurationError, RunMyAccountsError
from airflow_provider_rma.hooks.lookup import get_connection

if TYPE_CHECKING:
    from airflow_provider_rma.billing.records.columns import RecordColumns

_FETCH = 1_000
#: Statements that a server-side cursor can run.
_QUERIES = ("select", "with", "values", "table", "(")
#: Classes of a driver's errors (PEP 249) against which another try may help.
_PASSING = ("OperationalError", "InterfaceError", "InternalError")

Parameters = Mapping[str, Any] | Sequence[Any] | None


def query(
    conn_id: str, sql: str, parameters: Parameters, columns: RecordColumns | None = None
) -> Iterator[dict[str, Any]]:
    """Read the rows of a query in bounded memory: by a server-side cursor where the driver has one.

    Of several statements the rows of the last one count. Nothing is committed.

    :param conn_id: Airflow connection of a database.
    :param parameters: for the statement; of several, a mapping is for all and a sequence for the last.
    :param columns: the columns that records of this kind may have; names are matched whatever their case.
    :raises ConfigurationError: if the connection leads to no database, the database refuses the statement, the
        statement returns no rows, or two columns have the same name.
    :raises InvalidInputError: naming every column that no record of this kind has.
    """
    hook = _get_hook(conn_id)
    *first, last = _split(hook, sql)
    with _driver_errors("sql_conn_id"):
        database = hook.get_conn()
    with closing(database):
        for statement in first:
            with closing(database.cursor()) as cursor, _driver_errors("sql"):
                _execute(cursor, statement, parameters if isinstance(parameters, Mapping) else None)
        with _driver_errors("sql"):
            cursor = _open_cursor(database, last, parameters)
        with closing(cursor):
            yield from _fetch(cursor, columns)


def _get_hook(conn_id: str) -> Any:
    try:
        connection: Any = get_connection(conn_id)
        hook = connection.get_hook()
    except (AirflowException, ImportError) as error:
        raise ConfigurationError(
            f"sql_conn_id: there is no usable connection {conn_id!r} ({type(error).__name__})",
            advice="Check its id and type, and that the provider of its type is installed.",
        ) from error
    if not hasattr(hook, "get_cursor"):
        raise ConfigurationError(
            f"sql_conn_id: {conn_id!r} is not a connection of a database", advice="Name a connection that can run SQL."
        )
    return hook


def _split(hook: Any, sql: str) -> list[str]:
    """Split a text into its statements, where the driver does not run several at once in one scope."""
    statements = [text for text in hook.split_sql_string(sql) if text.strip("; \t\r\n")]
    if not statements:
        raise ConfigurationError("sql: is empty", advice="Give a query.")
    # Variables of Transact-SQL end with their batch.
    return [sql] if len(statements) == 1 or getattr(hook, "dialect_name", "") == "mssql" else statements


# ------------------------------------------------------------------ cursors


def _open_cursor(database: Any, statement: str, parameters: Parameters) -> Any:
    """Execute a statement, by a cursor that keeps its rows on the server where that is possible."""
    drivers = {kind.__module__.partition(".")[0] for kind in type(database).__mro__}
    if (
        drivers & {"psycopg", "psycopg2"}
        and not database.autocommit
        and statement.lower().lstrip().startswith(_QUERIES)
    ):
        cursor = _open_named_cursor(database, statement, parameters)
        if cursor is not None:
            return cursor
    # MySQL: otherwise the client fetches all rows before it hands out the first one.
    unbuffered = [importlib.import_module(f"{driver}.cursors").SSCursor for driver in drivers & {"pymysql", "MySQLdb"}]
    cursor = database.cursor(*unbuffered)
    try:
        _execute(cursor, statement, parameters)
    except BaseException:
        cursor.close()
        raise
    return cursor


def _open_named_cursor(database: Any, statement: str, parameters: Parameters) -> Any:
    """Declare a cursor on a PostgreSQL server.

    :returns: None if the statement cannot be declared, such as a WITH that writes: an ordinary cursor then says whether
        it is wrong.
    """
    with closing(database.cursor()) as control:
        control.execute("SAVEPOINT rma_query")
    cursor = database.cursor(name=f"rma_{uuid.uuid4().hex}")
    try:
        _execute(cursor, statement, parameters)
    except Exception:  # noqa: BLE001 - the ordinary cursor reports it
        with suppress(Exception):
            cursor.close()
        with closing(database.cursor()) as control:
            control.execute("ROLLBACK TO SAVEPOINT rma_query")
        return None
    return cursor


def _execute(cursor: Any, statement: str, parameters: Parameters) -> None:
    if parameters is None:
        cursor.execute(statement)
    else:
        cursor.execute(statement, parameters)


# ------------------------------------------------------------------ rows


def _fetch(cursor: Any, columns: RecordColumns | None) -> Iterator[dict[str, Any]]:
    # A named cursor of psycopg2 describes its columns only once it has fetched.
    is_named = getattr(cursor, "name", None) is not None
    with _driver_errors("sql"):
        while cursor.description is None and not is_named and _next_result(cursor):
            pass
        rows = cursor.fetchmany(_FETCH) if is_named or cursor.description is not None else []
    keys = [str(column[0]) for column in cursor.description or ()]
    names = columns.match(keys) if columns else keys
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not names:
        problem = f"columns named twice: {', '.join(repeated)}" if repeated else "the statement returns no rows"
        raise ConfigurationError(f"sql: {problem}", advice="Name each column once, as RMA names the field.")
    if columns:
        columns.check(names, "sql")
    while rows:
        for row in rows:
            yield dict(zip(names, _read_values(row, keys), strict=True))
        with _driver_errors("sql"):
            rows = cursor.fetchmany(_FETCH)
    with _driver_errors("sql"):
        is_last = is_named or not _next_result(cursor)
    if not is_last and cursor.description is not None:
        raise ConfigurationError("sql: several statements return rows", advice="Leave the one query that is meant.")


def _next_result(cursor: Any) -> bool:
    """Go to the next result of several statements; not every driver knows them."""
    try:
        return bool(cursor.nextset())
    except Exception as error:
        if isinstance(error, AttributeError) or type(error).__name__ == "NotSupportedError":
            return False
        raise


def _read_values(row: Any, names: Sequence[str]) -> Sequence[Any]:
    """Read the values of a row in the order of the columns, whatever kind of row the driver returns."""
    values: Sequence[Any] = ()
    with suppress(TypeError, LookupError):
        if isinstance(row, list | tuple):
            values = row
        elif hasattr(row, "keys"):
            # Iterating would bring the names, in any order.
            return [row[name] for name in names]
        elif not isinstance(row, str | bytes | bytearray | memoryview):
            # By position and not by iterating: a set has no order, and an object may iterate over anything.
            values = [row[position] for position in range(len(row))]
    if len(values) != len(names):
        raise ConfigurationError(
            f"sql: the driver returns rows as {type(row).__name__}, which cannot be read by column",
            advice="Remove the kind of cursor from the extra of the database's connection.",
        )
    return values


@contextmanager
def _driver_errors(parameter: str) -> Iterator[None]:
    """Turn errors of a driver into ours. Their text is repeated if it is about the statement; others quote data.

    For the same reason the driver's error is no cause of ours once rows are read: it would stand in the log.
    """
    try:
        yield
    except RunMyAccountsError:
        raise
    except Exception as error:
        about_statement = type(error).__module__ == "sqlite3" or _is_a(error, "ProgrammingError")
        lines = str(error).splitlines() if about_statement else []
        text = f": {lines[0][:200]}" if lines else ""
        refused = ConfigurationError(
            f"{parameter}: the database refuses ({type(error).__name__}{text})",
            advice="Correct the query or the connection.",
            retryable=_is_passing(error),
        )
        if parameter == "sql_conn_id":
            raise refused from error
        raise refused from None


def _is_a(error: Exception, *names: str) -> bool:
    """Whether an error is of one of the classes that every driver has by PEP 249."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _is_passing(error: Exception) -> bool:
    """Whether another try may help."""
    if type(error).__module__ == "sqlite3":
        # SQLite calls a wrong statement an operational error, too.
        return any(word in str(error) for word in ("locked", "busy"))
    return isinstance(error, OSError) or _is_a(error, *_PASSING)
