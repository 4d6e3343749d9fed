"""Warehouses by their address, with what Airflow's connections know of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, ObjectStoragePath
from sqlalchemy.engine import URL

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.lookup import connect_by_psycopg, get_connection
from airflow_provider_rma.ledger.destinations.address import refuse_credentials
from airflow_provider_rma.ledger.destinations.open import is_database, open_destination

if TYPE_CHECKING:
    from airflow_provider_rma.ledger.destinations.base import Destination


def open_warehouse(address: str, conn_id: str | None = None, *, history: bool = False) -> Destination:
    """Return the destination of a ledger extract.

    :param address: see :func:`~airflow_provider_rma.ledger.destinations.open.open_destination`; or ``conn://ID`` for
        the database of an Airflow connection, optionally with ``?schema=…`` (PostgreSQL) or ``?table_prefix=…``.
    :param conn_id: Airflow connection of an object storage.
    :param history: keep superseded postings.
    :raises ConfigurationError: the address names no destination, the provider of the connection's type is not
        installed, or the address holds credentials: Airflow shows it to everybody who may see the task.
    """
    refuse_credentials(address, is_database=is_database(address))
    if address.startswith("conn://"):
        return _open_connection(address, history)
    if "://" not in address or address.startswith(("duckdb:", "parquet:")):
        return open_destination(address, history=history)
    if is_database(address):
        return open_destination(address, history=history)
    folder = ObjectStoragePath(address, conn_id=conn_id)
    return open_destination(folder.path, fs=folder.fs, history=history)


def _open_connection(address: str, history: bool) -> Destination:
    conn_id, mark, options = address.removeprefix("conn://").partition("?")
    connection: Any = get_connection(conn_id)
    try:
        hook = connection.get_hook()
    except AirflowException as error:
        raise ConfigurationError(
            f"The connection {conn_id} has the type {connection.conn_type}, and no installed Airflow provider has it",
            advice="Install the provider of the database, e.g. apache-airflow-providers-mysql, on the workers.",
        ) from error
    if not hasattr(hook, "dialect_name") or not hasattr(hook, "get_conn"):
        raise ConfigurationError(
            f"The connection {conn_id} is not one of a database.", advice="Name a connection that can run SQL."
        )
    url = URL.create(hook.dialect_name, host=connection.host, port=connection.port, database=connection.schema)
    connect = partial(connect_by_psycopg, hook) if url.get_backend_name() == "postgresql" else hook.get_conn
    return open_destination(f"{url.render_as_string()}{mark}{options}", connect=connect, history=history)
