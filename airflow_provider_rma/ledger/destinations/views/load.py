"""Read the views from their files, and write the statements that create them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any

from airflow_provider_rma.ledger import contract

#: In the order in which they can be created: a later view may use an earlier one.
_NAMES = (
    "windows",
    "window_chains",
    "account_openings",
    "trial_balance",
    "general_ledger",
    "postings_proven",
    "account_kinds",
    "year_end_vouchers",
    "profit_and_loss",
    "balance_sheet",
    "postings_keys",
    "voucher_changes",
)
_TEXTS = {name: files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8") for name in _NAMES}

#: What each view shows, for people and for tools that list the warehouse: the first line of its file.
NOTES = {name: text.partition("\n")[0].removeprefix("-- ") for name, text in _TEXTS.items()}
#: The query of each view, without the comments of its file.
VIEWS = {
    name: "\n".join(line for line in text.splitlines() if line and not line.startswith("--"))
    for name, text in _TEXTS.items()
}


def statements() -> list[str]:
    """Write the statements that create or renew all views in the current schema."""
    return [f"CREATE OR REPLACE VIEW {name} AS\n{query}" for name, query in VIEWS.items()]


def version() -> str:
    """Return a text that changes when a view changes."""
    return hashlib.sha256("\0".join(statements()).encode()).hexdigest()[:16]


def create_views(connection: Any) -> None:
    """Create or renew all views.

    :param connection: anything with ``execute(sql)``: a DuckDB connection, a DBAPI cursor. Committing is the caller's.
    """
    for statement in statements():
        connection.execute(statement)


def replace_names(query: str, write_name: Callable[[str], str]) -> str:
    """Write the names of all tables and views that a query reads in another way; their columns keep their qualifiers.

    :param write_name: returns how a name is written, in quotes and with its schema or prefix.
    """
    names = "|".join([*contract.TABLES, *VIEWS])
    found = re.compile(rf"\b(FROM|JOIN)\s+({names})\b(?P<alias>\s+AS\b)?")

    def write(match: re.Match[str]) -> str:
        return f"{match[1]} {write_name(match[2])}{match['alias'] or f' AS {match[2]}'}"

    return found.sub(write, query)


def reads_any(view: str, others: Iterable[str]) -> bool:
    """Return whether the query of a view reads one of the others."""
    return any(re.search(rf"\b(?:FROM|JOIN)\s+{other}\b", VIEWS[view]) for other in others)
