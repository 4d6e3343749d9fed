"""Creating the tables and views of a warehouse with tables, and widening those of an earlier contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations import views

if TYPE_CHECKING:
    from airflow_provider_rma.ledger.destinations.sql.base import WarehouseTransaction

#: Tables for the provider itself, beside those of the contract.
_CONTRACT = contract.Table(
    "contract",
    "The version of the column contract and of the views.",
    (
        contract.Column("version", "int32", "Version of the column contract.", nullable=False),
        contract.Column("views", "text", "Version of the views.", nullable=False),
        contract.Column("written_at", "time", "When it was written.", nullable=False),
    ),
)
_CONVENTIONS = contract.Table(
    "conventions",
    "What is known of the signs of a tenant's balances.",
    (
        contract.Column("tenant", "text", "Tenant.", nullable=False),
        contract.Column("convention", "text", "JSON.", nullable=False),
        contract.Column("saved_at", "time", "When it was saved.", nullable=False),
    ),
)
OWN = {table.name: table for table in (_CONTRACT, _CONVENTIONS)}

#: Tables of which a window is looked up in many.
_INDEXED = ("postings", "postings_history", "balances", "proofs", "changes")


def prepare(session: WarehouseTransaction, location: str, *, history: bool) -> None:
    """Create what is absent, add columns of a later contract, renew the views if they are others.

    :raises ConfigurationError: a newer version of this package wrote it.
    """
    if _is_current(session, location, history=history):
        return
    wanted = [*contract.TABLES.values(), *OWN.values()] + ([contract.HISTORY] if history else [])
    # Looked up before anything is created: a database may end the transaction where a table is absent.
    present = {table.name: session.columns(table.name) for table in wanted}
    for table in wanted:
        columns = list(table.columns)
        if history and table.name == "postings":
            columns.append(contract.VALID_FROM)
        _create_or_widen(session, table.name, columns, present[table.name])
    session.renew_views()
    _record_version(session)


def _record_version(session: WarehouseTransaction) -> None:
    """Write the version into the one row of the table ``contract``, which stays the same row.

    Writers take turns by that row. If it were replaced, a writer that waits for it would find nothing to wait for, and
    go on beside the next one.
    """
    if session.select("contract", ["version"]):
        names = [session.dialect.quoted(name) for name in OWN["contract"].names]
        session.execute(
            f"UPDATE {session.name('contract')} SET {names[0]} = ?, {names[1]} = ?, {names[2]} = CURRENT_TIMESTAMP",  # noqa: S608
            [contract.CONTRACT_VERSION, views.version()],
        )
    else:
        session.add("contract", version=contract.CONTRACT_VERSION, views=views.version())


def _is_current(session: WarehouseTransaction, location: str, *, history: bool) -> bool:
    found = session.select("contract", ["version", "views"]) if session.columns("contract") else []
    stored, stored_views = found[0] if found else (0, "")
    if stored > contract.CONTRACT_VERSION:
        raise ConfigurationError(
            f"{location} was written by a newer version of this provider (column contract {stored}, this version "
            f"knows {contract.CONTRACT_VERSION}).",
            advice="Upgrade airflow-provider-rma.",
        )
    if (stored, stored_views) != (contract.CONTRACT_VERSION, views.version()):
        return False
    return not history or bool(
        session.columns("postings_history") and contract.VALID_FROM.name in session.columns("postings")
    )


def _create_or_widen(
    session: WarehouseTransaction, table: str, columns: Sequence[contract.Column], present: list[str]
) -> None:
    dialect, name = session.dialect, session.name(table)
    if not present:
        definitions = ", ".join(map(dialect.definition, columns))
        session.execute(f"CREATE TABLE {name} ({definitions}){dialect.options.get(table, '')}")
        if dialect.indexes and table in _INDEXED:
            index = dialect.quoted(f"{session.prefix}{table}_window")
            session.execute(f"CREATE INDEX {index} ON {name} ({session.names(['tenant', 'month'])})")
        return
    for column in columns:
        if column.name not in present:
            # Rows of before have no value for it, so it cannot be required here even if the contract says so.
            definition = dialect.definition(column).removesuffix(" NOT NULL")
            session.execute(f"ALTER TABLE {name} {dialect.add} {definition}")
