"""Statistics of a plan or a run for a person who decides, gathered in one pass over its rows.

Only numbers, totals, dates and our own sentences are taken from a row, never its document or its record. Memory is
bounded by limits, except for one counter per customer and one small number per document.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from statistics import median
from typing import Any, Self

import pendulum

from airflow_provider_rma.billing.outcomes import CREATE, GOOD, Outcome
from airflow_provider_rma.billing.pages.tallies import EXAMPLES, Reasons, Sample, Tally
from airflow_provider_rma.billing.plan_file import PlanHeader
from airflow_provider_rma.formatting import ZURICH

#: An amount this many times the median is unusual; with fewer documents than ``_FEW`` nothing is.
UNUSUAL = 10
#: A customer who gets more documents than this is named.
MANY = 5
_FEW = 5

#: Documents that a page lists one by one.
LISTED = 2_000
_LARGEST = 10


class DocumentType(StrEnum):
    """Type of a document by its sign."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit note"


#: Outcome or decision, type of document, currency.
DocumentGroup = tuple[str, DocumentType, str]


@dataclass(frozen=True)
class ListedDocument:
    """One document of a list."""

    number: str
    outcome: str
    net: Decimal | None
    gross: Decimal | None
    currency: str
    transdate: str = ""
    customernumber: str = ""
    document_id: str = ""

    @property
    def amount(self) -> Decimal | None:
        """Total with tax, or without where only that is known."""
        return self.net if self.gross is None else self.gross

    @property
    def document_type(self) -> DocumentType:
        """Credit note if the amount is negative, else invoice."""
        is_negative = self.amount is not None and self.amount < 0
        return DocumentType.CREDIT_NOTE if is_negative else DocumentType.INVOICE

    @classmethod
    def from_row(cls, row: Mapping[str, Any], outcome: str) -> Self:
        """Take what is listed from a row of an outcome file or a line of a plan."""
        return cls(
            number=str(row.get("number") or "")[:64],
            outcome=outcome,
            net=_to_decimal(row.get("net")),
            gross=_to_decimal(row.get("gross")),
            currency=str(row.get("currency") or "CHF"),
            transdate=str(row.get("transdate") or ""),
            customernumber=str(row.get("customernumber") or "")[:64],
            document_id=str(row.get("document_id") or ""),
        )


@dataclass
class PlanStatistics:
    """Statistics of a plan.

    :param plan_hash: SHA-256 of the plan file.
    :param today: the present day in Zurich.
    :param decisions: sums by decision, type of document and currency.
    :param months: sums of what would be sent in CHF, by month (``2026-10``) and type of document.
    :param shapes: documents that would be sent, by how RMA books them.
    :param largest: the largest documents that would be sent in CHF, the largest first.
    :param median: of the amounts without sign that would be sent in CHF, None if there are too few.
    :param unusual: documents of more than ten times the median.
    :param listed: the first documents.
    """

    header: PlanHeader
    plan_hash: str
    today: date
    decisions: dict[DocumentGroup, Tally] = field(default_factory=dict)
    months: dict[tuple[str, DocumentType], Tally] = field(default_factory=dict)
    shapes: Counter[str] = field(default_factory=Counter)
    reasons: Reasons = field(default_factory=Reasons)
    largest: list[ListedDocument] = field(default_factory=list)
    median: Decimal | None = None
    unusual: Sample = field(default_factory=Sample)
    future: Sample = field(default_factory=Sample)
    old: Sample = field(default_factory=Sample)
    zero: Sample = field(default_factory=Sample)
    unpriced: Sample = field(default_factory=Sample)
    alike: Sample = field(default_factory=Sample)
    busy: list[tuple[str, int]] = field(default_factory=list)
    busy_customers: int = 0
    listed: list[ListedDocument] = field(default_factory=list)
    documents: int = 0

    def count(self, decision: str, document_type: DocumentType | None = None) -> int:
        """Count the documents of a decision, in any currency."""
        return sum(
            tally.documents
            for (name, type_, _), tally in self.decisions.items()
            if name == decision and document_type in (None, type_)
        )


def gather_plan_statistics(
    header: PlanHeader, rows: Iterable[Mapping[str, Any]], *, plan_hash: str = "", today: date | None = None
) -> PlanStatistics:
    """Gather the statistics of a plan.

    :param rows: the lines of the plan after its header, read once.
    :param plan_hash: SHA-256 of the plan file.
    :param today: the present day; today in Zurich if None.
    """
    plan = PlanStatistics(header, plan_hash, today or pendulum.now(ZURICH).date())
    gatherer = _PlanGatherer(plan)
    for row in rows:
        gatherer.add(row)
    gatherer.finish()
    return plan


class _PlanGatherer:
    def __init__(self, plan: PlanStatistics) -> None:
        self._plan = plan
        self._cents = array("q")
        self._heap: list[tuple[Decimal, int, ListedDocument]] = []
        self._customers: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._year_ago = plan.today.replace(day=1, year=plan.today.year - 1).isoformat()

    def add(self, row: Mapping[str, Any]) -> None:
        plan = self._plan
        document = ListedDocument.from_row(row, str(row["decision"]))
        plan.documents += 1
        if len(plan.listed) < LISTED:
            plan.listed.append(document)
        _tally(plan.decisions, (document.outcome, document.document_type, document.currency), document)
        if document.outcome == CREATE:
            self._add_sent(document, row)
        elif document.outcome != Outcome.UNCHANGED:
            plan.reasons.add(document.outcome, row.get("reasons") or (), document.number, int(row["position"]))

    def _add_sent(self, document: ListedDocument, row: Mapping[str, Any]) -> None:
        plan = self._plan
        plan.shapes[booking_shape(row, document)] += 1
        self._customers[document.customernumber] += 1
        if document.transdate > plan.today.isoformat():
            plan.future.add(document.number)
        elif document.transdate and document.transdate < self._year_ago:
            plan.old.add(document.number)
        if document.amount is None:
            plan.unpriced.add(document.number)
            return
        alike = hash((document.customernumber, document.transdate, document.amount, document.currency))
        if alike in self._seen:
            plan.alike.add(document.number)
        self._seen.add(alike)
        if document.amount == 0:
            plan.zero.add(document.number)
        if document.currency == "CHF":
            _tally(plan.months, (document.transdate[:7], document.document_type), document)
            self._cents.append(int(abs(document.amount) * 100))
            # The position decides between equal amounts, so documents are never compared.
            heapq.heappush(self._heap, (abs(document.amount), -int(row["position"]), document))
            if len(self._heap) > _LARGEST:
                heapq.heappop(self._heap)

    def finish(self) -> None:
        plan = self._plan
        plan.largest = [document for _, _, document in sorted(self._heap, reverse=True)]
        if len(self._cents) >= _FEW:
            middle = int(median(self._cents))
            plan.median = Decimal(middle) / 100
            plan.unusual.count = sum(cents > UNUSUAL * middle for cents in self._cents) if middle else 0
            examples = min(EXAMPLES, plan.unusual.count)
            plan.unusual.numbers = [document.number for document in plan.largest[:examples]]
        many = [(number, count) for number, count in self._customers.items() if count > MANY]
        plan.busy_customers = len(many)
        plan.busy = heapq.nlargest(EXAMPLES, many, key=lambda pair: pair[1])


@dataclass
class RunStatistics:
    """Statistics of a run.

    :param counts: documents by outcome.
    :param totals: sums by outcome, type of document and currency.
    :param reasons: of what needs attention.
    :param remarks: reasons of documents that are as they should be, e.g. texts that differ in RMA.
    :param unchecked: how many documents could not be compared in a field, by field.
    :param listed: the first documents.
    """

    counts: Counter[str] = field(default_factory=Counter)
    totals: dict[DocumentGroup, Tally] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)
    remarks: Reasons = field(default_factory=Reasons)
    unchecked: Counter[str] = field(default_factory=Counter)
    listed: list[ListedDocument] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return self.counts.total()


def gather_run_statistics(rows: Iterable[Mapping[str, Any]]) -> RunStatistics:
    """Gather the statistics of a run.

    :param rows: the rows of the outcome file, read once.
    """
    run = RunStatistics()
    for row in rows:
        document = ListedDocument.from_row(row, str(row["outcome"]))
        run.counts[document.outcome] += 1
        if len(run.listed) < LISTED:
            run.listed.append(document)
        if document.amount is not None:
            _tally(run.totals, (document.outcome, document.document_type, document.currency), document)
        run.unchecked.update(row.get("unchecked") or ())
        reasons = row.get("reasons") or ()
        if document.outcome not in GOOD:
            run.reasons.add(document.outcome, reasons, document.number, int(row["position"]))
        elif reasons:
            run.remarks.add(document.outcome, reasons, document.number, int(row["position"]))
    return run


def booking_shape(row: Mapping[str, Any], document: ListedDocument) -> str:
    """Describe in words how RMA books a document: the first of each shape is sent alone and verified."""
    wire = (row.get("document") or {}).get("wire") or {}
    entries = (wire.get("taxentries") or {}).get("taxentry") or []
    accounts = sorted({str(entry.get("tax_accno")) for entry in entries})
    return ", ".join(
        [
            "articles" if wire.get("parts") else "booking",
            document.currency,
            document.document_type,
            *(["tax included"] if str(wire.get("taxincluded")).lower() == "true" else []),
            *([f"tax account {' '.join(accounts)}"] if accounts else []),
        ]
    )


def _tally(tallies: dict[Any, Tally], key: Any, document: ListedDocument) -> None:
    tallies.setdefault(key, Tally()).add(document.net, document.gross)


def _to_decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
