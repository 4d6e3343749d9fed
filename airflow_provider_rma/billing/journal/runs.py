"""The runs that were about to send, and what of them no evidence states yet.

A run enters itself before its first claim; its id is the owner of the rows that it claims. A row whose ``evidence_seq``
is empty stands in no link of the evidence as booked. So a later run finds everything that a killed run has done, and
everything that was in doubt when its run ended and turned out to be booked. A row is marked in the transaction that
adds the link, on the condition that it is not marked yet: of two runs that state the same rows, one fails and adds
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa

from airflow_provider_rma.billing.journal.engine import journal_errors, write_transaction
from airflow_provider_rma.billing.journal.model import UPDATE, JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal, in_batches
from airflow_provider_rma.billing.journal.tables import EVENT, JOURNAL, RUN

#: Seconds after which a run that has claimed nothing at all is taken for dead.
IDLE_SECONDS = 3600.0

_CREATED = str(JournalState.CREATED)


class StatedElsewhereError(Exception):
    """Another run has stated some of these rows in its evidence meanwhile."""


@dataclass(frozen=True)
class SendingRun:
    """A run that was about to send.

    :param id: the owner of the rows that it has claimed.
    :param task_run: its name.
    :param folder: of its files, on their file system.
    :param url: the folder as a user names it.
    :param input_hash: SHA-256 of its input.
    :param plan_hash: SHA-256 of the plan that it carried out, empty if it planned for itself.
    :param approver: who approved the plan, empty if nobody did.
    :param started_at: seconds since 1970 on the journal's clock.
    :param ended_at: when it ended by itself; None if it has not, or was killed.
    :param evidence_seq: position of its link in the chain of evidence; None if it has none.
    :param has_files: whether its outcome file is complete.
    """

    id: str
    task_run: str
    folder: str
    url: str
    input_hash: str
    plan_hash: str
    approver: str
    started_at: float
    ended_at: float | None
    evidence_seq: int | None
    has_files: bool

    @classmethod
    def from_columns(cls, columns: Mapping[Any, Any]) -> Self:
        """Make a run from the columns of the table."""
        values = {name: columns["run" if name == "task_run" else name] for name in cls.__dataclass_fields__}
        return cls(**values | {"has_files": bool(values["has_files"])})


@dataclass(frozen=True)
class ClaimedRow:
    """A row that a run has claimed.

    :param replaces: whether its document was to replace one that was in the books.
    :param is_stated: whether a link of the evidence states it as booked.
    """

    row: JournalRow
    replaces: bool
    is_stated: bool


class RunRegistry:
    """The runs of a journal.

    :param journal: the journal of the run that asks.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def enter(self, folder: str, url: str, *, input_hash: str, plan_hash: str, approver: str) -> None:
        """Enter the run that asks, before it claims anything."""
        values = {
            "run": self.journal.run,
            "folder": folder[:4096],
            "url": url[:4096],
            "input_hash": input_hash[:64],
            "plan_hash": plan_hash[:64],
            "approver": approver.replace("\0", "")[:255],
            "started_at": self.journal.db_time(),
            "ended_at": None,
            "evidence_seq": None,
            "has_files": 0,
        }
        key = {"id": self.journal.owner, **self.journal.scope_columns}
        with journal_errors(), write_transaction(self.journal.engine) as connection:
            # A journal object that runs twice is one owner.
            if not connection.execute(sa.update(RUN).where(RUN.c.id == key["id"]).values(**values)).rowcount:
                connection.execute(sa.insert(RUN).values(**key, **values))

    def end(self, *, has_files: bool) -> None:
        """Record that the run that asks has ended.

        :param has_files: whether its outcome file is complete.
        """
        change = sa.update(RUN).where(RUN.c.id == self.journal.owner)
        with journal_errors(), write_transaction(self.journal.engine) as connection:
            connection.execute(change.values(ended_at=self.journal.db_time(), has_files=int(has_files)))

    def list_incomplete(self) -> list[SendingRun]:
        """List the earlier runs whose record lacks something, the oldest first.

        A run is an earlier one if it has ended, if it was a try of the same task, or if all that it has claimed is
        settled: nothing of it can appear in the books any more, and it has claimed nothing since. One that lives
        nevertheless does no harm: of a row, one link only says that it was booked.
        """
        owner = JOURNAL.c.owner
        unstated = sa.select(owner).where(
            *self.journal.in_scope(JOURNAL),
            JOURNAL.c.evidence_seq.is_(None),
            JOURNAL.c.state == _CREATED,
            owner.is_not(None),
        )
        settles_at = (
            sa.select(sa.func.max(JOURNAL.c.settles_at))
            .where(*self.journal.in_scope(JOURNAL), owner == RUN.c.id)
            .scalar_subquery()
        )
        query = (
            sa.select(RUN)
            .where(*self.journal.in_scope(RUN), RUN.c.id != self.journal.owner)
            .where(sa.or_(RUN.c.evidence_seq.is_(None), RUN.c.has_files == 0, RUN.c.id.in_(unstated)))
            .where(
                sa.or_(
                    RUN.c.ended_at.is_not(None),
                    RUN.c.run == self.journal.run,
                    sa.func.coalesce(settles_at, RUN.c.started_at + IDLE_SECONDS) <= self.journal.db_time(),
                )
            )
            .order_by(RUN.c.started_at, RUN.c.id)
        )
        with journal_errors(), self.journal.engine.connect() as connection:
            return [SendingRun.from_columns(row._mapping) for row in connection.execute(query)]

    def read_claimed(self, run: SendingRun) -> list[ClaimedRow]:
        """Read the rows that a run was the last to claim, in the order of their claims."""
        query = sa.select(JOURNAL).where(*self.journal.in_scope(JOURNAL), JOURNAL.c.owner == run.id)
        with journal_errors(), self.journal.engine.connect() as connection:
            found = connection.execute(query.order_by(JOURNAL.c.settles_at, JOURNAL.c.key)).mappings().all()
            replaced = self._find_replacing(connection, [columns["key"] for columns in found])
        return [
            ClaimedRow(
                JournalRow.from_columns(columns), columns["key"] in replaced, columns["evidence_seq"] is not None
            )
            for columns in found
        ]

    def read_stated(self) -> set[str]:
        """Return the keys of rows of the run that asks which another run has stated, taking it for dead."""
        query = sa.select(JOURNAL.c.key).where(
            *self.journal.in_scope(JOURNAL),
            JOURNAL.c.owner == self.journal.owner,
            JOURNAL.c.evidence_seq.is_not(None),
        )
        with journal_errors(), self.journal.engine.connect() as connection:
            return {key for (key,) in connection.execute(query)}

    def mark_own(self, connection: sa.engine.Connection, seq: int, keys: Iterable[str]) -> None:
        """Mark rows of the run that asks as stated by a link, in the transaction that adds the link.

        :param keys: of the documents that the link states as booked; those of other runs are left alone.
        :raises StatedElsewhereError: if another run has stated one of them.
        """
        for batch in in_batches(sorted(keys)):
            rows = self._rows(self.journal.owner, batch)
            connection.execute(
                sa.update(JOURNAL).where(*rows, JOURNAL.c.evidence_seq.is_(None)).values(evidence_seq=seq)
            )
            # Counted after the change, which has waited for others that were about to commit theirs.
            elsewhere = sa.select(sa.func.count()).where(*rows, JOURNAL.c.evidence_seq != seq)
            if connection.execute(elsewhere).scalar_one():
                raise StatedElsewhereError
        self._mark_run(connection, self.journal.owner, seq)

    def mark_earlier(self, connection: sa.engine.Connection, seq: int, run: SendingRun, keys: Collection[str]) -> None:
        """Mark rows of an earlier run as stated by a link, in the transaction that adds the link.

        :param keys: of the documents that the link states as booked.
        :raises StatedElsewhereError: if another run has stated one of them, or the earlier run itself.
        """
        marked = 0
        for batch in in_batches(sorted(keys)):
            rows = self._rows(run.id, batch)
            change = sa.update(JOURNAL).where(*rows, JOURNAL.c.evidence_seq.is_(None)).values(evidence_seq=seq)
            marked += connection.execute(change).rowcount
        is_first = self._mark_run(connection, run.id, seq)
        if marked != len(keys) or is_first != (run.evidence_seq is None):
            raise StatedElsewhereError

    def mark_files(self, run: SendingRun) -> None:
        """Record that the files of an earlier run are complete."""
        with journal_errors(), write_transaction(self.journal.engine) as connection:
            connection.execute(sa.update(RUN).where(RUN.c.id == run.id).values(has_files=1))

    def _rows(self, owner: str, keys: list[str]) -> tuple[sa.ColumnElement[bool], ...]:
        return *self.journal.in_scope(JOURNAL), JOURNAL.c.owner == owner, JOURNAL.c.key.in_(keys)

    @staticmethod
    def _mark_run(connection: sa.engine.Connection, owner: str, seq: int) -> bool:
        """Record the first link of a run; False if it has one."""
        change = sa.update(RUN).where(RUN.c.id == owner, RUN.c.evidence_seq.is_(None)).values(evidence_seq=seq)
        return connection.execute(change).rowcount == 1

    def _find_replacing(self, connection: sa.engine.Connection, keys: list[str]) -> set[str]:
        """Find the keys whose last claim was one of a document that replaces another."""
        last: dict[str, bool] = {}
        for batch in in_batches(keys):
            claims = (
                sa.select(EVENT.c.key, EVENT.c.note)
                .where(*self.journal.in_scope(EVENT), EVENT.c.key.in_(batch))
                .where(EVENT.c.state_after == str(JournalState.CLAIMED))
                .order_by(EVENT.c.version)
            )
            last |= {key: note == UPDATE for key, note in connection.execute(claims)}
        return {key for key, replaces in last.items() if replaces}
