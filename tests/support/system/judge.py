"""What must hold after each run of a schedule, and at its end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.writer import list_recorded_links
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.exceptions import BillingError
from tests.support.system.service import Booked, Books
from tests.support.system.workers import Report, Worker, Workshop


@dataclass
class Excuses:
    """Keys for which the service broke what the guarantee rests on.

    :ivar late: a document came into the books after its settle time.
    :ivar repeated: something on the way delivered a request twice.
    :ivar misled: lists lacked a document in doubt that cannot be asked for by its number.
    :ivar contradicted: the service refused in its own form what it booked.
    :ivar deferred: something refused without a word, and the document came later.
    """

    late: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)
    misled: set[str] = field(default_factory=set)
    contradicted: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)

    @property
    def twice(self) -> set[str]:
        """Keys that may be in the books more than once."""
        return self.late | self.repeated | self.misled

    @property
    def refused(self) -> set[str]:
        """Keys that may be in the books although they are rejected."""
        return self.contradicted | self.deferred | self.misled


@dataclass
class Readings:
    """What the whole lists that a worker has read were worth.

    :ivar begun: when it asked for the first one, None if it has not.
    :ivar lied: whether one of them lacked something.
    """

    begun: float | None = None
    lied: bool = False


@dataclass
class Judge:
    """Holds what runs report against the books, the journal and the evidence.

    :param tell: takes a line of the story.
    :ivar readings: by name of the worker.
    :ivar met: what was reported, to see that the schedules reach everything.
    """

    books: Books
    shop: Workshop
    records: list[dict[str, Any]]
    journal: Journal
    tell: Callable[[str], None]
    excuses: Excuses = field(default_factory=Excuses)
    readings: dict[str, Readings] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    _created: dict[str, str] = field(default_factory=dict)
    _incomplete: int = 0

    def __post_init__(self) -> None:
        self.keys = [record["invnumber"].casefold() for record in self.records]

    def judge_run(self, report: Report) -> None:
        """Check that what a run reports is true, whether or not it could finish.

        :raises AssertionError: if it is not.
        """
        worker, count = report.worker, self._count()
        for key in self.keys:
            assert count[key] <= 1 or key in self.excuses.twice, f"{key} is in the books {count[key]} times"
        for key, row in (report.rows or {}).items():
            self.tell(f"{worker.name} reports {key} {row['outcome']} {row.get('reasons', '')}")
            self._judge_row(worker, key, row, count[key])
            taken = "taken" if any("another run" in reason for reason in row.get("reasons", ())) else ""
            self.met[f"outcome {row['outcome']} {taken}".strip()] += 1
        self._judge_attempts()
        self._judge_names(report)
        self._judge_evidence(report)

    def judge_end(self, report: Report) -> None:
        """Check that nothing is lost, nothing is there twice, and nothing is in doubt.

        :raises AssertionError: if it is not so.
        """
        assert report.rows is not None, "the last run has left no outcome file"
        assert report.summary is not None or self.excuses.twice, f"the last run failed: {report.error}"
        for record, key in zip(self.records, self.keys, strict=True):
            self._judge_document(report.rows[key], record, key)
        if report.summary is not None:
            total = sum(map(_gross, self.records), Decimal(0))
            assert sum((one.gross for one in self.books.visible()), Decimal(0)) == total
            assert report.summary.total == total
        states = {entry.state for entry in self.journal.get(self.keys).values()}
        assert states == {JournalState.CREATED}, states
        assert not list(self.journal.open_rows())
        self._judge_chain()

    def _judge_document(self, row: dict[str, Any], record: dict[str, Any], key: str) -> None:
        booked = [one for one in self.books.visible() if one.number.casefold() == key]
        if key not in self.excuses.twice:
            assert len(booked) == 1, f"{key} is in the books {len(booked)} times"
        assert booked, f"{key} is lost"
        assert row["outcome"] == ("duplicate" if len(booked) > 1 else "unchanged"), row
        assert all(one.gross == _gross(record) for one in booked)
        if len(booked) > 1:
            assert all(one.id in row["reasons"][0] for one in booked), row
        else:
            assert Decimal(row["gross"]) == _gross(record)

    def _count(self) -> Counter[str]:
        return Counter(one.number.casefold() for one in self.books.visible())

    def _judge_row(self, worker: Worker, key: str, row: dict[str, Any], documents: int) -> None:
        outcome, claimed = row["outcome"], key in worker.claims
        allowed = {
            "created": documents >= 1 and claimed,
            # What the run itself has booked is created, with whatever doubt.
            "unchanged": documents >= 1 and (not self._booked_by(worker, key) or key in self.excuses.contradicted),
            "duplicate": documents >= 2 and key in self.excuses.twice,
            "unknown": True,
            # "Not sent": whatever the books hold, it is not from this run.
            "held": (worker.name, key) not in self.books.sent,
            # Of the worker's own documents: another worker may have booked it meanwhile.
            "rejected": claimed and (not self._booked_by(worker, key) or key in self.excuses.refused),
        }
        assert allowed.get(outcome, False), f"{key} is reported {outcome}, and the books hold {documents}: {row}"
        if outcome == "created":
            before = self._created.setdefault(key, worker.name)
            assert before == worker.name or key in self.excuses.twice, f"{before} has created {key} before: {row}"

    def _booked_by(self, worker: Worker, key: str) -> bool:
        return any(one.actor == worker.name and one.number.casefold() == key for one in self.books.visible())

    def _judge_attempts(self) -> None:
        """Check that nothing was sent without a claim."""
        attempts = {key: entry.attempts for key, entry in self.journal.get(self.keys).items()}
        for key in self.keys:
            sent = self.books.posts[key]
            assert sent <= attempts.get(key, 0), f"{key} was sent {sent} times, claimed {attempts.get(key, 0)} times"

    def _judge_names(self, report: Report) -> None:
        """Check that a run which has read an honest list names every number that is there twice, and fails."""
        readings = self.readings.get(report.worker.name, Readings())
        if report.rows is None or report.is_disturbed or readings.begun is None or readings.lied:
            return
        if not (report.error is None or isinstance(report.error, BillingError)):
            return
        twice = Counter(one.number.casefold() for one in self.books.visible() if one.due < readings.begun)
        journalled = self.journal.get(self.keys)
        for key, documents in twice.items():
            if documents > 1 and key in journalled:
                self.met["named twice"] += 1
                said = str(report.error).casefold()
                named = f"{key}: " in said and "documents carry this number" in said
                assert named, f"{key} is in the books twice, and {report.worker.name} says {said}"

    def _judge_evidence(self, report: Report) -> None:
        """Check that the evidence of a run says what its outcome file says."""
        if report.worker.dead or report.is_disturbed:
            # It may have allocated a link that it has not written.
            self._incomplete += 1
        elif report.rows is not None:
            own = (link for link in self._links() if link["recorded_by"] is None)
            documents = [link["documents"] for link in own if link["run"] == report.worker.name]
            assert len(documents) == 1, f"{report.worker.name} has left {len(documents)} links of evidence"
            stated = {one["number"].casefold(): one for one in documents[0]}
            for key, row in report.rows.items():
                if key in self._stated_elsewhere(report.worker):
                    # Another run took this one for dead, and has put it on record: it is created once in the chain.
                    assert stated[key]["outcome"] in (row["outcome"], "unchanged"), (stated[key], row)
                    continue
                given = {name: row.get(name) for name in ("outcome", "document_id", "net", "gross")}
                assert {name: stated[key].get(name) for name in given} == given, (stated[key], row)

    def _stated_elsewhere(self, worker: Worker) -> set[str]:
        """The keys that later runs have put on record for a run."""
        links = [link for link in self._links() if link["run"] == worker.name and link["recorded_by"] is not None]
        return {document["number"].casefold() for link in links for document in link["documents"]}

    def _judge_chain(self) -> None:
        """Check that the chain of evidence holds, and that what it calls created is in the books."""
        origin = self.journal.scope.base_url
        recorded = list_recorded_links(self.shop.engine("judge"), origin, self.shop.tenant)
        defects = verify_chain(self.shop.files, self.shop.evidence_folder, expected=recorded)
        damaged = {defect.file for defect in defects}
        assert len(damaged) <= self._incomplete, f"the evidence is damaged: {[one.sentence for one in defects]}"
        booked = {one.id: one for one in self.books.visible()}
        shown = set()
        for link in self._links():
            for document in link["documents"]:
                shown.add(document.get("document_id"))
                if document["outcome"] == "created":
                    found: Booked = booked[document["document_id"]]
                    assert found.number.casefold() == document["number"].casefold(), (found, document)
                    assert found.gross == Decimal(document["gross"]), (found, document)
        twice = {key for key, documents in self._count().items() if documents > 1}
        missing = [one.id for one in booked.values() if one.id not in shown and one.number.casefold() not in twice]
        assert not missing, f"documents {missing} are in no link of the evidence"

    def _links(self) -> Iterable[dict[str, Any]]:
        for path in self.shop.files.ls(self.shop.evidence_folder):
            try:
                yield json.loads(self.shop.files.content[path])
            except ValueError:
                continue  # the disk was full before its end; its name is among the defects


def _gross(record: dict[str, Any]) -> Decimal:
    return Decimal(record["incomeentries"][0]["amount"] + record["taxentries"][0]["amount"])
