"""The journal's tables, and how a database gets them.

A database carries the number of the last step it has taken. Steps are never changed once released, only added. All
missing ones are taken in one transaction behind a lock, so workers that start at once take them once; each step also
bears being repeated.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import clock_of, guard, writing
from airflow_provider_rma.exceptions import JournalError

_metadata = sa.MetaData()


def _key_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("base_url", sa.String(200), primary_key=True),
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
    ]


JOURNAL = sa.Table(
    "rma_journal",
    _metadata,
    *_key_columns(),
    sa.Column("number", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.String(64), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("settles_at", sa.Float),
    sa.Column("document_id", sa.String(32)),
    sa.Column("net", sa.String(32)),
    sa.Column("gross", sa.String(32)),
    sa.Column("currency", sa.String(3)),
    sa.Column("run", sa.String(255)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("note", sa.String(255)),
)

#: One row for each change; the row's version makes it unique.
EVENT = sa.Table(
    "rma_journal_event",
    _metadata,
    *_key_columns(),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("run", sa.String(255)),
    sa.Column("state_before", sa.String(16)),
    sa.Column("state_after", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("note", sa.String(1000)),
)

#: The links of each tenant's chain of evidence; the primary key is what keeps a chain from forking.
EVIDENCE = sa.Table(
    "rma_evidence",
    _metadata,
    sa.Column("service", sa.String(200), primary_key=True),
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("path", sa.String(1000), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

_STEP = sa.Table(
    "rma_journal_step",
    _metadata,
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("taken_at", sa.Float, nullable=False),
)

#: SQL that SQLite and PostgreSQL both understand, one tuple of statements for each step.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE IF NOT EXISTS rma_journal (
            base_url VARCHAR(200) NOT NULL, tenant VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL,
            key VARCHAR(128) NOT NULL, number VARCHAR(128) NOT NULL, state VARCHAR(16) NOT NULL,
            version INTEGER NOT NULL, content_hash VARCHAR(64) NOT NULL, attempts INTEGER NOT NULL,
            owner VARCHAR(64), settles_at FLOAT, document_id VARCHAR(32), net VARCHAR(32), gross VARCHAR(32),
            currency VARCHAR(3), run VARCHAR(255), created_at FLOAT NOT NULL, updated_at FLOAT NOT NULL,
            note VARCHAR(255), PRIMARY KEY (base_url, tenant, kind, key)
        )
        """,
    ),
    (
        """
        CREATE TABLE IF NOT EXISTS rma_journal_event (
            base_url VARCHAR(200) NOT NULL, tenant VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL,
            key VARCHAR(128) NOT NULL, version INTEGER NOT NULL, at FLOAT NOT NULL, run VARCHAR(255),
            state_before VARCHAR(16), state_after VARCHAR(16) NOT NULL, attempts INTEGER NOT NULL,
            note VARCHAR(1000), PRIMARY KEY (base_url, tenant, kind, key, version)
        )
        """,
        # Rows that are older than their history begin it with the state they are in.
        """
        INSERT INTO rma_journal_event
        SELECT base_url, tenant, kind, key, version, updated_at, run, NULL, state, attempts, note FROM rma_journal AS r
        WHERE NOT EXISTS (
            SELECT 1 FROM rma_journal_event AS e WHERE e.base_url = r.base_url AND e.tenant = r.tenant
            AND e.kind = r.kind AND e.key = r.key
        )
        """,
        # What is in doubt is looked for at the beginning of every run, among everything ever sent.
        "CREATE INDEX IF NOT EXISTS rma_journal_state ON rma_journal (state, tenant)",
    ),
    (
        """
        CREATE TABLE IF NOT EXISTS rma_evidence (
            service VARCHAR(200) NOT NULL, tenant VARCHAR(64) NOT NULL, seq INTEGER NOT NULL,
            hash VARCHAR(64) NOT NULL, path VARCHAR(1000) NOT NULL, at FLOAT NOT NULL,
            PRIMARY KEY (service, tenant, seq)
        )
        """,
    ),
)

#: The last step this version of the code knows.
CURRENT = len(_STEPS)

#: Number of PostgreSQL's advisory lock for steps; any number that nobody else uses will do.
_LOCK = 7_620_115_906


def schema_step(engine: sa.Engine) -> int:
    """The last step that a database has taken, 0 if it holds no journal.

    :raises JournalError: if it cannot be read.
    """
    with guard(), engine.connect() as connection:
        return _step(connection)


def migrate(engine: sa.Engine) -> None:
    """Give a database the tables of this version, if it does not have them yet.

    :raises JournalError: if the database was written by a newer version, or cannot be used.
    """
    if _is_current(schema_step(engine)):
        return
    with guard(), writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        connection.execute(
            sa.text("CREATE TABLE IF NOT EXISTS rma_journal_step (step INTEGER PRIMARY KEY, taken_at FLOAT NOT NULL)")
        )
        taken = _step(connection)
        if _is_current(taken):
            return
        now = connection.execute(sa.select(clock_of(engine))).scalar_one()
        for number, statements in enumerate(_STEPS[taken:], start=taken + 1):
            for statement in statements:
                connection.execute(sa.text(statement))
            connection.execute(sa.insert(_STEP).values(step=number, taken_at=now))


def _is_current(step: int) -> bool:
    if step > CURRENT:
        raise JournalError(
            f"the journal's database has taken step {step}, this version knows {CURRENT} only",
            advice="A newer airflow-provider-rma has used it: install that version or a later one here as well.",
        )
    return step == CURRENT


def _step(connection: sa.engine.Connection) -> int:
    if not sa.inspect(connection).has_table(_STEP.name):
        return 0
    return int(connection.execute(sa.select(sa.func.max(_STEP.c.step))).scalar() or 0)
