"""What a person must know of a plan or of a run, gathered in one pass over its rows.

Only numbers, totals, dates and our own sentences are taken from a row, never its document or its record. Memory is
bounded by limits, except for one counter per customer and one small number per document.
"""

from __future__ import annotations

import heapq
import re
import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pendulum

from airflow_provider_rma.billing.outcomes import CREATE, GOOD, Outcome
from airflow_provider_rma.billing.plan_file import PlanHeader

#: An amount this many times the median is unusual; with fewer documents than ``_FEW`` nothing is.
UNUSUAL = 10
#: A customer who gets more documents than this is named.
MANY = 5
_FEW = 5

#: Documents that a page lists one by one.
LISTED = 2_000
_LARGEST = 10
_GROUPS = 200
_NUMBERS = 20
_EXAMPLES = 5

INVOICE, CREDIT_NOTE = "invoice", "credit note"

_INDEX = re.compile(r"\[\d+\]")


@dataclass
class Tally:
    """Sums of documents of one currency.

    :param documents: how many there are.
    :param net: sum of the totals without tax that are known.
    :param gross: sum of the totals with tax that are known.
    :param amount: sum of the totals with tax, or without where only that is known.
    :param net_known: of how many documents ``net`` is the sum.
    :param gross_known: of how many documents ``gross`` is the sum.
    """

    documents: int = 0
    net: Decimal = Decimal("0.00")
    gross: Decimal = Decimal("0.00")
    amount: Decimal = Decimal("0.00")
    net_known: int = 0
    gross_known: int = 0

    def add(self, net: Decimal | None, gross: Decimal | None) -> None:
        """Count a document."""
        self.documents += 1
        self.amount += gross if gross is not None else net if net is not None else Decimal(0)
        if net is not None:
            self.net, self.net_known = self.net + net, self.net_known + 1
        if gross is not None:
            self.gross, self.gross_known = self.gross + gross, self.gross_known + 1

    def include(self, other: Tally) -> None:
        """Count the documents of another tally."""
        self.documents += other.documents
        self.amount += other.amount
        self.net, self.net_known = self.net + other.net, self.net_known + other.net_known
        self.gross, self.gross_known = self.gross + other.gross, self.gross_known + other.gross_known


@dataclass
class Sample:
    """A count, and the first of what is counted."""

    count: int = 0
    numbers: list[str] = field(default_factory=list)

    def add(self, number: str, limit: int = _EXAMPLES) -> None:
        """Count one."""
        self.count += 1
        if len(self.numbers) < limit:
            self.numbers.append(number)


@dataclass
class ReasonGroup(Sample):
    """Documents that share a reason: words in which their sentences differ are given as ``…``.

    :param first: the words of the first of them.
    """

    outcome: str = ""
    first: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    position: int = 0

    @property
    def sentence(self) -> str:
        """The reason."""
        return " ".join(self.words)

    @property
    def example(self) -> str:
        """What stands in place of each ``…`` in the first of them, empty if they do not differ."""
        pairs = zip(self.first, self.words, strict=True)
        return ", ".join(own.strip(",;.") for own, common in pairs if common == "…")


class Reasons:
    """Reasons of many documents, grouped by outcome and by what they say apart from numbers and dates."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, tuple[str, ...]], ReasonGroup] = {}

    def add(self, outcome: str, reasons: Iterable[str], number: str, position: int) -> None:
        """Count the reasons of one document."""
        for reason in list(reasons) or ["no reason is given"]:
            words = _without_address(reason, number, position).split()
            key = outcome, tuple("#" if any(sign.isdigit() for sign in word) else word for word in words)
            if key not in self._groups and len(self._groups) >= _GROUPS:
                words = ["other", "reasons,", "see", "the", "file"]
                key = outcome, ()
            group = self._groups.setdefault(key, ReasonGroup(outcome=outcome, first=words, words=words))
            group.words = [old if old == new else "…" for old, new in zip(group.words, words, strict=True)]
            if group.position != position:
                group.position = position
                group.add(number or f"record {position}", _NUMBERS)

    def groups(self, outcome: str | None = None) -> list[ReasonGroup]:
        """The groups, of one outcome or of all, the largest first."""
        chosen = (group for group in self._groups.values() if outcome in (None, group.outcome))
        return sorted(chosen, key=lambda group: -group.count)


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


@dataclass
class PlanStatistics:
    """A plan as a person reads it.

    :param plan_hash: SHA-256 of the plan file.
    :param today: the present day in Zurich.
    :param decisions: sums by decision, sort of document and currency.
    :param months: sums of what would be sent in CHF, by month (``2026-10``) and sort.
    :param shapes: documents that would be sent, by how RMA books them.
    :param largest: the largest documents that would be sent in CHF, the largest first.
    :param median: of the amounts without sign that would be sent in CHF, None if there are too few.
    :param unusual: documents of more than ten times the median.
    :param lines: the first documents.
    """

    header: PlanHeader
    plan_hash: str
    today: date
    decisions: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    months: dict[tuple[str, str], Tally] = field(default_factory=dict)
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
    lines: list[ListedDocument] = field(default_factory=list)
    documents: int = 0

    def of(self, decision: str) -> Tally:
        """Sums of a decision over sorts, in CHF."""
        total = Tally()
        for (name, _, currency), tally in self.decisions.items():
            if name == decision and currency == "CHF":
                total.include(tally)
        return total

    def count(self, decision: str, sort: str | None = None) -> int:
        """Documents of a decision, in any currency."""
        return sum(
            tally.documents
            for (name, one, _), tally in self.decisions.items()
            if name == decision and sort in (None, one)
        )


def review_plan(
    header: PlanHeader, rows: Iterable[Mapping[str, Any]], *, plan_hash: str = "", today: date | None = None
) -> PlanStatistics:
    """Gather what a person must know before approving a plan.

    :param rows: the lines of the plan after its header, read once.
    :param plan_hash: SHA-256 of the plan file.
    :param today: the present day; today in Zurich if None.
    """
    day = today or pendulum.now("Europe/Zurich").date()
    review = PlanStatistics(header, plan_hash, day)
    gatherer = _PlanGatherer(review)
    for row in rows:
        gatherer.add(row)
    gatherer.finish()
    return review


class _PlanGatherer:
    def __init__(self, review: PlanStatistics) -> None:
        self._review = review
        self._cents = array("q")
        self._heap: list[tuple[Decimal, int, ListedDocument]] = []
        self._customers: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._year_ago = review.today.replace(day=1, year=review.today.year - 1).isoformat()

    def add(self, row: Mapping[str, Any]) -> None:
        review = self._review
        line = _line(row, str(row["decision"]))
        sort = sort_of(line.amount)
        review.documents += 1
        if len(review.lines) < LISTED:
            review.lines.append(line)
        tally(review.decisions, (line.outcome, sort, line.currency), line)
        if line.outcome == CREATE:
            self._add_sent(line, sort, row)
        elif line.outcome != Outcome.UNCHANGED:
            review.reasons.add(line.outcome, row.get("reasons") or (), line.number, int(row["position"]))

    def _add_sent(self, line: ListedDocument, sort: str, row: Mapping[str, Any]) -> None:
        review = self._review
        review.shapes[shape_of(row, line)] += 1
        self._customers[line.customernumber] += 1
        if line.transdate > review.today.isoformat():
            review.future.add(line.number)
        elif line.transdate and line.transdate < self._year_ago:
            review.old.add(line.number)
        if line.amount is None:
            review.unpriced.add(line.number)
            return
        alike = hash((line.customernumber, line.transdate, line.amount, line.currency))
        if alike in self._seen:
            review.alike.add(line.number)
        self._seen.add(alike)
        if line.amount == 0:
            review.zero.add(line.number)
        if line.currency == "CHF":
            tally(review.months, (line.transdate[:7], sort), line)
            self._cents.append(int(abs(line.amount) * 100))
            # The position decides between equal amounts, so lines are never compared.
            heapq.heappush(self._heap, (abs(line.amount), -int(row["position"]), line))
            if len(self._heap) > _LARGEST:
                heapq.heappop(self._heap)

    def finish(self) -> None:
        review = self._review
        review.largest = [line for _, _, line in sorted(self._heap, reverse=True)]
        if len(self._cents) >= _FEW:
            median = int(statistics.median(self._cents))
            review.median = Decimal(median) / 100
            review.unusual.count = sum(cents > UNUSUAL * median for cents in self._cents) if median else 0
            review.unusual.numbers = [line.number for line in review.largest[: min(_EXAMPLES, review.unusual.count)]]
        many = [(number, count) for number, count in self._customers.items() if count > MANY]
        review.busy_customers = len(many)
        review.busy = heapq.nlargest(_EXAMPLES, many, key=lambda pair: pair[1])


@dataclass
class RunStatistics:
    """A run as a person reads it.

    :param counts: documents by outcome.
    :param totals: sums by outcome, sort of document and currency.
    :param reasons: of what needs attention.
    :param remarks: reasons of documents that are as they should be, e.g. texts that differ in RMA.
    :param unchecked: how many documents could not be compared in a field, by field.
    :param lines: the first documents.
    """

    counts: Counter[str] = field(default_factory=Counter)
    totals: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)
    remarks: Reasons = field(default_factory=Reasons)
    unchecked: Counter[str] = field(default_factory=Counter)
    lines: list[ListedDocument] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return self.counts.total()


def review_run(rows: Iterable[Mapping[str, Any]]) -> RunStatistics:
    """Gather what a person must know of a run.

    :param rows: the rows of the outcome file, read once.
    """
    review = RunStatistics()
    for row in rows:
        line = _line(row, str(row["outcome"]))
        review.counts[line.outcome] += 1
        if len(review.lines) < LISTED:
            review.lines.append(line)
        if line.amount is not None:
            tally(review.totals, (line.outcome, sort_of(line.amount), line.currency), line)
        review.unchecked.update(row.get("unchecked") or ())
        reasons = row.get("reasons") or ()
        if line.outcome not in GOOD:
            review.reasons.add(line.outcome, reasons, line.number, int(row["position"]))
        elif reasons:
            review.remarks.add(line.outcome, reasons, line.number, int(row["position"]))
    return review


def tally(tallies: dict[Any, Tally], key: Any, line: ListedDocument) -> None:
    """Count a document into one of several tallies."""
    tallies.setdefault(key, Tally()).add(line.net, line.gross)


def sort_of(amount: Decimal | None) -> str:
    """Whether a document is an invoice or a credit note."""
    return CREDIT_NOTE if amount is not None and amount < 0 else INVOICE


def shape_of(row: Mapping[str, Any], line: ListedDocument) -> str:
    """How RMA books a document, in words: the first of each shape is sent alone and verified."""
    wire = (row.get("document") or {}).get("wire") or {}
    entries = (wire.get("taxentries") or {}).get("taxentry") or []
    accounts = sorted({str(entry.get("tax_accno")) for entry in entries})
    return ", ".join(
        [
            "articles" if wire.get("parts") else "booking",
            line.currency,
            sort_of(line.amount),
            *(["tax included"] if str(wire.get("taxincluded")).lower() == "true" else []),
            *([f"tax account {' '.join(accounts)}"] if accounts else []),
        ]
    )


def _line(row: Mapping[str, Any], outcome: str) -> ListedDocument:
    return ListedDocument(
        number=str(row.get("number") or "")[:64],
        outcome=outcome,
        net=_decimal(row.get("net")),
        gross=_decimal(row.get("gross")),
        currency=str(row.get("currency") or "CHF"),
        transdate=str(row.get("transdate") or ""),
        customernumber=str(row.get("customernumber") or "")[:64],
        document_id=str(row.get("document_id") or ""),
    )


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _without_address(reason: str, number: str, position: int) -> str:
    """A reason without the document it is about and without indexes of lines."""
    for address in (f"invoice {number}: ", f"customer {number}: ", f"record {position}: "):
        reason = reason.removeprefix(address)
    return _INDEX.sub("[]", reason)
