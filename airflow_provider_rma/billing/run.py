"""A run: read records, plan, send, report."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic

from airflow_provider_rma.billing.files import PLAN, PLAN_PAGE, PLAN_SUMMARY, RunFolder, hash_record, plan_file_name
from airflow_provider_rma.billing.journal.runs import RunRegistry
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.base import D, DocumentKind
from airflow_provider_rma.billing.numbers import read_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary
from airflow_provider_rma.billing.pages.html import render_plan
from airflow_provider_rma.billing.pages.markdown import render_plan_markdown
from airflow_provider_rma.billing.pages.statistics import gather_plan_statistics
from airflow_provider_rma.billing.plan_file import PlanHeader, PlanReader, PlanWriter, check_digest, load_plan
from airflow_provider_rma.billing.planner import Planner
from airflow_provider_rma.billing.records.model import Record, RefusedRecord
from airflow_provider_rma.billing.run_record import Provenance, RunRecord
from airflow_provider_rma.billing.send_queue import SendQueue
from airflow_provider_rma.billing.sender import DocumentSender
from airflow_provider_rma.billing.storage import try_temporary_folder
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.formatting import format_amount

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanResult:
    """A plan on file.

    :param path: the plan file; ``digest`` is its SHA-256.
    :param markdown: a summary for approval: counts, totals and numbers, at most 4,000 characters.
    :param page: path of a page (HTML) with the same in more detail.
    """

    header: PlanHeader
    path: str
    digest: str
    markdown: str
    page: str


@dataclass(frozen=True)
class BillingRun(Generic[D]):
    """One run over documents of one kind and one tenant.

    :param journal: the tenant's journal of this kind; it holds the identity of the run.
    :param folder: where plan, outcomes and rejects are written.
    :param failing: outcomes that fail the run.
    :param stop: set to end the run: no further document is sent then.
    :param provenance: who and what stands behind the run.
    """

    kind: DocumentKind[D]
    journal: Journal
    folder: RunFolder
    failing: frozenset[Outcome] = frozenset()
    stop: threading.Event = field(default_factory=threading.Event)
    provenance: Provenance = field(default_factory=Provenance)

    def plan(self, records: Iterable[Record | RefusedRecord]) -> PlanResult:
        """Validate and decide, and write the plan with a page to read; nothing is sent.

        The files are named by the plan's hash, so that no other plan takes their place. The plan itself is the last of
        them to have its name: it never stands without its page.

        :raises StorageError: before anything is read, if that folder or the temporary one cannot be written.
        """
        config, closed = self.kind.client.config, self.kind.policy.closed_until
        try_temporary_folder()
        self.folder.try_writing()
        with WorkingSet[D]() as working_set:
            input_hash = self._load(working_set, records)
            self._planner(working_set).run()
            header = PlanHeader(
                config.tenant,
                config.origin,
                self.journal.run,
                input_hash,
                closed_until=closed.isoformat() if closed else "",
            )
            with self.folder.create_unfinished() as file:
                writer = PlanWriter(file.stream, header, working_set)
                statistics = gather_plan_statistics(header, writer.write())
                statistics.plan_hash = writer.digest
                markdown = render_plan_markdown(statistics)
                self.folder.write_text(plan_file_name(writer.digest, PLAN_SUMMARY), markdown)
                page = self.folder.write_text(plan_file_name(writer.digest, PLAN_PAGE), render_plan(statistics))
                reach("plan.unnamed")
                path = file.finish(plan_file_name(writer.digest, PLAN))
        counts = ", ".join(f"{count} {decision}" for decision, count in header.counts.items()) or "no records"
        log.info(
            "Plan: %s; to be sent CHF %s. Page: %s; file: %s",
            counts, format_amount(Decimal(header.amount)), page, path,
        )  # fmt: skip
        return PlanResult(header, path, writer.digest, markdown, page)

    def send(self, records: Iterable[Record | RefusedRecord]) -> RunSummary:
        """Validate everything, decide about everything, then send what is to be sent.

        :param records: RMA's fields in Python types or text, see :mod:`airflow_provider_rma.billing.records`.
        :returns: counts, totals and the paths of the files.
        :raises BillingError: if an outcome occurred that fails the run; everything else was carried out.
        :raises RunMyAccountsError: if the run could not go on; what was sent before is in the outcome file.
        """
        with self._recorded() as (working_set, record):
            record.summary.input_hash = self._load(working_set, records)
            self._carry_out(working_set, record)
        return record.summary

    def apply(self, reader: PlanReader, plan_hash: str | None = None, *, spares_planned: bool = False) -> RunSummary:
        """Carry out exactly a plan: nothing is sent that the plan does not send, and of that only what is still absent.

        :param reader: the plan.
        :param plan_hash: SHA-256 of the plan that was approved; None accepts the file as it is.
        :param spares_planned: whether a record that ends as the plan says, e.g. ``invalid``, leaves the run good: a
            person has approved that it is not sent.
        :raises ConfigurationError: if the plan is another tenant's or is not the one that was approved.
        :raises BillingError: see :meth:`send`.
        """
        if plan_hash is not None:
            check_digest(plan_hash)
        with self._recorded() as (working_set, record):
            summary = record.summary
            summary.spares_planned = spares_planned
            header, config = reader.header, self.kind.client.config
            if (header.tenant, header.service) != (config.tenant, config.origin):
                made_for = f"tenant {header.tenant} of {header.service}"
                raise ConfigurationError(
                    f"plan: made for {made_for}, not for {config.tenant} of {config.origin}",
                    advice="Apply it with the connection it was made with.",
                )
            load_plan(self.kind, working_set, reader)
            summary.input_hash, summary.plan_hash = header.input_hash, reader.digest
            if plan_hash not in (None, reader.digest):
                raise ConfigurationError(
                    "plan: the file is not the one that was approved (its SHA-256 differs)", advice="Plan again."
                )
            self._carry_out(working_set, record)
        return record.summary

    @contextmanager
    def _recorded(self) -> Iterator[tuple[WorkingSet[D], RunRecord]]:
        """Open the working set of a run that is put on record, however it ends."""
        summary = RunSummary(self.kind.plural, self.journal.run, has_totals=self.kind.has_totals)
        with (
            WorkingSet[D]() as working_set,
            RunRecord(
                summary,
                working_set.results,
                self.folder,
                self.kind.client.config,
                self.kind.policy,
                self.failing,
                self.provenance,
                RunRegistry(self.journal),
            ) as record,
        ):
            yield working_set, record

    def _load(self, working_set: WorkingSet[D], records: Iterable[Record | RefusedRecord]) -> str:
        """Validate records, each once, into the working set.

        :returns: SHA-256 over the records.
        """
        digest = hashlib.sha256()
        for position, record in enumerate(records, start=1):
            if isinstance(record, RefusedRecord):
                result = DocumentResult(position, record.number, record.outcome, record.reasons)
                record = record.record
                working_set.add_result(result, record)
            else:
                self._read(working_set, record, position)
            digest.update(hash_record(record))
        log.info("Read and checked %d records.", working_set.count())
        return digest.hexdigest()

    def _read(self, working_set: WorkingSet[D], record: Record, position: int) -> None:
        try:
            document = self.kind.read(record, position)
        except InvalidInputError as error:
            number = read_number(record, self.kind.number_field)
            reasons = tuple(map(str, error.problems))
            working_set.add_result(DocumentResult(position, number, Outcome.INVALID, reasons), record)
        else:
            working_set.add(document, record)

    def _planner(self, working_set: WorkingSet[D]) -> Planner[D]:
        return Planner(self.kind, self.journal, working_set)

    def _carry_out(self, working_set: WorkingSet[D], record: RunRecord) -> None:
        summary = record.summary
        planner = self._planner(working_set)
        planner.run()
        summary.retry_at, summary.alarms = planner.retry_at, planner.alarms
        # After the books were read, so that what an earlier run left in doubt is settled as far as they say.
        record.complete_earlier()
        count, amount = working_set.measure()
        if not count:
            return
        sum_without_sign = f", CHF {format_amount(amount)} (sum without sign)" if self.kind.has_totals else ""
        log.info("To be sent: %d %s%s.", count, self.kind.plural, sum_without_sign)
        queue = SendQueue(
            DocumentSender(self.kind, self.journal), working_set, planner.seen, self.stop, record.append_outcome
        )
        queue.stopped = self.kind.exceeded_cap(count, amount)
        if not queue.stopped:
            record.begin_sending(working_set.decided_results())
        try:
            queue.run(count)
        finally:
            # A second interruption may have cut the first waiting short.
            queue.finish()
            summary.stopped = queue.stopped
