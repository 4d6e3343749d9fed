"""The journal at a glance: rows of all tenants by state, and documents in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import db_now, journal_errors
from airflow_provider_rma.billing.journal.migrations import migrate
from airflow_provider_rma.billing.journal.model import OPEN, JournalRow, JournalState, Scope
from airflow_provider_rma.billing.journal.tables import JOURNAL, RUN


@dataclass(frozen=True)
class OpenDocument:
    """A row whose document may or may not be in the books.

    :param alive: what was sent may still appear; afterwards the tenant's next run decides by reading.
    """

    scope: Scope
    row: JournalRow
    alive: bool


@dataclass(frozen=True)
class UnrecordedRun:
    """A run that is under way, or that the tenant's next run puts on record.

    :param run: its name.
    :param started_at: seconds since 1970.
    :param documents: how many documents it was the last to claim.
    """

    scope: Scope
    run: str
    started_at: float
    documents: int


@dataclass(frozen=True)
class Overview:
    """The whole journal.

    :param now: its time, in seconds since 1970.
    :param counts: rows by what they are about and by state.
    :param doubts: every row in doubt, the oldest first.
    :param unrecorded: every run whose record lacks something, the oldest first.
    """

    now: float
    counts: dict[Scope, dict[JournalState, int]]
    doubts: list[OpenDocument]
    unrecorded: list[UnrecordedRun]


def read_overview(engine: sa.Engine, *, base_url: str | None = None, tenant: str | None = None) -> Overview:
    """Read the journal of all tenants, or of one.

    :param base_url: only this service.
    :param tenant: only this tenant.
    :raises JournalError: if the database cannot be used.
    """
    migrate(engine)
    columns = JOURNAL.c
    wanted = {columns.base_url: base_url, columns.tenant: tenant}
    chosen = [column == value for column, value in wanted.items() if value is not None]
    keys = (columns.base_url, columns.tenant, columns.kind)
    counting = sa.select(*keys, columns.state, sa.func.count()).where(*chosen).group_by(*keys, columns.state)
    doubtful = (
        sa.select(JOURNAL)
        .where(*chosen, columns.state.in_([str(state) for state in OPEN]))
        .order_by(columns.updated_at)
    )
    counts: dict[Scope, dict[JournalState, int]] = {}
    with journal_errors(), engine.connect() as connection:
        now = float(connection.execute(sa.select(db_now(engine))).scalar_one())
        for *scope, state, count in connection.execute(counting.order_by(*keys, columns.state)):
            counts.setdefault(Scope(*scope), {})[JournalState(state)] = count
        doubts = []
        for found in connection.execute(doubtful):
            row = JournalRow.from_columns(found._mapping)
            doubts.append(OpenDocument(Scope(found.base_url, found.tenant, found.kind), row, row.is_alive(now)))
        unrecorded = list(_find_unrecorded(connection, base_url, tenant))
    return Overview(now, counts, doubts, unrecorded)


def _find_unrecorded(
    connection: sa.engine.Connection, base_url: str | None, tenant: str | None
) -> Iterator[UnrecordedRun]:
    claimed = sa.select(sa.func.count()).where(JOURNAL.c.owner == RUN.c.id).scalar_subquery()
    unstated = sa.select(JOURNAL.c.owner).where(
        JOURNAL.c.evidence_seq.is_(None),
        JOURNAL.c.state == str(JournalState.CREATED),
        JOURNAL.c.owner.is_not(None),
    )
    query = (
        sa.select(RUN, claimed.label("documents"))
        .where(sa.or_(RUN.c.evidence_seq.is_(None), RUN.c.has_files == 0, RUN.c.id.in_(unstated)))
        .where(*(column == value for column, value in _of_tenant(base_url, tenant) if value is not None))
        .order_by(RUN.c.started_at)
    )
    for row in connection.execute(query):
        yield UnrecordedRun(Scope(row.base_url, row.tenant, row.kind), row.run, row.started_at, int(row.documents))


def _of_tenant(base_url: str | None, tenant: str | None) -> tuple[tuple[sa.Column[str], str | None], ...]:
    return (RUN.c.base_url, base_url), (RUN.c.tenant, tenant)
