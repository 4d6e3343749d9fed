"""What a person on call asks of a journal: all tenants at a glance, and what is in doubt."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import clock_of, guard
from airflow_provider_rma.billing.journal.migrations import JOURNAL, migrate
from airflow_provider_rma.billing.journal.model import OPEN, JournalRow, JournalState, Scope
from airflow_provider_rma.billing.journal.store import entry_of


@dataclass(frozen=True)
class OpenDocument:
    """A row whose document may or may not be in the books.

    :param alive: what was sent may still appear; afterwards the tenant's next run decides by reading.
    """

    scope: Scope
    entry: JournalRow
    alive: bool


@dataclass(frozen=True)
class Overview:
    """The whole journal.

    :param now: its time, in seconds since 1970.
    :param counts: rows by what they are about and by state.
    :param doubts: every row in doubt, the oldest first.
    """

    now: float
    counts: dict[Scope, dict[JournalState, int]]
    doubts: list[OpenDocument]


def overview(engine: sa.Engine, *, base_url: str | None = None, tenant: str | None = None) -> Overview:
    """Read the journal of all tenants, or of one.

    :param base_url: only this service.
    :param tenant: only this tenant.
    :raises JournalError: if the database cannot be used.
    """
    migrate(engine)
    row = JOURNAL.c
    wanted = {row.base_url: base_url, row.tenant: tenant}
    chosen = [column == value for column, value in wanted.items() if value is not None]
    keys = (row.base_url, row.tenant, row.kind)
    counting = sa.select(*keys, row.state, sa.func.count()).where(*chosen).group_by(*keys, row.state)
    doubtful = sa.select(JOURNAL).where(*chosen, row.state.in_([str(state) for state in OPEN])).order_by(row.updated_at)
    counts: dict[Scope, dict[JournalState, int]] = {}
    with guard(), engine.connect() as connection:
        now = float(connection.execute(sa.select(clock_of(engine))).scalar_one())
        for *scope, state, count in connection.execute(counting.order_by(*keys, row.state)):
            counts.setdefault(Scope(*scope), {})[JournalState(state)] = count
        doubts = []
        for found in connection.execute(doubtful):
            entry = entry_of(found._mapping)
            doubts.append(OpenDocument(Scope(found.base_url, found.tenant, found.kind), entry, entry.is_alive(now)))
    return Overview(now, counts, doubts)
