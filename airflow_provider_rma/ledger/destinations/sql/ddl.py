"""Creating the tables and views of a warehouse with tables, and upgrading those of an earlier contract."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.sql.session import WarehouseTransaction
from airflow_provider_rma.ledger.destinations.views import load as views

#: Tables of which a window is looked up in many.
_INDEXED = ("postings", "postings_history", "balances", "proofs", "changes")


def create_or_upgrade(transaction: WarehouseTransaction, location: str, *, history: bool) -> None:
    """Create absent tables, add columns of a later contract, and renew the views if they differ.

    :raises ConfigurationError: a newer version of this package wrote the warehouse.
    """
    if _is_current(transaction, location, history=history):
        return
    wanted = [*contract.TABLES.values(), *contract.PROVIDER_TABLES.values()] + ([contract.HISTORY] if history else [])
    # Looked up before anything is created: a database may end the transaction where a table is absent.
    present = {table.name: transaction.columns(table.name) for table in wanted}
    reach("tables.looked_up")
    for table in wanted:
        columns = list(table.columns)
        if history and table.name == "postings":
            columns.append(contract.VALID_FROM)
        if present[table.name]:
            _add_columns(transaction, table.name, columns, present[table.name])
        else:
            _create_table(transaction, table.name, columns)
    transaction.renew_views()
    _record_version(transaction)


def _record_version(transaction: WarehouseTransaction) -> None:
    """Write the version into the one row of the table ``contract``, which stays the same row.

    Writers take turns by that row. If it were replaced, a writer that waits for it would find nothing to wait for, and
    go on beside the next one.
    """
    if transaction.select("contract", ["version"]):
        version, view_version, stamp = map(transaction.dialect.quote, contract.PROVIDER_TABLES["contract"].names)
        transaction.execute(
            f"UPDATE {transaction.quote_table('contract')} "  # noqa: S608 - names of ours
            f"SET {version} = ?, {view_version} = ?, {stamp} = CURRENT_TIMESTAMP",
            [contract.CONTRACT_VERSION, views.version()],
        )
    else:
        transaction.insert_row("contract", version=contract.CONTRACT_VERSION, views=views.version())


def _is_current(transaction: WarehouseTransaction, location: str, *, history: bool) -> bool:
    found = transaction.select("contract", ["version", "views"]) if transaction.columns("contract") else []
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
        transaction.columns("postings_history") and contract.VALID_FROM.name in transaction.columns("postings")
    )


def _create_table(transaction: WarehouseTransaction, table: str, columns: Sequence[contract.Column]) -> None:
    dialect, name = transaction.dialect, transaction.quote_table(table)
    definitions = ", ".join(map(dialect.define, columns))
    transaction.execute(f"CREATE TABLE {name} ({definitions}){dialect.options.get(table, '')}")
    if dialect.indexes and table in _INDEXED:
        index = dialect.quote(f"{transaction.prefix}{table}_window")
        transaction.execute(f"CREATE INDEX {index} ON {name} ({transaction.quote_columns(['tenant', 'month'])})")


def _add_columns(
    transaction: WarehouseTransaction, table: str, columns: Sequence[contract.Column], present: Sequence[str]
) -> None:
    dialect = transaction.dialect
    for column in columns:
        if column.name not in present:
            # Older rows have no value for it, so it cannot be required here even if the contract says so.
            definition = dialect.define(column, nullable=True)
            transaction.execute(f"ALTER TABLE {transaction.quote_table(table)} {dialect.add} {definition}")
