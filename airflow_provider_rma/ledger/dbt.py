"""The warehouse as a source of dbt: ``sources.yml`` made from the column contract, so that it never says otherwise.

The form is that of dbt 1.10 and later (``data_tests``, ``arguments``, freshness under ``config``). No package of dbt is
needed unless ``dbt_utils`` is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from airflow_provider_rma.ledger.contract import CHANGE_KINDS, CONTRACT_VERSION, TABLES, Column, Table
from airflow_provider_rma.ledger.destinations.views.load import NOTES
from airflow_provider_rma.ledger.proof.accounts import AccountKind
from airflow_provider_rma.ledger.proof.verdicts import PROVEN, Verdict

#: The command that writes the file.
COMMAND = "rma ledger dbt-sources"

#: Columns that together identify a row.
KEYS = {
    "accounts": ("tenant", "accno"),
    "balances": ("tenant", "month", "accno"),
    "proofs": ("tenant", "month", "accno", "loaded"),
    "loads": ("load_id", "tenant", "month"),
    "changes": ("load_id", "tenant", "month", "module", "voucher_id"),
}

#: Characters of a line, so that descriptions are not wrapped.
_WIDTH = 10_000

_VERDICTS = [verdict.value for verdict in Verdict]
#: Values that a column may have, by table and column.
VALUES: dict[tuple[str, str], list[str]] = {
    ("accounts", "kind"): [kind.value for kind in AccountKind],
    ("accounts", "kind_source"): ["first_digit", "mapping"],
    ("balances", "basis"): ["to", "from_to"],
    ("proofs", "verdict"): _VERDICTS,
    ("loads", "verdict"): _VERDICTS,
    ("changes", "change"): list(CHANGE_KINDS),
}

#: Columns of views that are worth a test: name, meaning, tests.
_VIEW_COLUMNS: dict[str, tuple[tuple[str, str, tuple[Any, ...]], ...]] = {
    "windows": (
        (
            "verdict",
            "Verdict on what is loaded; null if nothing is. A warning: some month is loaded and not proven.",
            (
                {
                    "accepted_values": {
                        "arguments": {"values": [verdict.value for verdict in Verdict if verdict in PROVEN]},
                        "config": {"severity": "warn"},
                    }
                },
            ),
        ),
    ),
    "postings_keys": (
        ("line_hash", "Key of a line that stays when its voucher is saved again.", ("not_null", "unique")),
    ),
}


def sources_yml(
    *,
    source: str = "rma",
    schema: str = "rma",
    database: str = "",
    table_prefix: str = "",
    warn_after_hours: int = 36,
    error_after_hours: int = 72,
    dbt_utils: bool = False,
) -> str:
    """Write the text of a ``sources.yml``: every table and view, with meaning, tests, and freshness of ``loads``.

    :param source: name of the source in dbt.
    :param schema: schema in which the tables are: ``rma`` by default in PostgreSQL and in a DuckDB file.
    :param database: database, where dbt needs one (the name of an attached DuckDB file, for example).
    :param table_prefix: what the names of tables and views begin with, as given to the destination.
    :param warn_after_hours: hours since the last window that was loaded, after which freshness warns.
    :param error_after_hours: likewise, after which it fails.
    :param dbt_utils: add tests of combined keys, which need the package ``dbt_utils`` in the project.
    """
    freshness = {
        "loaded_at_field": "finished_at",
        "freshness": {
            "warn_after": {"count": warn_after_hours, "period": "hour"},
            "error_after": {"count": error_after_hours, "period": "hour"},
            # An attempt that was refused makes nothing fresher.
            "filter": "loaded",
        },
    }
    listed = [
        *(_describe_table(table, table_prefix, freshness, dbt_utils=dbt_utils) for table in TABLES.values()),
        *(_describe_view(name, note, table_prefix) for name, note in NOTES.items()),
    ]
    about = f"Ledger of Run my Accounts, column contract {CONTRACT_VERSION}. Debit is negative in raw amounts."
    place = {"database": database} if database else {}
    content = {
        "version": 2,
        "sources": [{"name": source, "description": about, **place, "schema": schema, "tables": listed}],
    }
    return f"# Made by: {COMMAND}\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=_WIDTH)}"


def _describe_table(table: Table, prefix: str, freshness: Mapping[str, Any], *, dbt_utils: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": table.name, **_identifier(table.name, prefix), "description": table.grain}
    if table.name == "loads":
        entry["config"] = freshness
    key = KEYS.get(table.name)
    if dbt_utils and key:
        unique = {"arguments": {"combination_of_columns": list(key)}}
        entry["data_tests"] = [{"dbt_utils.unique_combination_of_columns": unique}]
    entry["columns"] = [_describe_column(table.name, column) for column in table.columns]
    return entry


def _describe_column(table: str, column: Column) -> dict[str, Any]:
    tests: list[Any] = [] if column.nullable else ["not_null"]
    values = VALUES.get((table, column.name))
    if values:
        tests.append({"accepted_values": {"arguments": {"values": values}}})
    return {"name": column.name, "description": column.note, **({"data_tests": tests} if tests else {})}


def _describe_view(name: str, note: str, prefix: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, **_identifier(name, prefix), "description": note}
    columns = [
        {"name": column, "description": meaning, "data_tests": list(tests)}
        for column, meaning, tests in _VIEW_COLUMNS.get(name, ())
    ]
    return {**entry, "columns": columns} if columns else entry


def _identifier(name: str, prefix: str) -> dict[str, str]:
    return {"identifier": prefix + name} if prefix else {}
