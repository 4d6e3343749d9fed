"""Databases by their address, as SQLAlchemy writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from airflow_provider_rma.ledger.destinations import Destination


def open_database(
    address: str,
    connect: Callable[[], Any] | None,
    *,
    schema: str,
    table_prefix: str,
    history: bool,
    lock_timeout: float,
) -> Destination:
    """See :func:`.open_destination`."""
    url = _understood(address)
    schema = str(url.query.get("schema", schema))
    table_prefix = str(url.query.get("table_prefix", table_prefix))
    url = url.difference_update_query(["schema", "table_prefix"])
    name = url.get_backend_name()
    if name in ("postgres", "postgresql"):
        from airflow_provider_rma.ledger.destinations.sql.postgres import PostgresDestination

        return PostgresDestination(
            connect or _psycopg(url),
            f"{_place(url, 'postgresql')}?schema={schema}",
            schema=schema,
            lock_timeout=lock_timeout,
            history=history,
        )
    from airflow_provider_rma.ledger.destinations.sql.generic import DbapiDestination

    return DbapiDestination(
        connect or _through_sqlalchemy(url, _place(url, name), lock_timeout),
        name,
        _place(url, name),
        table_prefix=table_prefix,
        history=history,
    )


def _understood(address: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(address)
    except (ArgumentError, ValueError):
        # The address may hold a password, and the error may quote it.
        raise ConfigurationError(
            "The address of the database is not understood.", advice="Use postgresql://host:port/database."
        ) from None


def _place(url: URL, name: str) -> str:
    """Where it is, without user, password and options."""
    return type(url).create(name, host=url.host, port=url.port, database=url.database).render_as_string()


def _psycopg(url: URL) -> Callable[[], Any]:
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def connect() -> Any:
        from airflow_provider_rma.ledger._pyarrow import psycopg

        return psycopg().connect(conninfo)

    return connect


def _through_sqlalchemy(url: URL, place: str, lock_timeout: float) -> Callable[[], Any]:
    import sqlalchemy
    from sqlalchemy.exc import NoSuchModuleError

    try:
        dialect: Any = sqlalchemy.create_engine(url).dialect
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"There is no driver for {url.drivername}://.",
            advice="Install the database's driver and its dialect of SQLAlchemy, or correct the address.",
        ) from error
    more = {"timeout": lock_timeout} if url.get_backend_name() == "sqlite" else {}

    def connect() -> Any:
        # Straight from the driver: nothing of SQLAlchemy's pools and transactions is wanted.
        positional, named = dialect.create_connect_args(url)
        try:
            return dialect.connect(*positional, **{**named, **more})
        except dialect.dbapi.Error as error:
            raise DestinationError(
                f"{place} did not answer ({type(error).__name__}).",
                advice="Check the address, user and password, and whether the database runs.",
                retryable=True,
            ) from error

    return connect
