"""Creating the tables and views of a warehouse with tables, and upgrading those of an earlier contract."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.destinations.sql.session import DatabaseObject, WarehouseTransaction
from airflow_provider_rma.ledger.destinations.views import load as views

#: Tables of which a window is looked up in many.
_INDEXED = ("postings", "postings_history", "balances", "proofs", "changes")


#: Versions of the contract whose objects carry no mark.
_UNMARKED_VERSIONS = range(1, 4)
_VIEW_VERSION = re.compile(r"[0-9a-f]{16}")


def create_or_upgrade(transaction: WarehouseTransaction, location: str, *, history: bool) -> None:
    """Create absent tables, add columns of a later contract, and renew the views if they differ.

    :raises ConfigurationError: a newer version of this package wrote the warehouse; or an object that is not the
        provider's own has one of its names. Nothing was changed.
    """
    tables = _list_tables(history)
    found = transaction.find_objects([*tables, *views.VIEWS])
    unmarked = [item for item in found.values() if not item.is_marked]
    if unmarked and not _is_unmarked_warehouse(transaction, found, tables):
        raise _foreign_objects_error(location, unmarked)
    if _is_current(transaction, location, found, tables) and not unmarked:
        return
    # Looked up before anything is created: a database may end the transaction where a table is absent.
    present = {name: transaction.columns(name) if name in found else [] for name in tables}
    reach("tables.looked_up")
    for name, columns in tables.items():
        if name not in found:
            transaction.create_table(name, columns, is_indexed=name in _INDEXED)
            continue
        transaction.add_columns(name, [column for column in columns if column.name not in present[name]])
        if not found[name].is_marked:
            transaction.mark("table", name)
    transaction.renew_views()
    _record_version(transaction)


def _list_tables(history: bool) -> dict[str, list[contract.Column]]:
    """Return the columns of each table that the warehouse needs."""
    wanted = [*contract.TABLES.values(), *contract.PROVIDER_TABLES.values(), *([contract.HISTORY] if history else [])]
    tables = {table.name: list(table.columns) for table in wanted}
    if history:
        tables["postings"].append(contract.VALID_FROM)
    return tables


def _is_unmarked_warehouse(
    transaction: WarehouseTransaction,
    found: Mapping[str, DatabaseObject],
    tables: Mapping[str, Sequence[contract.Column]],
) -> bool:
    """Return whether what carries no mark was made by a version of this package that set none.

    It wrote its version into the table ``contract``, and every table has the columns that it required.
    """
    versions = found.get("contract")
    names = contract.PROVIDER_TABLES["contract"].names
    if versions is None or versions.is_marked or sorted(transaction.columns("contract")) != sorted(names):
        return False
    rows = transaction.select("contract", ["version", "views"])
    if len(rows) != 1 or rows[0][0] not in _UNMARKED_VERSIONS or not _VIEW_VERSION.fullmatch(str(rows[0][1])):
        return False
    for name, item in found.items():
        required = {column.name for column in tables.get(name, ()) if not column.nullable}
        if item.kind != ("table" if name in tables else "view") or not required <= set(transaction.columns(name)):
            return False
    return True


def _foreign_objects_error(location: str, objects: Sequence[DatabaseObject]) -> ConfigurationError:
    names = ", ".join(sorted(map(str, objects)))
    return ConfigurationError(
        f"{location} already has objects that this provider did not create, under names that it needs: {names}. "
        "Nothing was changed.",
        advice="Give the warehouse a schema of its own (?schema=…; in other databases ?table_prefix=…, for Parquet "
        "another folder), or rename these objects.",
    )


def _record_version(transaction: WarehouseTransaction) -> None:
    """Write the version into the one row of the table ``contract``, which stays the same row.

    Writers take turns by that row. If it were replaced, a writer that waits for it would find nothing to wait for, and
    go on beside the next one.
    """
    values = {"version": contract.CONTRACT_VERSION, "views": views.version()}
    if transaction.select("contract", ["version"]):
        transaction.update_rows("contract", **values)
    else:
        transaction.insert_row("contract", **values)


def _is_current(
    transaction: WarehouseTransaction,
    location: str,
    found: Mapping[str, DatabaseObject],
    tables: Mapping[str, Sequence[contract.Column]],
) -> bool:
    rows = transaction.select("contract", ["version", "views"]) if "contract" in found else []
    stored, stored_views = rows[0] if rows else (0, "")
    if stored > contract.CONTRACT_VERSION:
        raise ConfigurationError(
            f"{location} was written by a newer version of this provider (column contract {stored}, this version "
            f"knows {contract.CONTRACT_VERSION}).",
            advice="Upgrade airflow-provider-rma.",
        )
    if (stored, stored_views) != (contract.CONTRACT_VERSION, views.version()):
        return False
    needed = {*tables, *views.VIEWS} if transaction.takes_all_views else set(tables)
    if not needed <= found.keys():
        return False
    return contract.HISTORY.name not in tables or contract.VALID_FROM.name in transaction.columns("postings")
