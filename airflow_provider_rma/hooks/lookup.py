"""Connections that Airflow has: the same to the callers with every version of Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_rma.ledger.extras import translate_import_error

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


def get_connection(conn_id: str) -> Connection:
    """Look up a connection of Airflow.

    Outside a task, Airflow 3.1 asks a supervisor that does not exist there for what it has not found.

    :raises AirflowNotFoundException: Airflow has no connection of this id that can be read.
    """
    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except ImportError as error:
        if "SUPERVISOR_COMMS" not in str(error):
            raise
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined") from error
    return connection


def connect_by_psycopg(hook: Any) -> Any:
    """Return a new connection of psycopg 3 to the database of a hook for PostgreSQL.

    With SQLAlchemy 1.4, the one of Airflow 3.1, such hooks connect by psycopg2. What the hook has connected with (also
    a token made a moment ago) is taken from its connection then.

    :raises ConfigurationError: psycopg 3 is not installed.
    """
    connection = hook.get_conn()
    if not hasattr(connection, "get_dsn_parameters"):
        return connection
    try:
        parameters, password = connection.get_dsn_parameters(), connection.info.password
    finally:
        connection.close()
    with translate_import_error("postgres"):
        import psycopg
    # The libraries below the two drivers may differ in version, and so in the options that they know.
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    options = {name: value for name, value in parameters.items() if name in known}
    return psycopg.connect(**{**options, "password": password or None})
