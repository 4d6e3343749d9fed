"""Read rows from any database that Airflow has a connection to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_rma.exceptions import ConfigurationError


def query(conn_id: str, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None) -> Iterator[dict[str, Any]]:
    """Read the rows of a query by cursor, a thousand at a time.

    :param conn_id: Airflow connection of a database.
    :raises ConfigurationError: if the connection leads to no database, or two columns have the same name.
    """
    connection: Any = BaseHook.get_connection(conn_id)
    hook = connection.get_hook()
    if not hasattr(hook, "get_cursor"):
        raise ConfigurationError(
            f"sql_conn_id: {conn_id!r} is no connection of a database", advice="Name a connection that can run SQL."
        )
    with closing(hook.get_conn()) as database, closing(database.cursor()) as cursor:
        cursor.execute(sql, parameters) if parameters is not None else cursor.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or not names:
            problem = f"columns named twice: {', '.join(repeated)}" if repeated else "the statement returns no rows"
            raise ConfigurationError(
                f"sql: {problem}",
                advice="Name each column once, as RMA names the field.",
            )
        while rows := cursor.fetchmany(1_000):
            yield from (dict(zip(names, row, strict=True)) for row in rows)
