"""Migrations: how a database gets the journal's tables.

A database carries the number of the last step it has taken. Steps are never changed once released, only added. All
missing ones are taken in one transaction behind a lock, so workers that start at once take them once; each step also
bears being repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.canonical import move_rows_to_canonical_keys
from airflow_provider_rma.billing.journal.engine import db_now, journal_errors, write_transaction
from airflow_provider_rma.billing.journal.tables import STEP
from airflow_provider_rma.exceptions import JournalError

#: SQL that SQLite and PostgreSQL both understand, or a function where there is no such SQL.
Statement = str | Callable[[sa.engine.Connection], None]

#: Characters that columns have since step 4: any number that is accepted, any tenant, any host.
_WIDTHS = {
    "rma_journal": {"base_url": 300, "tenant": 255, "key": 256, "document_id": 255, "currency": 16},
    "rma_journal_event": {"base_url": 300, "tenant": 255, "key": 256},
    "rma_evidence": {"service": 300, "tenant": 255, "path": 4096},
}


def _widen_columns(connection: sa.engine.Connection) -> None:
    for table, widths in _WIDTHS.items():
        if connection.dialect.name == "postgresql":
            changes = (f"ALTER COLUMN {column} TYPE VARCHAR({width})" for column, width in widths.items())
            connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(changes)}")
        else:
            _rebuild_wider(connection, table, widths)


def _rebuild_wider(connection: sa.engine.Connection, table: str, widths: dict[str, int]) -> None:
    """Copy a table of SQLite, which cannot change the type of a column."""
    query = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    made: str = connection.execute(query, {"name": table}).scalar_one()
    for column, width in widths.items():
        made = re.sub(rf"\b{column} VARCHAR\(\d+\)", f"{column} VARCHAR({width})", made)
    body = made[made.index("(") :]
    connection.exec_driver_sql(f"CREATE TABLE {table}_wide {body}")
    connection.exec_driver_sql(f"INSERT INTO {table}_wide SELECT * FROM {table}")  # noqa: S608 - our own names
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_wide RENAME TO {table}")


def _add_evidence_seq(connection: sa.engine.Connection) -> None:
    """Add the column that says which link of the evidence states a row; rows from before are taken as stated."""
    if "evidence_seq" not in {column["name"] for column in sa.inspect(connection).get_columns("rma_journal")}:
        connection.exec_driver_sql("ALTER TABLE rma_journal ADD COLUMN evidence_seq INTEGER")
        connection.exec_driver_sql("UPDATE rma_journal SET evidence_seq = 0")


#: The statements of each step.
STEPS: tuple[tuple[Statement, ...], ...] = (
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
    (
        _widen_columns,
        "CREATE INDEX IF NOT EXISTS rma_journal_state ON rma_journal (state, tenant)",
        # Rows are found under the service's only name and the number's only normal form.
        move_rows_to_canonical_keys,
    ),
    (
        """
        CREATE TABLE IF NOT EXISTS rma_run (
            id VARCHAR(64) NOT NULL PRIMARY KEY, base_url VARCHAR(300) NOT NULL, tenant VARCHAR(255) NOT NULL,
            kind VARCHAR(16) NOT NULL, run VARCHAR(255) NOT NULL, folder VARCHAR(4096) NOT NULL,
            url VARCHAR(4096) NOT NULL, input_hash VARCHAR(64) NOT NULL, plan_hash VARCHAR(64) NOT NULL,
            approver VARCHAR(255) NOT NULL, started_at FLOAT NOT NULL, ended_at FLOAT, evidence_seq INTEGER,
            has_files INTEGER NOT NULL
        )
        """,
        _add_evidence_seq,
        # What no evidence states yet is looked for at the beginning of every run, among everything ever sent.
        "CREATE INDEX IF NOT EXISTS rma_journal_unstated ON rma_journal (tenant, owner) WHERE evidence_seq IS NULL",
        # The rows of one run. With fewer columns SQLite would prefer the primary key, and read the tenant's whole
        # journal for every run.
        "CREATE INDEX IF NOT EXISTS rma_journal_owner ON rma_journal (owner, tenant, base_url, kind)",
    ),
)

#: The last step this version of the code knows.
CURRENT = len(STEPS)

#: Number of PostgreSQL's advisory lock for steps; any number that nobody else uses will do.
_LOCK = 7_620_115_906


def read_step(engine: sa.Engine) -> int:
    """Read the last step that a database has taken, 0 if it holds no journal.

    :raises JournalError: if it cannot be read.
    """
    with journal_errors(), engine.connect() as connection:
        return _read_step(connection)


def migrate(engine: sa.Engine, steps: Sequence[Sequence[Statement]] = STEPS) -> None:
    """Bring a database up to date: take the steps that it has not taken yet.

    :param steps: statements of each step, from the first.
    :raises JournalError: if the database was written by a newer version, or cannot be used.
    """
    if _is_current(read_step(engine), len(steps)):
        return
    with journal_errors(), write_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        connection.execute(
            sa.text("CREATE TABLE IF NOT EXISTS rma_journal_step (step INTEGER PRIMARY KEY, taken_at FLOAT NOT NULL)")
        )
        taken = _read_step(connection)
        if _is_current(taken, len(steps)):
            return
        now = connection.execute(sa.select(db_now(engine))).scalar_one()
        for number, statements in enumerate(steps[taken:], start=taken + 1):
            for statement in statements:
                if callable(statement):
                    statement(connection)
                else:
                    connection.execute(sa.text(statement))
            connection.execute(sa.insert(STEP).values(step=number, taken_at=now))


def _is_current(step: int, last: int) -> bool:
    if step > last:
        raise JournalError(
            f"the journal's database has taken step {step}, this version knows {last} only",
            advice="A newer airflow-provider-rma has used it: install that version or a later one here as well.",
        )
    return step == last


def _read_step(connection: sa.engine.Connection) -> int:
    if not sa.inspect(connection).has_table(STEP.name):
        return 0
    return int(connection.execute(sa.select(sa.func.max(STEP.c.step))).scalar() or 0)
