"""SQL types and values of the databases that are reached through the Python database interface (DBAPI, PEP 249)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from airflow_provider_rma.ledger.destinations.sql.session import Dialect


@dataclass(frozen=True)
class DbapiDialect(Dialect):
    """A dialect, with what a driver needs.

    :param begin: statement that begins a transaction that will write; most drivers begin by themselves.
    :param values: by type of the contract, how a value is converted for the driver. Null stays null.
    """

    begin: str = ""
    values: dict[str, Callable[[Any], Any]] = field(default_factory=dict)


def _to_naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


#: By name of the dialect in SQLAlchemy; tested are SQLite and PostgreSQL.
DIALECTS: dict[str, DbapiDialect] = {
    # SQLite computes with floats, so amounts are texts; it has no types for days and moments either.
    "sqlite": DbapiDialect(
        types={"text": "TEXT", "date": "TEXT", "money": "TEXT", "time": "TEXT"},
        # A transaction that reads first and then wants to write would fail instead of waiting.
        begin="BEGIN IMMEDIATE",
        values={
            "date": lambda day: day.isoformat(),
            "money": lambda amount: format(amount, "f"),
            "time": lambda moment: _to_naive_utc(moment).isoformat(sep=" ", timespec="microseconds") + "+00:00",
            "bool": int,
        },
    ),
    "postgresql": DbapiDialect(),
    "mysql": DbapiDialect(
        types={"text": "LONGTEXT", "time": "DATETIME(6)", "float64": "DOUBLE"},
        lookup="VARCHAR(255)",
        quotes=("`", "`"),
        values={"time": _to_naive_utc},
    ),
    "mssql": DbapiDialect(
        types={"text": "NVARCHAR(MAX)", "time": "DATETIME2(6)", "float64": "FLOAT(53)", "bool": "BIT"},
        lookup="NVARCHAR(255)",
        quotes=("[", "]"),
        add="ADD",
        values={"time": _to_naive_utc},
    ),
}
DIALECTS["mariadb"] = DIALECTS["mysql"]
#: Any other: the names of the SQL standard, and no index.
STANDARD = DbapiDialect(indexes=False)


def read_date(value: Any) -> date:
    """Read a day that a driver returns as a date, a date-time or a text."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def read_time(value: Any) -> datetime:
    """Read a moment that a driver returns as a date-time or a text; without a time zone it is in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


#: By type of the contract, how a value of the driver is read. Amounts only pass as decimals or texts.
READ: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "date": read_date,
    "money": lambda value: Decimal(str(value)),
    "int64": int,
    "int32": int,
    "int16": int,
    "float64": float,
    "bool": bool,
    "time": read_time,
}
