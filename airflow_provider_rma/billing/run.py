"""A billing run: read records, plan, send, report."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.files import PLAN, PLAN_PAGE, PLAN_SUMMARY, RunFolder, hash_record
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import Document, read_invoice
from airflow_provider_rma.billing.numbers import read_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary
from airflow_provider_rma.billing.pages.html import render_plan
from airflow_provider_rma.billing.pages.markdown import render_plan_markdown
from airflow_provider_rma.billing.pages.statistics import gather_plan_statistics
from airflow_provider_rma.billing.plan_file import PlanHeader, PlanReader, load_plan, plan_lines, write_plan
from airflow_provider_rma.billing.planner import Planner
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run_record import Provenance, RunRecord
from airflow_provider_rma.billing.send_queue import SendQueue
from airflow_provider_rma.billing.sender import InvoiceSender
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError

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


@dataclass
class InvoiceRun:
    """Bill invoices and credit notes of one tenant.

    :param client: the tenant's client.
    :param journal: the tenant's journal of invoices.
    :param output: where plan, outcome and rejects are written.
    :param run: identity of the run.
    :param failing: outcomes that fail the run.
    :param refused_customers: reasons by number of customers who were refused before.
    :param stop: set by whoever wants the run to end: no further document is sent then.
    :param witness: what puts the run on record.
    """

    client: RunMyAccountsClient
    journal: Journal
    policy: Policy
    output: RunFolder
    run: str
    failing: frozenset[Outcome]
    refused_customers: Mapping[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    witness: Provenance = field(default_factory=Provenance)

    def plan(self, records: Iterable[Mapping[str, Any]]) -> PlanResult:
        """Validate and decide, and write the plan with a page to read; nothing is sent."""
        with WorkingSet() as spool:
            input_hash = self._load(spool, records)
            self._planner(spool).run()
            config = self.client.config
            closed = self.policy.closed_until
            header = PlanHeader(
                config.tenant, config.origin, self.run, input_hash, closed_until=closed.isoformat() if closed else ""
            )
            path, stream = self.output.create(PLAN)
            with stream:
                digest = write_plan(stream, header, spool)
            statistics = gather_plan_statistics(header, plan_lines(spool), plan_hash=digest)
        markdown = render_plan_markdown(statistics)
        self.output.write_text(PLAN_SUMMARY, markdown)
        page = self.output.write_text(PLAN_PAGE, render_plan(statistics))
        log.info("Plan: %s; to be sent CHF %s. File: %s", header.counts, header.amount, path)
        return PlanResult(header, path, digest, markdown, page)

    def bill(self, records: Iterable[Mapping[str, Any]]) -> RunSummary:
        """Validate everything, decide about everything, then send what is to be sent.

        :param records: RMA's invoice fields in Python types or text, see :mod:`airflow_provider_rma.billing.records`.
        :returns: counts, totals and the paths of the files.
        :raises BillingError: if an outcome occurred that fails the run; everything else was carried out.
        :raises RunMyAccountsError: if the run could not go on; what was sent before is in the outcome file.
        """
        summary = RunSummary("invoices", self.run)

        def load(spool: WorkingSet) -> None:
            summary.input_hash = self._load(spool, records)

        return self._carry_out(summary, load)

    def apply(self, reader: PlanReader, plan_hash: str | None = None) -> RunSummary:
        """Carry out exactly a plan: nothing is sent that the plan does not send, and of that only what is still absent.

        :param reader: the plan.
        :param plan_hash: SHA-256 of the plan that was approved; None accepts the file as it is.
        :raises ConfigurationError: if the plan is another tenant's or is not the one that was approved.
        :raises BillingError: as :meth:`bill`.
        """
        summary = RunSummary("invoices", self.run)

        def load(spool: WorkingSet) -> None:
            header, config = reader.header, self.client.config
            if (header.tenant, header.service) != (config.tenant, config.origin):
                made_for = f"tenant {header.tenant} of {header.service}"
                raise ConfigurationError(
                    f"plan: made for {made_for}, not for {config.tenant} of {config.origin}",
                    advice="Apply it with the connection it was made with.",
                )
            load_plan(spool, reader)
            summary.input_hash, summary.plan_hash = header.input_hash, reader.digest
            if plan_hash and plan_hash != reader.digest:
                raise ConfigurationError(
                    "plan: the file is not the one that was approved (its SHA-256 differs)", advice="Plan again."
                )

        return self._carry_out(summary, load)

    def _carry_out(self, summary: RunSummary, load: Callable[[WorkingSet], None]) -> RunSummary:
        with WorkingSet() as spool, self._record(summary, spool):
            load(spool)
            planner = self._planner(spool)
            planner.run()
            summary.retry_at, summary.alarms = planner.retry_at, planner.alarms
            self._send(spool, planner, summary)
        return summary

    def _record(self, summary: RunSummary, spool: WorkingSet) -> RunRecord:
        return RunRecord(summary, spool.rows, self.output, self.client.config, self.policy, self.failing, self.witness)

    def _planner(self, spool: WorkingSet) -> Planner:
        return Planner(spool, self.client, self.journal, self.policy, self.refused_customers)

    def _load(self, spool: WorkingSet, records: Iterable[Mapping[str, Any]]) -> str:
        """Validate records into a spool.

        :returns: SHA-256 over the records.
        """
        digest = hashlib.sha256()
        for position, record in enumerate(records, start=1):
            digest.update(hash_record(record))
            result: Document | DocumentResult
            try:
                result = read_invoice(record, position, self.policy.rules)
            except InvalidInputError as error:
                reasons = tuple(map(str, error.problems))
                result = DocumentResult(position, read_number(record, "invnumber"), Outcome.INVALID, reasons)
            spool.add(position, read_number(record, "invnumber"), record, result)
        log.info("Read and checked %d records.", spool.count())
        return digest.hexdigest()

    def _send(self, spool: WorkingSet, planner: Planner, summary: RunSummary) -> None:
        count, amount = self._measure(spool)
        summary.stopped = self._cap(count, amount)
        if count and not summary.stopped:
            poster = InvoiceSender(self.client, self.journal, self.policy)
            in_flight = self.client.config.max_in_flight
            sender = SendQueue(spool, poster, planner.seen, max_in_flight=in_flight, stop=self.stop)
            try:
                sender.run(count)
            finally:
                summary.stopped = sender.stopped
                self._hold(spool, sender.stopped or "the run ended early")
        elif count:
            self._hold(spool, summary.stopped)

    def _measure(self, spool: WorkingSet) -> tuple[int, Decimal]:
        """Number of documents to send and the sum of their amounts without sign, in CHF as far as they can be known."""
        count, amount = 0, Decimal(0)
        for document in spool.to_create():
            figures = document.figures
            total = figures.gross if figures.gross is not None else figures.net
            count, amount = count + 1, amount + abs(total or Decimal(0))
        if count:
            log.info("To be sent: %d documents, CHF %s (sum without sign).", count, amount)
        return count, amount

    def _cap(self, count: int, amount: Decimal) -> str:
        if count > self.policy.max_count:
            return f"{count} documents are more than the {self.policy.max_count} that max_count allows one run to send"
        if amount > self.policy.max_amount:
            return f"CHF {amount} is more than the CHF {self.policy.max_amount} that max_amount allows one run to send"
        return ""

    def _hold(self, spool: WorkingSet, reason: str) -> None:
        for document in spool.to_create():
            spool.settle(DocumentResult(document.position, document.number, Outcome.HELD, (f"not sent: {reason}",)))
