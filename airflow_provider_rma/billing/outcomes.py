"""What can become of a document, and how a run reports it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_rma.described_enum import DescribedEnum
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.formatting import format_amount


class Outcome(DescribedEnum):
    """The end of one document. Every record of a run's input ends with exactly one of these."""

    CREATED = "created", "booked by this run, read back and compared"
    UNCHANGED = "unchanged", "in the books already, as meant; nothing was sent"
    UPDATED = "updated", "an existing customer, managed fields written"
    CONFLICT = (
        "conflict",
        "in the books under this number, but different in the named fields; or booked before and gone",
        "Find out which side is right and correct it there. Nothing is overwritten.",
    )
    DUPLICATE = (
        "duplicate",
        "in the books more than once under this number; the documents are named",
        "Have all but one removed in RMA.",
    )
    REJECTED = (
        "rejected",
        "refused by RMA, not booked",
        "The member server_message of the outcome file has RMA's own words. Correct the record and run again.",
    )
    INVALID = "invalid", "refused here, before anything was sent", "Correct the named fields and run again."
    CLOSED_PERIOD = (
        "closed_period",
        "dated in a closed period, or refused by RMA for that reason",
        "Date it later, or have the period opened and change closed_until of the connection.",
    )
    UNKNOWN = (
        "unknown",
        "sent without a reliable response, or claimed by another run",
        "Run again after the settle time: it decides by reading. Clearing and retrying the task is safe.",
    )
    HELD = (
        "held",
        "not sent: the run was stopped before, the approved plan does not send it, or a person has to decide",
        "Remove the cause, which the reasons name, and run again. Nothing of this was sent.",
    )


#: The decision to send a document; every other decision about one is the outcome it leads to.
CREATE = "create"

CREATE_MEANING = "will be sent, booked and read back"

#: Outcomes that are as they should be.
GOOD = frozenset({Outcome.CREATED, Outcome.UNCHANGED, Outcome.UPDATED})

#: Outcomes of documents that are in the books, of which the run itself may have brought them there.
SENT = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.CONFLICT, Outcome.DUPLICATE})

#: Outcomes whose document is in the books.
BOOKED = frozenset({Outcome.CREATED, Outcome.UNCHANGED})


def failing_outcomes(fail_on: Collection[str] | str | None) -> frozenset[Outcome]:
    """The outcomes that fail a run.

    :param fail_on: names of outcomes; None means every outcome that is not as it should be. ``unknown`` and ``held``
        cannot be left out: a run that left a doubt must not turn green.
    :raises ConfigurationError: for a name that is no outcome.
    """
    if fail_on is None:
        return frozenset(Outcome) - GOOD
    names = [fail_on] if isinstance(fail_on, str) else list(fail_on)
    unknown = [name for name in names if name not in set(Outcome)]
    if unknown:
        raise ConfigurationError(
            f"fail_on: {', '.join(map(repr, unknown))} is no outcome",
            advice=f"Use some of {', '.join(sorted(Outcome))}.",
        )
    return frozenset(map(Outcome, names)) | {Outcome.UNKNOWN, Outcome.HELD}


#: Reasons that the log and the error of a run name; the outcome file has all.
NAMED_REASONS = 10
_LONGEST_REASON = 300


@dataclass(frozen=True)
class DocumentResult:
    """The outcome of one record.

    :param position: position of the record in the input, from 1.
    :param number: invoice or customer number, empty if the record had none that could be read.
    :param reasons: English sentences without personal data.
    :param server_message: the service's own words (German); may quote personal data, so it goes into files only.
    :param document_id: the service's id of the document, where known.
    :param net: total without tax as booked, in the document's currency.
    :param gross: total with tax as booked, in the document's currency.
    :param is_as_planned: whether the plan that is carried out says this outcome, so that nothing was to be sent.
    """

    position: int
    number: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    server_message: str | None = None
    document_id: str | None = None
    net: Decimal | None = None
    gross: Decimal | None = None
    currency: str = "CHF"
    unchecked: tuple[str, ...] = ()
    is_as_planned: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The row as written into an outcome file: amounts as text, what is empty left out."""
        values: dict[str, Any] = {
            "position": self.position,
            "number": self.number,
            "outcome": str(self.outcome),
            "reasons": list(self.reasons),
            "server_message": self.server_message,
            "document_id": self.document_id,
            "net": _text(self.net),
            "gross": _text(self.gross),
            "currency": self.currency if self.gross is not None else None,
            "unchecked": list(self.unchecked),
        }
        return {key: value for key, value in values.items() if value not in (None, [])}


@dataclass
class RunSummary:
    """Counts and totals of a run, free of personal data: what a task returns.

    :param kind: ``invoices`` or ``customers``.
    :param task_run: identity of the run, as in the journal.
    :param has_totals: whether the kind has amounts.
    :param total: gross total of the documents of this input that are in the books (created and unchanged), in CHF.
    :param created_total: gross total of the documents that this run booked, in CHF.
    :param invoices: how many of the booked documents are invoices (gross not negative).
    :param spares_planned: whether a record that ended as an approved plan says leaves the run good.
    :param planned: the records that ended as the plan says, by outcome.
    :param reasons: the first reasons by outcome, as sentences without personal data.
    :param earlier_runs: the earlier runs that this run has put on record.
    :param credit_notes: how many of the booked documents are credit notes (gross negative).
    """

    kind: str
    task_run: str
    has_totals: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    total: Decimal = Decimal("0.00")
    created_total: Decimal = Decimal("0.00")
    invoices: Counter[str] = field(default_factory=Counter)
    credit_notes: Counter[str] = field(default_factory=Counter)
    outcome_path: str = ""
    rejects_path: str = ""
    page_path: str = ""
    evidence_path: str = ""
    evidence_hash: str = ""
    plan_hash: str = ""
    input_hash: str = ""
    stopped: str = ""
    reasons: dict[str, list[str]] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    earlier_runs: list[dict[str, Any]] = field(default_factory=list)
    retry_at: float | None = None
    spares_planned: bool = False
    planned: Counter[str] = field(default_factory=Counter)

    def add(self, row: DocumentResult) -> None:
        """Count one row."""
        self.counts[row.outcome] += 1
        if row.is_as_planned:
            self.planned[row.outcome] += 1
        if row.outcome not in GOOD and not self._is_spared(row):
            self._keep_reasons(row)
        if self.has_totals:
            sort = self.credit_notes if row.gross is not None and row.gross < 0 else self.invoices
            sort[row.outcome] += 1
        if row.gross is not None and row.currency == "CHF" and row.outcome in BOOKED:
            self.total += row.gross
            if row.outcome == Outcome.CREATED:
                self.created_total += row.gross

    def _is_spared(self, row: DocumentResult) -> bool:
        return self.spares_planned and row.is_as_planned

    def _keep_reasons(self, row: DocumentResult) -> None:
        kept = self.reasons.setdefault(str(row.outcome), [])
        for reason in row.reasons[: NAMED_REASONS - len(kept)]:
            where = row.number or f"record {row.position}"
            text = f"{row.outcome}: {reason}" if where in reason else f"{row.outcome}: {where}: {reason}"
            kept.append("".join(char if char.isprintable() else " " for char in text)[:_LONGEST_REASON])

    def first_reasons(self, failing: Collection[Outcome]) -> list[str]:
        """List the first reasons of the outcomes that fail the run."""
        reasons = (self.reasons.get(str(outcome), ()) for outcome in Outcome if outcome in failing)
        return [reason for some in reasons for reason in some][:NAMED_REASONS]

    def failed(self, failing: Collection[Outcome]) -> dict[str, int]:
        """Counts of the outcomes that fail the run."""
        spared = self.spared
        counts = {str(outcome): self.counts[outcome] - spared[outcome] for outcome in Outcome if outcome in failing}
        return {name: count for name, count in counts.items() if count}

    @property
    def spared(self) -> Counter[str]:
        """Records that an approved plan leaves out, by outcome."""
        planned = self.planned if self.spares_planned else Counter[str]()
        return Counter({outcome: count for outcome, count in planned.items() if outcome not in GOOD})

    def describe(self) -> str:
        """One line for the log."""
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items())) or "none"
        amount = f"; CHF {format_amount(self.total)} in the books" if self.has_totals else ""
        spared = self.spared.total()
        planned = f"; {spared} of them not sent, as the approved plan says" if spared else ""
        return f"{sum(self.counts.values())} {self.kind}: {counts}{amount}{planned}"

    def as_dict(self) -> dict[str, Any]:
        """What a task returns: counts, totals as text, paths; never records."""
        values: dict[str, Any] = {
            "kind": self.kind,
            "run": self.task_run,
            "counts": plain(self.counts),
            "outcome_path": self.outcome_path,
            "rejects_path": self.rejects_path,
        }
        if self.has_totals:
            values |= {
                "invoices": plain(self.invoices),
                "credit_notes": plain(self.credit_notes),
                "total": _text(self.total),
                "created_total": _text(self.created_total),
            }
        for name in ("page_path", "evidence_path", "evidence_hash"):
            if getattr(self, name):
                values[name] = getattr(self, name)
        if self.alarms:
            values["alarms"] = self.alarms
        if self.earlier_runs:
            values["earlier_runs"] = self.earlier_runs
        if self.stopped:
            values["stopped"] = self.stopped
        return values


def plain(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by outcome as a plain, sorted dictionary."""
    return {str(name): counts[name] for name in sorted(counts)}


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
