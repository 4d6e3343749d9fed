"""Workers that die, and workers that take turns.

What bills here is the product: journal, client and run are real. They are only stopped at the points where a worker can
die or be overtaken. A worker that has died does nothing more: every further step of it ends where it begins, as after a
``kill -9``, whatever clean-up code may try.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, OnLinked
from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.outcomes import DocumentResult, RunSummary, failing_outcomes
from airflow_provider_rma.billing.plan_file import PlanReader
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.billing.run_record import Provenance
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import JournalError, RunMyAccountsError
from tests.support.system.interruptions import Interrupted, Interruption
from tests.support.system.memory_files import FillingFiles, MemoryFiles

#: Where a worker can die. ``in flight`` is after the request has left and before anything of the answer has arrived.
DEATHS = (
    "reading",
    "before claim",
    "after claim",
    "in flight",
    "after reply",
    "reading back",
    "before record",
    "after record",
    "before outcome",
    "before evidence",
)


#: Where a mistake in the program can show: beside those where a document is sent, what happens is the same.
MISTAKES = ("before claim", "after claim", "in flight", "after reply", "reading back", "before record", "after record")


class Killed(BaseException):
    """The worker is dead."""


class MistakeError(Exception):
    """A mistake in the program."""


@dataclass
class Turns:
    """Lets one worker at a time go on, and draws who it is, so that what happens depends on the seed alone.

    :param together: names of the workers; with a single one nobody waits.
    """

    dice: random.Random
    together: list[str]
    _current: str = ""
    _condition: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._current = self.dice.choice(sorted(self.together))

    def wait(self, name: str) -> None:
        """Wait for the turn."""
        with self._condition:
            self._condition.wait_for(lambda: self._current == name or name not in self.together)

    def pass_on(self, name: str) -> None:
        """End a turn: somebody is drawn, perhaps the same again."""
        with self._condition:
            if name in self.together and len(self.together) > 1:
                self._current = self.dice.choice(sorted(self.together))
                self._condition.notify_all()
                self._condition.wait_for(lambda: self._current == name or name not in self.together)

    def leave(self, name: str) -> None:
        """Take no more turns."""
        with self._condition:
            self.together.remove(name)
            if self.together:
                self._current = self.dice.choice(sorted(self.together))
            self._condition.notify_all()


@dataclass
class Worker:
    """One attempt to bill, by one process.

    :param name: its token at the service.
    :param step: called at every point where it may be overtaken.
    :param death: where it dies, one of ``DEATHS``; None if it lives.
    :param nth: at which passage of that point, from 1.
    :param interruption: an interruption of its main thread.
    :param mistake: where a mistake in the program shows, one of ``MISTAKES``; None if there is none.
    :param exits: whether the mistake ends the thread (``SystemExit``) instead of being an error.
    :param room: how many writes its storage has room for, None for any number.
    :param journal_room: how many changes its journal has room for, None for any number.
    :param spelling: how its connection writes the host; as the service is known if empty.
    """

    name: str
    step: Callable[[str, str], None]
    death: str | None = None
    nth: int = 1
    interruption: Interruption | None = None
    mistake: str | None = None
    exits: bool = False
    room: int | None = None
    journal_room: int | None = None
    spelling: str = ""
    dead: bool = False
    mistake_happened: bool = False
    journal_is_full: bool = False
    storage_is_full: bool = False
    claims: dict[str, JournalRow] = field(default_factory=dict)

    def at(self, point: str) -> None:
        """Pass a point.

        :raises Killed: if it dies here, or is dead already.
        :raises Interrupted: if its main thread is interrupted here.
        :raises MistakeError: if the program has a mistake here; or SystemExit.
        """
        if not self.dead:
            self.step(self.name, point)
            if self.interruption is not None:
                self.interruption.at(point)
        if self.death == point:
            self.nth -= 1
            self.dead = self.dead or self.nth <= 0
        if self.dead:
            raise Killed(point)
        if self.mistake == point and not self.mistake_happened:
            self.mistake_happened = True
            raise SystemExit(3) if self.exits else MistakeError(point)

    def write_journal(self) -> None:
        """Count a change of the journal.

        :raises JournalError: if its disk is full.
        """
        if self.journal_room is None:
            return
        self.journal_room -= 1
        if self.journal_room < 0:
            self.journal_is_full = True
            raise JournalError("the journal cannot be written (the disk is full)", retryable=True)

    @property
    def is_disturbed(self) -> bool:
        """Whether its storage or its journal was full, or a mistake in the program has shown."""
        return self.storage_is_full or self.journal_is_full or self.mistake_happened

    @property
    def dies_in_flight(self) -> bool:
        """Whether the request that is being sent is its last deed."""
        return self.death == "in flight" and self.nth == 1


class MortalJournal(Journal):
    """The journal of a worker that may die."""

    worker: Worker

    def now(self) -> float:
        self.worker.at("journal")
        return super().now()

    def get(self, keys: Iterable[str]) -> dict[str, JournalRow]:
        self.worker.at("journal")
        return super().get(keys)

    def claim(
        self, number: str, content_hash: str, seen: JournalRow | None, *, settle_after: float
    ) -> JournalRow | None:
        self.worker.at("before claim")
        self.worker.write_journal()
        entry = super().claim(number, content_hash, seen, settle_after=settle_after)
        if entry is not None:
            self.worker.claims[entry.key] = entry
        self.worker.at("after claim")
        return entry

    def record(self, row: JournalRow, *args: Any, **values: Any) -> bool:
        self.worker.at("before record")
        self.worker.write_journal()
        done = super().record(row, *args, **values)
        self.worker.at("after record")
        return done

    def import_booked(self, document: BookedDocument, content_hash: str) -> None:
        self.worker.at("before record")
        self.worker.write_journal()
        super().import_booked(document, content_hash)
        self.worker.at("after record")


class MortalClient(RunMyAccountsClient):
    """The client of a worker that may die."""

    worker: Worker

    def iter_invoices(self, **options: Any) -> Any:
        self.worker.at("reading")
        return super().iter_invoices(**options)

    def get_invoice(self, number: str, **options: Any) -> Any:
        self.worker.at("reading back")
        return super().get_invoice(number, **options)

    def create_invoice(self, entity: Any, **options: Any) -> None:
        try:
            super().create_invoice(entity, **options)
        finally:
            self.worker.at("in flight")
            self.worker.at("after reply")


@dataclass(frozen=True)
class MortalOutput(RunFolder):
    """The files of a worker that may die."""

    worker: Worker = None  # type: ignore[assignment]

    def write_outcomes(self, results: Iterable[tuple[DocumentResult, Any]], summary: RunSummary) -> None:
        self.worker.at("before outcome")
        super().write_outcomes(results, summary)


class MortalEvidence(EvidenceWriter):
    """The evidence of a worker that may die."""

    worker: Worker

    def write(
        self, facts: RunFacts, documents: Iterable[Mapping[str, Any]], on_linked: OnLinked | None = None
    ) -> EvidenceRef:
        self.worker.at("before evidence")
        return super().write(facts, documents, on_linked)


@dataclass
class Report:
    """What a worker left.

    :ivar rows: the outcome file by number (as compared); None if there is none, which a worker that died leaves.
    :ivar error: what its run raised.
    :ivar is_disturbed: whether its main thread was interrupted, a disk was full, or a mistake has shown.
    """

    worker: Worker
    rows: dict[str, dict[str, Any]] | None = None
    summary: RunSummary | None = None
    error: Exception | None = None
    plan: tuple[str, str] | None = None
    is_disturbed: bool = False


@dataclass
class Workshop:
    """Where workers bill: a service, a journal's database, storage, a clock.

    :param url: address of the service.
    :param engine: gives the journal's database of a worker.
    """

    url: str
    tenant: str
    engine: Callable[[str], Any]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    policy: Policy
    max_in_flight: int = 1
    files: MemoryFiles = field(default_factory=MemoryFiles)

    @property
    def evidence_folder(self) -> str:
        """The folder of the tenant's evidence."""
        return f"evidence/{self.tenant}"

    def bill(self, worker: Worker, records: list[dict[str, Any]]) -> Report:
        """Bill records until the end, or until the worker dies."""
        report = Report(worker)
        return self._work(report, lambda run: setattr(report, "summary", run.send(records)))

    def plan(self, worker: Worker, records: list[dict[str, Any]]) -> Report:
        """Plan only."""
        report = Report(worker)

        def plan(run: BillingRun[InvoiceDocument]) -> None:
            planned = run.plan(records)
            report.plan = planned.path, planned.digest

        return self._work(report, plan)

    def apply(self, worker: Worker, plan: tuple[str, str]) -> Report:
        """Carry a plan out."""
        report = Report(worker)
        path, digest = plan
        content = self.files.content[path]
        return self._work(
            report, lambda run: setattr(report, "summary", run.apply(PlanReader(BytesIO(content)), digest))
        )

    def _work(self, report: Report, do: Callable[[BillingRun[InvoiceDocument]], None]) -> Report:
        worker = report.worker
        folder = f"{worker.name}-{len(self.files.content)}"
        files = self.files if worker.room is None else FillingFiles(self.files, worker.room)
        config = ClientConfig(
            host=worker.spelling or self.url,
            tenant=self.tenant,
            token=worker.name,
            allow_writes=True,
            total_deadline=60.0,
            read_timeout=60.0,
            max_in_flight=self.max_in_flight,
        )
        client = MortalClient(config, retry=RetryPolicy(tries=2, uniform=lambda low, high: high), sleep=self.sleep)
        client.worker = worker
        with client:
            try:
                run = self._run(worker, client, RunFolder(files, folder, folder))
                with worker.interruption.arm(run.stop) if worker.interruption else nullcontext():
                    do(run)
            except RunMyAccountsError as error:
                report.error = error
            except OSError as error:
                if worker.room is None:
                    raise
                report.error = error
            except MistakeError as error:
                report.error = error
            except (Interrupted, SystemExit):
                pass
            except Killed:
                return report
        is_interrupted = worker.interruption is not None and worker.interruption.happened
        worker.storage_is_full = isinstance(files, FillingFiles) and files.is_full
        report.is_disturbed = is_interrupted or worker.is_disturbed
        written = self.files.content.get(f"{folder}/outcomes.ndjson")
        if written is not None and not worker.dead:
            # Of a file that could not be written to its end, the last line may be a part.
            lines = written.decode().split("\n")[:-1]
            report.rows = {row["number"].casefold(): row for row in map(json.loads, lines)}
        return report

    def _run(self, worker: Worker, client: MortalClient, folder: RunFolder) -> BillingRun[InvoiceDocument]:
        origin, engine = client.config.origin, self.engine(worker.name)
        journal = MortalJournal(
            engine, base_url=origin, tenant=self.tenant, kind="invoice", run=worker.name, clock=self.clock
        )
        journal.worker = worker
        evidence = MortalEvidence(engine, folder.fs, self.evidence_folder, origin, self.tenant)
        evidence.worker = worker
        output = MortalOutput(folder.fs, folder.folder, folder.url, worker=worker)
        provenance = Provenance(evidence)
        return BillingRun(
            InvoiceKind(client, self.policy), journal, output, failing_outcomes(None), provenance=provenance
        )
