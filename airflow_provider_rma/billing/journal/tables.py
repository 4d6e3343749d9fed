"""The journal's tables as SQLAlchemy knows them; migrations make them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_provider_rma.billing.numbers import MAX_KEY_LENGTH

_metadata = sa.MetaData()


def _key_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("base_url", sa.String(300), primary_key=True),
        sa.Column("tenant", sa.String(255), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("key", sa.String(MAX_KEY_LENGTH), primary_key=True),
    ]


#: One row for each document; the key makes it unique.
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
    sa.Column("document_id", sa.String(255)),
    sa.Column("net", sa.String(32)),
    sa.Column("gross", sa.String(32)),
    sa.Column("currency", sa.String(16)),
    sa.Column("run", sa.String(255)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("note", sa.String(255)),
    sa.Column("evidence_seq", sa.Integer),
)

#: One row for each run that was about to send; its id is the owner of the rows that it has claimed.
RUN = sa.Table(
    "rma_run",
    _metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("base_url", sa.String(300), nullable=False),
    sa.Column("tenant", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("run", sa.String(255), nullable=False),
    sa.Column("folder", sa.String(4096), nullable=False),
    sa.Column("url", sa.String(4096), nullable=False),
    sa.Column("input_hash", sa.String(64), nullable=False),
    sa.Column("plan_hash", sa.String(64), nullable=False),
    sa.Column("approver", sa.String(255), nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("evidence_seq", sa.Integer),
    sa.Column("has_files", sa.Integer, nullable=False),
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
    sa.Column("service", sa.String(300), primary_key=True),
    sa.Column("tenant", sa.String(255), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("path", sa.String(4096), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

#: The steps of migration that a database has taken.
STEP = sa.Table(
    "rma_journal_step",
    _metadata,
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("taken_at", sa.Float, nullable=False),
)
