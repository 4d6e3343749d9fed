"""Rows that were written under another spelling of their service or their number move to the canonical one.

Two spellings of one origin (``rma.example:443``), or of one number, were once two rows. A row that a run does not find
is a document that it may send again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.tables import EVENT, JOURNAL
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import ConfigurationError

#: Of two rows about one document the one that allows less is kept: first those that are never sent again.
_STRICTEST = (
    JournalState.CREATED,
    JournalState.BLOCKED,
    JournalState.UNKNOWN,
    JournalState.CLAIMED,
    JournalState.REJECTED,
    JournalState.RELEASED,
)
_KEY = ("base_url", "tenant", "kind", "key")
#: The columns that the table has at this step of migration.
_COLUMNS = [column for column in JOURNAL.c if column.name != "evidence_seq"]


def normalize_origin(text: str) -> str:
    """Return the origin of a service as connections name it; the text itself if no connection can have it."""
    try:
        return ClientConfig(tenant="any", token="none", host=text, allow_http=True).origin  # noqa: S106 - not sent
    except ConfigurationError:
        return text


def move_rows_to_canonical_keys(connection: sa.engine.Connection) -> None:
    """Move rows and their events to the canonical origin and the normal form of their number."""
    for row in list(_find_misplaced(connection)):
        key = {name: row[name] for name in _KEY}
        target = key | {"base_url": normalize_origin(row["base_url"]), "key": normalize_number(row["number"])}
        present = connection.execute(sa.select(*_COLUMNS).where(*_is_at(JOURNAL, target))).mappings().first()
        if present is None:
            for table in (JOURNAL, EVENT):
                connection.execute(sa.update(table).where(*_is_at(table, key)).values(**target))
        else:
            _merge(connection, row, dict(present), target)
            connection.execute(sa.delete(JOURNAL).where(*_is_at(JOURNAL, key)))


def _find_misplaced(connection: sa.engine.Connection) -> Iterator[dict[str, Any]]:
    origins: dict[str, str] = {}
    for row in connection.execute(sa.select(*_COLUMNS)).mappings():
        origin = row["base_url"]
        canonical = origins.setdefault(origin, normalize_origin(origin))
        if origin != canonical or row["key"] != normalize_number(row["number"]):
            yield dict(row)


def _merge(
    connection: sa.engine.Connection, moved: dict[str, Any], present: dict[str, Any], target: dict[str, str]
) -> None:
    """Keep the stricter of two rows under the canonical key, with an event that says so."""
    kept = min(present, moved, key=lambda row: _STRICTEST.index(JournalState(row["state"])))
    version = max(present["version"], moved["version"]) + 1
    note = f"merged with {moved['number']} of {moved['base_url']}, which was {moved['state']}"
    values = kept | target | {"version": version, "note": kept["note"] or note[:255]}
    connection.execute(sa.update(JOURNAL).where(*_is_at(JOURNAL, target)).values(**values))
    event = {
        "version": version,
        "at": max(present["updated_at"], moved["updated_at"]),
        "run": kept["run"],
        "state_before": present["state"],
        "state_after": kept["state"],
        "attempts": kept["attempts"],
        "note": note[:1000],
    }
    connection.execute(sa.insert(EVENT).values(**target, **event))


def _is_at(table: sa.Table, key: dict[str, Any]) -> Iterator[sa.ColumnElement[bool]]:
    return (table.c[name] == key[name] for name in _KEY)
