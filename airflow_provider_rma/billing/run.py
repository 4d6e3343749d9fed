"""A billing run: read records, plan, send, report."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.documents import Document, read_invoice, record_number
from airflow_provider_rma.billing.journal import Journal
from airflow_provider_rma.billing.outcomes import Outcome, Row, Summary
from airflow_provider_rma.billing.plan import Planner, Policy
from airflow_provider_rma.billing.post import Poster
from airflow_provider_rma.billing.progress import Progress
from airflow_provider_rma.billing.report import Output, finish
from airflow_provider_rma.billing.spool import Spool
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    InvalidInputError,
    RunMyAccountsError,
)

log = logging.getLogger(__name__)

#: This many unknown outcomes in a row stop a run.
UNKNOWN_IN_A_ROW = 2


@dataclass
class InvoiceRun:
    """Bill invoices and credit notes of one tenant.

    :param client: the tenant's client.
    :param journal: the tenant's journal of invoices.
    :param output: where outcome and rejects are written.
    :param run: identity of the run.
    :param failing: outcomes that fail the run.
    :param refused_customers: reasons by number of customers who were refused before.
    :param stop: set by whoever wants the run to end: no further document is sent then.
    """

    client: RunMyAccountsClient
    journal: Journal
    policy: Policy
    output: Output
    run: str
    failing: frozenset[Outcome]
    refused_customers: Mapping[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def bill(self, records: Iterable[Mapping[str, Any]]) -> Summary:
        """Validate everything, decide about everything, then send what is to be sent, one document at a time.

        :param records: RMA's invoice fields in Python types or text, see :mod:`airflow_provider_rma.billing.sources`.
        :returns: counts, totals and the paths of the files.
        :raises BillingError: if an outcome occurred that fails the run; everything else was carried out.
        :raises RunMyAccountsError: if the run could not go on; what was sent before is in the outcome file.
        """
        summary = Summary("invoices", self.run)
        failure: RunMyAccountsError | None = None
        with Spool() as spool:
            try:
                self._load(spool, records)
                planner = Planner(spool, self.client, self.journal, self.policy, self.refused_customers)
                summary.retry_at = planner.run()
                self._send(spool, summary)
            except RunMyAccountsError as error:
                failure = error
            finally:
                # Also when the task is being killed: what was sent must be on file.
                self.output.write(spool.rows(), summary)
        return finish(summary, self.failing, failure)

    def _load(self, spool: Spool, records: Iterable[Mapping[str, Any]]) -> None:
        for position, record in enumerate(records, start=1):
            number = record_number(record)
            result: Document | Row
            try:
                result = read_invoice(record, position, self.policy.rules)
            except InvalidInputError as error:
                result = Row(position, number, Outcome.INVALID, tuple(map(str, error.problems)))
            spool.add(position, number, record, result)
        log.info("Read and checked %d records.", spool.count())

    def _send(self, spool: Spool, summary: Summary) -> None:
        count, amount = self._measure(spool)
        if reason := self._cap(count, amount):
            self._hold(spool, reason, summary)
            return
        poster = Poster(self.client, self.journal, self.policy)
        progress = Progress(count, "invoices sent")
        unknown = 0
        for document in spool.to_create():
            if self.stop.is_set():
                self._hold(spool, "the task was asked to end", summary)
                return
            seen = self.journal.get([document.key]).get(document.key)
            try:
                row = poster.post(document, seen)
            except (ConnectionNotMadeError, AuthenticationError, ConfigurationError) as error:
                self._hold(spool, error.message, summary)
                raise
            spool.settle(row)
            progress.step()
            unknown = unknown + 1 if row.outcome == Outcome.UNKNOWN else 0
            if reason := _brake(row, unknown):
                self._hold(spool, reason, summary)
                return

    def _measure(self, spool: Spool) -> tuple[int, Decimal]:
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

    def _hold(self, spool: Spool, reason: str, summary: Summary) -> None:
        summary.stopped = reason
        for document in spool.to_create():
            spool.settle(Row(document.position, document.number, Outcome.HELD, (f"not sent: {reason}",)))


def _brake(row: Row, unknown_in_a_row: int) -> str:
    """Why a run must stop after this row, empty if it may go on."""
    if row.outcome == Outcome.CONFLICT:
        return f"invoice {row.number} was booked otherwise than meant; find out why before more is sent"
    if row.outcome == Outcome.DUPLICATE:
        return f"invoice {row.number} is in the books more than once"
    if unknown_in_a_row >= UNKNOWN_IN_A_ROW:
        return f"{unknown_in_a_row} documents in a row got no reliable answer"
    return ""
