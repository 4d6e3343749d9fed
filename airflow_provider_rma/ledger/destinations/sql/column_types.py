"""The tables of the contract for SQLAlchemy, with types that keep every value as it is in any database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.sql.session import MARK

#: Columns that identify a row; they are compared and indexed, which some databases cannot do with long texts.
_IDENTIFYING = ("tenant", "accno", "load_id", "module")
_IDENTIFYING_LENGTH = 255


class ExactText(TypeDecorator[str]):
    """A text that is compared byte by byte.

    MySQL, MariaDB and SQL Server take ``acme`` and ``Acme``, or ``mueller-ag`` and ``mueller-äg``, for the same unless
    a column says otherwise; MySQL and MariaDB also keep what does not fit the character set of the database only where
    the column has one of its own.

    :param length: characters at most; None for any length.
    """

    impl = sqlalchemy.Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        length = self.length
        kind: TypeEngine[Any] = sqlalchemy.String(length) if length else sqlalchemy.Text()
        if dialect.name in ("mysql", "mariadb"):
            # Other binary collations ignore spaces at the end.
            binary = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            options = {"charset": "utf8mb4", "collation": binary}
            kind = mysql.VARCHAR(length, **options) if length else mysql.LONGTEXT(**options)
        elif dialect.name == "mssql":
            kind = mssql.NVARCHAR(length or "max", collation="Latin1_General_100_BIN2")  # type: ignore[arg-type]
        elif dialect.name in ("sqlite", "postgresql"):
            kind = sqlalchemy.Text()
        return dialect.type_descriptor(kind)


class ExactAmount(TypeDecorator[Decimal]):
    """An amount: a decimal, and a text where the database or its driver computes with floats."""

    impl = sqlalchemy.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if _keeps_decimals(dialect):
            return dialect.type_descriptor(sqlalchemy.Numeric(contract.PRECISION, contract.SCALE))
        return dialect.type_descriptor(sqlalchemy.Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return value if value is None or _keeps_decimals(dialect) else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value))


class Day(TypeDecorator[date]):
    """A calendar day; a text in SQLite, which has no type for it."""

    impl = sqlalchemy.Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sqlalchemy.Text() if dialect.name == "sqlite" else sqlalchemy.Date())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        return value.isoformat() if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        return None if value is None else read_date(value)


class Instant(TypeDecorator[datetime]):
    """A point in time, in UTC; without a time zone where the database has no type with one."""

    impl = sqlalchemy.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = sqlalchemy.DateTime(timezone=True)
        if dialect.name == "sqlite":
            kind = sqlalchemy.Text()
        elif dialect.name in ("mysql", "mariadb"):
            kind = mysql.DATETIME(fsp=6)
        elif dialect.name == "mssql":
            kind = mssql.DATETIME2(6)  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return moment.isoformat(sep=" ", timespec="microseconds")
        return moment.replace(tzinfo=None) if dialect.name in ("mysql", "mariadb", "mssql") else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else read_time(value)


def _keeps_decimals(dialect: Dialect) -> bool:
    # For what it does not know to take decimals, SQLAlchemy would bind floats.
    return bool(dialect.supports_native_decimal) or dialect.name in ("oracle", "postgresql")


def read_date(value: Any) -> date:
    """Read a day that a driver returns as a date, a date-time or a text."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def read_time(value: Any) -> datetime:
    """Read a point in time that a driver returns as a date-time or a text; without a time zone it is in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


#: By type of the contract, except texts.
_TYPES: dict[str, TypeEngine[Any]] = {
    "date": Day(),
    "money": ExactAmount(),
    "int64": sqlalchemy.BigInteger(),
    "int32": sqlalchemy.Integer(),
    "int16": sqlalchemy.SmallInteger(),
    "float64": sqlalchemy.Float(53).with_variant(oracle.BINARY_DOUBLE(), "oracle"),
    "bool": sqlalchemy.Boolean(),
    "time": Instant(),
}


def declare_column(column: contract.Column, *, nullable: bool | None = None) -> sqlalchemy.Column[Any]:
    """Declare a column of the contract.

    :param nullable: whether it may be null; None for what the contract says.
    """
    text = ExactText(_IDENTIFYING_LENGTH if column.name in _IDENTIFYING else None)
    kind = text if column.type == "text" else _TYPES[column.type]
    return sqlalchemy.Column(
        column.name, kind, nullable=column.nullable if nullable is None else nullable, autoincrement=False, quote=True
    )


def declare_table(name: str, columns: Iterable[contract.Column]) -> sqlalchemy.Table:
    """Declare a table, under its name in the database. It is created with its mark where one statement does both."""
    return sqlalchemy.Table(
        name, sqlalchemy.MetaData(), *map(declare_column, columns), quote=True, comment=MARK, mysql_engine="InnoDB"
    )


def declare_tables(prefix: str) -> dict[str, sqlalchemy.Table]:
    """Declare all tables that a warehouse may have, by their names in the contract."""
    dated = replace_columns(contract.TABLES["postings"], contract.VALID_FROM)
    known = {**contract.TABLES, **contract.PROVIDER_TABLES, contract.HISTORY.name: contract.HISTORY, "postings": dated}
    return {name: declare_table(prefix + name, table.columns) for name, table in known.items()}


def replace_columns(table: contract.Table, *more: contract.Column) -> contract.Table:
    """Return a table with more columns."""
    return contract.Table(table.name, table.grain, (*table.columns, *more))
