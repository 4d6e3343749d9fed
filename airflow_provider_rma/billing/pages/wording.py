"""Sentences and figures that the pages about a plan or a run share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pendulum

from airflow_provider_rma.billing.outcomes import CREATE, CREATE_MEANING, Outcome
from airflow_provider_rma.billing.pages.statistics import (
    MANY,
    UNUSUAL,
    DocumentGroup,
    DocumentType,
    PlanStatistics,
)
from airflow_provider_rma.billing.pages.tallies import Sample, Tally
from airflow_provider_rma.formatting import format_amount, format_count, format_minute, format_quantity

#: Decisions in the order in which pages list them.
ORDER = [CREATE, *Outcome]

TAX = (
    "Amounts marked net are without tax, those with * partly: RMA computes the tax of these documents. "
    "Give expected_amount to see the total here."
)


@dataclass(frozen=True)
class DecisionTotals:
    """Documents of one decision, type and currency.

    :param noun: what the documents are called.
    """

    decision: str
    noun: str
    tally: Tally
    currency: str


@dataclass(frozen=True)
class MonthTotals:
    """Documents of one month.

    :param name: in words; ``earlier`` for several months together.
    """

    name: str
    invoices: Tally
    credit_notes: Tally


def decision_meaning(decision: str) -> str:
    """Return the meaning of a decision: to send, or an outcome."""
    return CREATE_MEANING if decision == CREATE else Outcome(decision).meaning


def plan_headline(plan: PlanStatistics) -> str:
    """Summarise a plan in one sentence."""
    if not plan.count(CREATE):
        return f"Nothing will be sent: none of {format_quantity(plan.documents, 'record')} is to be booked."
    period = _format_period(plan)
    return (
        f"{format_count(plan.count(CREATE))} of {format_quantity(plan.documents, 'record')} will be sent to RMA"
        + (f", dated {period}" if period else "")
        + "."
    )


def list_warnings(plan: PlanStatistics) -> Iterator[str]:
    """List what a person should look at before approving a plan."""
    if not plan.count(CREATE):
        return
    if not plan.header.closed_until:
        yield "The period is not proven open: the connection has no closed_until. RMA may refuse documents once sent."
    yield from _warn_about_customers(plan.header.customers)
    yield from _warn_about_documents(plan)
    if plan.busy_customers:
        busy = ", ".join(f"{customer} ({documents})" for customer, documents in plan.busy)
        more = ", …" if plan.busy_customers > len(plan.busy) else ""
        yield f"{format_quantity(plan.busy_customers, 'customer')} with more than {MANY} documents each: {busy}{more}"
    foreign: Counter[str] = Counter()
    for (decision, _, currency), tally in plan.decisions.items():
        if decision == CREATE and currency != "CHF":
            foreign[currency] += tally.documents
    for currency, documents in sorted(foreign.items()):
        yield f"{format_quantity(documents, 'document')} in {currency}, outside of the totals in CHF."
    shapes = format_quantity(len(plan.shapes), "shape")
    yield f"{shapes} of document: the first of each is sent alone and verified before others follow."


def list_decisions(plan: PlanStatistics) -> Iterator[DecisionTotals]:
    """List the totals by decision, what would be sent first."""
    for decision, document_type, currency in sorted(plan.decisions, key=group_order):
        tally = plan.decisions[decision, document_type, currency]
        is_unknown = document_type == DocumentType.INVOICE and not tally.net_known + tally.gross_known
        yield DecisionTotals(decision, "document" if is_unknown else document_type, tally, currency)


def group_order(group: DocumentGroup) -> tuple[int, bool, str, bool]:
    """Order groups of documents: by decision, CHF before other currencies, invoices before credit notes."""
    decision, document_type, currency = group
    return ORDER.index(decision), currency != "CHF", currency, document_type == DocumentType.CREDIT_NOTE


def list_months(plan: PlanStatistics, limit: int) -> Iterator[MonthTotals]:
    """List the totals by month; beyond ``limit`` the earlier months together."""

    def total(months: Sequence[str], document_type: DocumentType) -> Tally:
        tally = Tally()
        for month in months:
            tally.include(plan.months.get((month, document_type), Tally()))
        return tally

    months = sorted({month for month, _ in plan.months})
    groups = [("earlier", months[:-limit])] if months[:-limit] else []
    groups += [(format_month(month), [month]) for month in months[-limit:]]
    for name, members in groups:
        yield MonthTotals(name, total(members, DocumentType.INVOICE), total(members, DocumentType.CREDIT_NOTE))


def has_stars(plan: PlanStatistics) -> bool:
    """Whether an amount is marked as being without tax."""
    return any(tally.gross_known < tally.documents and tally.net_known for tally in plan.decisions.values())


def format_total(tally: Tally) -> str:
    """Format the total with tax; marked where some or all are without tax because nothing else is known."""
    if not tally.gross_known + tally.net_known:
        return "–"
    if tally.gross_known == tally.documents:
        return format_amount(tally.amount)
    return f"{format_amount(tally.amount)} {'*' if tally.gross_known else 'net'}"


def format_net(tally: Tally) -> str:
    """Format the total without tax, with a star if it is not known of all documents."""
    if not tally.net_known:
        return "–"
    return format_amount(tally.net) + ("" if tally.net_known == tally.documents else " *")


def format_numbers(sample: Sample) -> str:
    """Format the first numbers of a sample."""
    return ", ".join(sample.numbers) + (", …" if sample.count > len(sample.numbers) else "")


def format_month(month: str) -> str:
    """Format ``2026-10`` in words; empty stays empty."""
    return pendulum.from_format(month, "YYYY-MM").format("MMMM YYYY") if month else ""


def format_iso_time(text: str) -> str:
    """Format a time in ISO 8601 for people in Zurich; empty stays empty."""
    return format_minute(datetime.fromisoformat(text)) if text else ""


def _format_period(plan: PlanStatistics) -> str:
    months = sorted({month for month, _ in plan.months if month})
    if not months:
        return ""
    return format_month(months[0]) if len(months) == 1 else f"{format_month(months[0])} to {format_month(months[-1])}"


def _warn_about_customers(customers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Say what full customers in invoices do to master data, field by field."""
    created = sorted({str(customer["customernumber"]) for customer in customers if customer["action"] == "create"})
    if created:
        yield f"{format_quantity(len(created), 'customer')} would be created with invoices: {_format_first(created)}"
    for effect, key in (("overwritten", "changed"), ("emptied, because the records leave them out", "lost")):
        numbers_by_field: dict[str, set[str]] = {}
        for customer in customers:
            for field in customer[key]:
                numbers_by_field.setdefault(field, set()).add(str(customer["customernumber"]))
        for field, numbers in sorted(numbers_by_field.items()):
            whose = _format_first(sorted(numbers))
            yield f"Master data: {field} of {format_quantity(len(numbers), 'customer')} would be {effect}: {whose}"


def _warn_about_documents(plan: PlanStatistics) -> Iterator[str]:
    samples: list[tuple[Sample, str]] = [
        (plan.future, "dated in the future"),
        (plan.old, "dated more than a year ago"),
        (plan.unusual, f"above {UNUSUAL} times the median of CHF {format_amount(plan.median)}"),
        (plan.alike, "with the customer, date and amount of another one in this plan"),
        (plan.zero, "with an amount of zero"),
        (plan.unpriced, "whose amount only RMA knows"),
    ]
    for sample, sentence in samples:
        if sample.count:
            yield f"{format_quantity(sample.count, 'document')} {sentence}: {format_numbers(sample)}"


def _format_first(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
