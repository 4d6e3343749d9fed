"""Decide, by reading only, what is to be done with each document."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Generic

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.model import OPEN, REPEATED, JournalRow, JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.base import Comparison, D, DocumentKind
from airflow_provider_rma.billing.lookup import Findings, Lookup
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.results import (
    blocked_result,
    closed_period_result,
    describe_duplicate,
    duplicate_result,
    held_result,
    repeated_result,
    unknown_result,
    unsettled_result,
    vanished_result,
)
from airflow_provider_rma.billing.working_set import WorkingSet, in_chunks

log = logging.getLogger(__name__)

#: Documents of earlier runs that are named if they are in the books more than once; the others are counted.
MAX_NAMED = 20

#: Reason of a number that cannot be asked for by itself while the list is known to be incomplete.
LIST_INCOMPLETE = (
    "the list lacks documents that exist, and this number cannot be asked for by itself, so it is not proven absent; "
    "run again later"
)


@dataclass
class Planner(Generic[D]):
    """Decides about every document of a working set.

    :ivar seen: the journal's rows on which decisions to send rest, by key.
    :ivar alarms: what is wrong in the books with documents of earlier runs that this run's input does not carry.
    :ivar findings: what the reading of the books is worth.
    :ivar retry_at: when the last document in doubt resolves itself (seconds since 1970), None without any doubt.
    """

    kind: DocumentKind[D]
    journal: Journal
    working_set: WorkingSet[D]
    seen: dict[str, JournalRow] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    retry_at: float | None = None

    def run(self) -> None:
        """Decide. Reads the books and the master data; in the journal it records only what it has found there."""
        self._refuse_repeated()
        # Only what is absent from a reading begun after its settle time is proven absent. The journal is read after the
        # books: a row that another run changes between the two is seen, and one that it changes later is refused by
        # the claim.
        started = self.journal.now()
        # What was sent of a kind that overwrites is not proven by its presence, so only its own record resolves it.
        open_rows = {} if self.kind.overwrites else {row.key: row for row in self.journal.open_rows()}
        if open_rows or next(self.working_set.pending(), None) is not None:
            self.findings = self._read_books(open_rows, started)
        self._resolve_others(open_rows, started)
        self._name_repeated()
        sending = False
        for documents in in_chunks(self.working_set.pending(), 200):
            rows = self.journal.get(document.key for document in documents)
            for document in documents:
                sending |= self._plan(document, rows.get(document.key), started)
        if sending and self.kind.policy.check_master_data:
            self._check_master_data()
        self._hold_against_plan()

    def _refuse_repeated(self) -> None:
        for number, positions in self.working_set.repeated():
            for position in positions:
                self.working_set.record_result(repeated_result(self.kind.number_field, position, number, positions))

    def _read_books(self, open_rows: Mapping[str, JournalRow], started: float) -> Findings:
        lookup = Lookup(self.kind, self.working_set, open_rows, started)
        newest = self.journal.newest_booked()
        if newest and self.kind.policy.absence_check == "by_number" and lookup.ask_by_number(newest):
            return Findings()
        # What was booked before must be in a list that is read from now on.
        return lookup.read_list(self.journal.booked_keys(started), newest)

    def _name_repeated(self) -> None:
        """Name documents of earlier runs that are in the books more than once."""
        for booked in islice(self.findings.repeated.values(), MAX_NAMED):
            self.alarms.append(f"{self.kind.name} {booked[0].number}: {describe_duplicate(booked)}")
        if (others := len(self.findings.repeated) - MAX_NAMED) > 0:
            self.alarms.append(f"{others} more {self.kind.plural} are in the books more than once")
        for alarm in self.alarms:
            log.error("In the books more than once: %s.", alarm)

    def _resolve_others(self, open_rows: Mapping[str, JournalRow], started: float) -> None:
        """Resolve what earlier runs left open and this run's input does not carry."""
        for key, row in open_rows.items():
            if self.working_set.document(key) is not None:
                continue
            booked = [comparison.booked for comparison in self.working_set.booked(key)]
            if len(booked) > 1:
                self._record_booked(row, booked[0], REPEATED)
                self.alarms.append(f"{self.kind.name} {row.number}: {describe_duplicate(booked)}")
            elif booked:
                self._record_booked(row, booked[0], "found by a later run")
                log.info("%s %s of an earlier run is in the books.", self.kind.name.capitalize(), row.number)
            elif row.settles_at is not None and row.settles_at > started:
                self._wait_for(row)
            elif self._is_proven_absent(key) and self.journal.record(
                row, JournalState.RELEASED, note="proven absent by a later run"
            ):
                log.warning(
                    "%s %s of an earlier run (%s) was never booked; send it again.",
                    self.kind.name.capitalize(),
                    row.number,
                    row.run,
                )

    def _plan(self, document: D, row: JournalRow | None, started: float) -> bool:
        """Decide about one document; True if it is to be sent."""
        found = self.working_set.booked(document.key)
        result, update = self._decide(document, row, found, started)
        if result is not None:
            self.working_set.record_result(result)
            if result.outcome == Outcome.UNKNOWN and row is not None:
                self._wait_for(row)
            return False
        self.working_set.decide_to_send(update or document, changed=update is not None)
        if row is not None:
            self.seen[document.key] = row
        return True

    def _decide(
        self, document: D, row: JournalRow | None, found: list[Comparison[D]], started: float
    ) -> tuple[DocumentResult | None, D | None]:
        """Decide: the result of a document that is not to be sent, and another document to be sent in its place."""
        if found and self.kind.overwrites:
            update = found[-1].update
            return None if update else self.kind.booked_result(document, found[-1], Outcome.UNCHANGED), update
        if found:
            return self._decide_booked(document, row, found), None
        if not self._is_proven_absent(document.key):
            return self._decide_unproven(document, row), None
        by_journal = None if row is None else self._decide_by_journal(document, row, started)
        return by_journal or self._decide_by_date(document), None

    def _is_proven_absent(self, key: str) -> bool:
        """Whether a key under which nothing was found is proven to be absent."""
        return not self.findings.unproven and key not in self.findings.unproven_keys

    def _decide_unproven(self, document: D, row: JournalRow | None) -> DocumentResult:
        """Decide about a document that was not found, and is not proven absent either."""
        reason = self.findings.unproven or LIST_INCOMPLETE
        if row is not None and row.state in OPEN:
            return unknown_result(document, f"sent by run {row.run or '?'} without a reliable response; {reason}")
        return held_result(document, reason)

    def _decide_booked(self, document: D, row: JournalRow | None, found: list[Comparison[D]]) -> DocumentResult:
        booked = found[0].booked
        if len(found) > 1:
            if row is not None and row.state != JournalState.CREATED:
                # It is in the books, whatever else: a row left in doubt would stay so for ever.
                self._record_booked(row, booked, REPEATED)
            return duplicate_result(document, [comparison.booked for comparison in found])
        if row is None:
            self.journal.import_booked(replace(booked, number=document.number), document.content_hash)
        elif row.state != JournalState.CREATED:
            self._record_booked(row, booked, "found in the books")
        return self.kind.booked_result(document, found[0], Outcome.UNCHANGED)

    def _decide_by_journal(self, document: D, row: JournalRow, started: float) -> DocumentResult | None:
        """Decide about a document that is not in the books and has a row in the journal."""
        if row.state == JournalState.BLOCKED:
            return blocked_result(document, row)
        if row.state == JournalState.CREATED and row.updated_at >= started:
            return unknown_result(
                document, "booked by another run while this one was reading; the next attempt finds it"
            )
        if row.state == JournalState.CREATED and not self.kind.overwrites:
            return vanished_result(document, row)
        if row.is_alive(started):
            return unsettled_result(document, row, self.kind.place)
        return None

    def _decide_by_date(self, document: D) -> DocumentResult | None:
        closed, day = self.kind.policy.closed_until, document.booking_date
        return closed_period_result(document, closed) if closed and day and day <= closed else None

    def _check_master_data(self) -> None:
        for check in self.kind.check_master_data(self.working_set.to_send):
            document = check.document
            if check.problems:
                self.working_set.record_result(
                    DocumentResult(document.position, document.number, Outcome.INVALID, check.problems)
                )
            elif check.customer_effect is not None:
                self.working_set.note_customer_effect(document.position, check.customer_effect)

    def _hold_against_plan(self) -> None:
        """Hold what is fit to be sent now, and is not sent by the plan that is carried out."""
        for documents in in_chunks(self.working_set.to_send_against_plan(), 200):
            for document, planned in documents:
                because = f" ({'; '.join(planned.reasons)})" if planned.reasons else ""
                reason = f"the approved plan says {planned.decision}{because}, and now it would be sent; plan again"
                self.working_set.record_result(held_result(document, reason))

    def _record_booked(self, row: JournalRow, booked: BookedDocument, note: str) -> None:
        self.journal.record(row, JournalState.CREATED, note=note, booked=booked)

    def _wait_for(self, row: JournalRow) -> None:
        self.retry_at = max(self.retry_at or 0.0, row.settles_at or 0.0)
