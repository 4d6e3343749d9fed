"""Import of what a script has booked before: compare its source with the books, and journal what matches.

Nothing is ever sent. What looks as if it were booked under another number is blocked, so that no later run bills it a
second time, until a person has decided.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from airflow_provider_rma.billing.booked import BookedInvoice
from airflow_provider_rma.billing.files import IMPORT_REPORT, RunFolder
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.journal_import.booked_index import BookedIndex
from airflow_provider_rma.billing.journal_import.matching import Matcher
from airflow_provider_rma.billing.journal_import.model import ImportReport
from airflow_provider_rma.billing.journal_import.similarity import compare_loosely
from airflow_provider_rma.billing.kinds.invoice import list_booked_invoices
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument, read_invoice
from airflow_provider_rma.billing.numbers import read_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.policy import InputRules
from airflow_provider_rma.billing.records.model import Record, RefusedRecord
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import ConfigurationError, InvalidInputError
from airflow_provider_rma.schemas.date_range import EARLIEST_DAY, LATEST_DAY, DateRange
from airflow_provider_rma.schemas.notation import PLAIN, Notation

log = logging.getLogger(__name__)


@dataclass
class JournalImport:
    """Compares a source with the books of a tenant over a period, and journals what matches.

    :param journal: the tenant's journal of invoices; changed only if ``write`` is set.
    :param output: where the report file goes.
    :param first: first day of the period, inclusive.
    :param last: last day of the period, inclusive.
    :param write: journal what matches, and block what is probably booked under another number.
    :param accepted: numbers of which a person says that they are no duplicates.
    :param who: the person.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused without.
    :param notation: how the source writes amounts and dates as text.
    """

    client: RunMyAccountsClient
    journal: Journal
    output: RunFolder
    first: date
    last: date
    write: bool = False
    accepted: Collection[str] = ()
    who: str = ""
    input_timezone: str | None = None
    notation: Notation = PLAIN

    def run(self, records: Iterable[Record | RefusedRecord]) -> ImportReport:
        """Read both sides, compare, and report.

        :param records: the source, with RMA's field names, see :mod:`airflow_provider_rma.billing.records`.
        :raises ConfigurationError: if the period ends before it begins.
        :raises InvalidInputError: if the source cannot be read.
        :raises RequestError: if the list of invoices cannot be read to its end; nothing is journalled then.
        """
        if self.first > self.last:
            raise ConfigurationError("period: it ends before it begins", advice="Give the first day, then the last.")
        report = ImportReport(self.first, self.last)
        with WorkingSet[InvoiceDocument]() as working_set, BookedIndex() as index:
            self._read_source(records, working_set, index, report)
            self._read_books(working_set, index, report)
            report.path, stream = self.output.create(IMPORT_REPORT)
            with stream:
                matcher = Matcher(
                    working_set, index, self.journal, report, stream, self.write, self.accepted, self.who or "?"
                )
                if self.write:
                    note = "imported: booked before, by another program"
                    report.imported = self.journal.import_many(matcher.match(), note=note)
                else:
                    deque(matcher.match(), maxlen=0)
        log.info("Import: %s. File: %s", dict(report.counts), report.path)
        return report

    def _read_source(
        self,
        records: Iterable[Record | RefusedRecord],
        working_set: WorkingSet[InvoiceDocument],
        index: BookedIndex,
        report: ImportReport,
    ) -> None:
        for position, record in enumerate(records, start=1):
            result = self._read_record(position, record)
            if isinstance(result, DocumentResult):
                working_set.add_result(result, {})
            elif self.first <= result.booking_date <= self.last:
                working_set.add(result, {})
            else:
                index.set_aside(result.key)
                report.outside += 1
                continue
            report.source += 1
        for number, positions in working_set.repeated():
            where = ", ".join(map(str, positions))
            for position in positions:
                reason = f"invnumber: {number} stands at positions {where} of the source; keep the one that is meant"
                working_set.record_result(DocumentResult(position, number, Outcome.INVALID, (reason,)))

    def _read_record(self, position: int, record: Record | RefusedRecord) -> InvoiceDocument | DocumentResult:
        if isinstance(record, RefusedRecord):
            return DocumentResult(position, record.number, record.outcome, record.reasons)
        # Whatever the script has billed counts, in every currency.
        currencies = {"CHF", str(record.get("currency") or "CHF")}
        rules = InputRules(
            send_customers=True,
            currencies=currencies,
            input_timezone=self.input_timezone,
            notation=self.notation,
            date_range=DateRange(EARLIEST_DAY, LATEST_DAY),
        )
        try:
            return read_invoice(record, position, rules)
        except InvalidInputError as error:
            number = read_number(record, "invnumber")
            return DocumentResult(position, number, Outcome.INVALID, tuple(map(str, error.problems)))

    def _read_books(self, working_set: WorkingSet[InvoiceDocument], index: BookedIndex, report: ImportReport) -> None:
        for entity in list_booked_invoices(self.client):
            report.read += 1
            booked = BookedInvoice.from_rma(entity)
            document = working_set.document(booked.key)
            index.add(booked, compare_loosely(document, entity) if document else None)
