"""Which destination an address names. Only this module imports the packages of a warehouse, when its address is opened.

>>> with open_destination("duckdb:///warehouse.duckdb") as destination:           # doctest: +SKIP
...     with destination.stage("acme", window) as stage:
...         for batch in batches:
...             stage.write(batch)
...         stage.commit(WindowTables(proofs=proofs, load=load, balances=balances))
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import fsspec
import sqlalchemy
from fsspec.registry import known_implementations
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger.extras import translate_import_error

if TYPE_CHECKING:
    from airflow_provider_rma.ledger.destinations.base import Destination

#: Seconds to wait for a DuckDB file, or for a window in a database, that another process holds.
LOCK_TIMEOUT = 120.0
#: Schema in PostgreSQL and DuckDB, and the beginning of the names of tables in other databases.
SCHEMA, TABLE_PREFIX = "rma", "rma_"
_NAMES = {"schema": re.compile(r"\w[\w -]{0,39}"), "table_prefix": re.compile(r"\w{0,40}")}


def open_destination(
    url: str,
    *,
    fs: fsspec.AbstractFileSystem | None = None,
    connect: Callable[[], Any] | None = None,
    schema: str = SCHEMA,
    table_prefix: str = TABLE_PREFIX,
    history: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Destination:
    """Return the destination that an address names. Nothing is connected or created before it is entered with ``with``.

    =============================================  ================================================================
    ``duckdb:///folder/ledger.duckdb``             one DuckDB file, relative; ``duckdb:////data/…`` absolute
    ``folder/ledger.duckdb``, ``/data/l.duckdb``   the same: a path that ends in ``.duckdb``
    ``parquet:///folder``, ``parquet:////data``    Parquet files below a local folder, relative or absolute
    ``s3://bucket/folder``, ``gs://…``, ``file:``  Parquet files on any file system that fsspec knows
    any path, with ``fs``                          Parquet files below that path of the file system
    ``postgresql://host/database``                 PostgreSQL, by COPY
    ``sqlite:///file.db``, ``mysql+driver://…``    any other database that SQLAlchemy knows, by DBAPI
    =============================================  ================================================================

    :param url: the address. Only that of a database may hold credentials; they appear in no message or ``location``.
    :param fs: an fsspec file system, for Parquet.
    :param connect: returns a new connection to the database, without autocommit: of psycopg 3 for PostgreSQL, of any
        DBAPI driver for others. Then ``url`` needs no credentials and only says which database it is, and where.
    :param schema: schema in PostgreSQL or DuckDB; ``?schema=…`` in the address says the same.
    :param table_prefix: beginning of the names of tables and views in other databases, or ``?table_prefix=…``.
    :param history: keep superseded postings in ``postings_history``.
    :param lock_timeout: seconds to wait for a DuckDB file that another process holds, for another load of the same
        window in PostgreSQL, and for a SQLite file.
    :raises ConfigurationError: the address names no destination, or an extra is not installed.
    """
    scheme, separator, rest = url.partition(":")
    if fs is not None:
        return _parquet(fs, url, history)
    if scheme == "duckdb" and separator:
        return _duckdb(*_split_schema(_local_path(rest), schema), lock_timeout, history)
    if "://" not in url and url.endswith(".duckdb"):
        return _duckdb(url, schema, lock_timeout, history)
    if is_database(url):
        return _database(
            url, connect, schema=schema, table_prefix=table_prefix, history=history, lock_timeout=lock_timeout
        )
    return _parquet(*_find_files(url), history)


def is_database(url: str) -> bool:
    """Return whether an address is that of a database that SQLAlchemy may know, not of a file or file system."""
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme not in ("duckdb", "parquet") and scheme not in known_implementations


# ---------------------------------------------------------------------- files


def _split_schema(path: str, schema: str) -> tuple[str, str]:
    """Split the path of a DuckDB file and the schema that its address names."""
    file, mark, query = path.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if mark and set(options) != {"schema"}:
        raise ConfigurationError(
            "The address of a DuckDB file takes the option schema alone.",
            advice="Use duckdb:///path/to/file.duckdb?schema=rma, and write %3F for a question mark in the path.",
        )
    return unquote(file) if mark else path, options.get("schema", schema)


def _duckdb(path: str, schema: str, lock_timeout: float, history: bool) -> Destination:
    with translate_import_error("duckdb"):
        from airflow_provider_rma.ledger.destinations.sql.duckdb import DuckDbDestination
    _check_name("schema", schema)
    return DuckDbDestination(path, schema=schema, lock_timeout=lock_timeout, history=history)


def _check_name(option: str, name: str) -> None:
    """Check the name of a schema or the beginning of the names of tables.

    :raises ConfigurationError: it is too long or has characters that make trouble in SQL and in shells.
    """
    if not _NAMES[option].fullmatch(name):
        raise ConfigurationError(
            f"{option} is not a name: {name[:60]!r}.",
            advice="Use at most 40 letters, digits and underscores, in a schema also spaces and hyphens.",
        )


def _parquet(fs: fsspec.AbstractFileSystem, path: str, history: bool) -> Destination:
    with translate_import_error("parquet"):
        from airflow_provider_rma.ledger.destinations.parquet.destination import ParquetDestination
    return ParquetDestination(fs, path, history=history)


def _find_files(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of an address, and the path on it."""
    scheme, separator, rest = url.partition(":")
    if scheme == "parquet" and separator:
        url = f"file://{os.path.abspath(_local_path(rest))}"
    elif "://" not in url:
        raise ConfigurationError(
            "The address of the destination is not understood.",
            advice="Use duckdb:///path/to/file.duckdb, parquet:///path/to/folder, s3://bucket/folder, or "
            "postgresql://host/database.",
        )
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"No file system answers to {scheme}://.",
            advice="Use duckdb:///…, parquet:///…, or a scheme that fsspec knows, with its package installed.",
        ) from error
    return fs, path


def _local_path(rest: str) -> str:
    path = rest.removeprefix("///") if rest.startswith("///") else rest
    if not path or path.startswith("//"):
        raise ConfigurationError(
            "The address of the destination names no local path.",
            advice="Three slashes begin a relative path, four an absolute one: duckdb:////data/ledger.duckdb",
        )
    return path


# ---------------------------------------------------------------------- databases


def _database(
    address: str,
    connect: Callable[[], Any] | None,
    *,
    schema: str,
    table_prefix: str,
    history: bool,
    lock_timeout: float,
) -> Destination:
    url = _parse(address)
    schema = str(url.query.get("schema", schema))
    table_prefix = str(url.query.get("table_prefix", table_prefix))
    _check_name("schema", schema)
    _check_name("table_prefix", table_prefix)
    url = url.difference_update_query(["schema", "table_prefix"])
    name = url.get_backend_name()
    if name in ("postgres", "postgresql"):
        with translate_import_error("postgres"):
            from airflow_provider_rma.ledger.destinations.sql.postgres import PostgresDestination
        return PostgresDestination(
            connect or _psycopg(url),
            f"{_without_secrets(url, 'postgresql')}?schema={schema}",
            schema=schema,
            lock_timeout=lock_timeout,
            history=history,
        )
    with translate_import_error("parquet"):
        from airflow_provider_rma.ledger.destinations.sql.generic import DbapiDestination
    location = _without_secrets(url, name)
    return DbapiDestination(
        connect or _driver(url, location, lock_timeout), name, location, table_prefix=table_prefix, history=history
    )


def _parse(address: str) -> URL:
    try:
        return make_url(address)
    except (ArgumentError, ValueError):
        # The address may hold a password, and the error may quote it.
        raise ConfigurationError(
            "The address of the database is not understood.", advice="Use postgresql://host:port/database."
        ) from None


def _without_secrets(url: URL, name: str) -> str:
    """Write an address without user, password and options."""
    return URL.create(name, host=url.host, port=url.port, database=url.database).render_as_string()


def _psycopg(url: URL) -> Callable[[], Any]:
    import psycopg

    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return lambda: psycopg.connect(conninfo)


def _driver(url: URL, location: str, lock_timeout: float) -> Callable[[], Any]:
    """Return what makes new connections of the driver that SQLAlchemy has for an address."""
    try:
        dialect: Any = sqlalchemy.create_engine(url).dialect
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"There is no driver for {url.drivername}://.",
            advice="Install the database's driver and its dialect of SQLAlchemy, or correct the address.",
        ) from error
    options = {"timeout": lock_timeout} if url.get_backend_name() == "sqlite" else {}

    def connect() -> Any:
        # Straight from the driver: SQLAlchemy's pools and transactions are not wanted.
        positional, named = dialect.create_connect_args(url)
        try:
            return dialect.connect(*positional, **{**named, **options})
        except dialect.dbapi.Error as error:
            raise DestinationError(
                f"{location} did not answer ({type(error).__name__}).",
                advice="Check the address, user and password, and whether the database runs.",
                retryable=True,
            ) from error

    return connect
