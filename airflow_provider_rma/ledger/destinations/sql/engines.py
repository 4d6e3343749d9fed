"""SQLAlchemy on a connection that a hook or a driver has made."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from airflow_provider_rma.exceptions import ConfigurationError

#: What SQLAlchemy calls a driver, by the module of the driver.
_DRIVERS = {
    "MySQLdb": "mysqldb",
    "cx_Oracle": "cx_oracle",
    "mysql.connector": "mysqlconnector",
    "oracledb": "oracledb",
    "pg8000": "pg8000",
    "psycopg": "psycopg",
    "psycopg2": "psycopg2",
    "pymssql": "pymssql",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
    "sqlite3": "pysqlite",
}
_STYLES = ("qmark", "numeric", "named", "format", "pyformat")


def wrap_connection(connection: Any, dialect: str, paramstyle: str | None) -> Engine:
    """Return an engine whose only connection is the one given.

    :param connection: a DBAPI connection without autocommit.
    :param dialect: name of the dialect as SQLAlchemy knows it.
    :param paramstyle: style of parameters (PEP 249), where the driver's module does not tell.
    :raises ConfigurationError: it is not a DBAPI connection, or SQLAlchemy does not know the dialect.
    """
    module = find_driver(connection)
    style = paramstyle or module.paramstyle
    if style not in _STYLES:
        raise ConfigurationError(f"The paramstyle {style} is none of PEP 249.", advice="Give the driver's own.")
    if style == "numeric" and sqlalchemy.__version__.startswith("1."):
        raise ConfigurationError(
            "SQLAlchemy 1.4 cannot write the paramstyle numeric.",
            advice="Give another paramstyle that the driver takes (qmark, named), or use SQLAlchemy 2.",
        )
    driver = _DRIVERS.get(module.__name__)
    _prepare(connection, dialect)
    try:
        return sqlalchemy.create_engine(
            URL.create(f"{dialect}+{driver}" if driver else dialect),
            creator=lambda: connection,
            module=module,
            paramstyle=style,
            future=True,
            poolclass=NullPool,
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"SQLAlchemy does not know the dialect {dialect} with the driver {module.__name__}.",
            advice="Install the dialect of SQLAlchemy for this database, or use DuckDB, Parquet or PostgreSQL.",
        ) from error


def find_driver(connection: Any) -> ModuleType:
    """Find the module of PEP 249 that a connection comes from.

    :raises ConfigurationError: there is none.
    """
    for base in type(connection).__mro__:
        parts = base.__module__.split(".")
        for length in range(len(parts), 0, -1):
            module = sys.modules.get(".".join(parts[:length]))
            if module is not None and hasattr(module, "paramstyle") and hasattr(module, "Error"):
                return module
    raise ConfigurationError(
        f"{type(connection).__module__} is no module of PEP 249.", advice="Give a factory of DBAPI connections."
    )


def _prepare(connection: Any, dialect: str) -> None:
    """Make the connection take every character, and refuse what does not fit instead of cutting it off."""
    if dialect not in ("mysql", "mariadb"):
        return
    for name in ("set_character_set", "set_charset_collation"):
        if hasattr(connection, name):
            getattr(connection, name)("utf8mb4")
            break
    cursor = connection.cursor()
    # `||` joins texts in the views.
    cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,STRICT_ALL_TABLES')")
    cursor.close()
