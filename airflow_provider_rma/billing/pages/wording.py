"""The sentences and figures that the pages about a plan or a run have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pendulum

from airflow_provider_rma.billing.outcomes import CREATE, CREATE_MEANING, Outcome
from airflow_provider_rma.billing.pages.statistics import (
    CREDIT_NOTE,
    INVOICE,
    MANY,
    UNUSUAL,
    PlanStatistics,
    Sample,
    Tally,
)
from airflow_provider_rma.formatting import format_amount, format_count, format_minute, format_quantity

ORDER = [CREATE, *Outcome]
TAX = (
    "Amounts with * are partly without tax, those with net wholly: the tax of these documents is computed by RMA. "
    "Give expected_amount to see it here."
)


def decision_meaning(decision: str) -> str:
    """Return the meaning of a decision: to send, or an outcome."""
    return CREATE_MEANING if decision == CREATE else Outcome(decision).meaning


def headline(review: PlanStatistics) -> str:
    """What a plan comes to, in one sentence."""
    if not review.count(CREATE):
        return f"Nothing will be sent: none of {format_quantity(review.documents, 'record')} is to be booked."
    period = _period(review)
    return (
        f"{format_count(review.count(CREATE))} of {format_quantity(review.documents, 'record')} will be sent to RMA"
        + (f", dated {period}" if period else "")
        + "."
    )


def _period(review: PlanStatistics) -> str:
    months = sorted({month for month, _ in review.months if month})
    if not months:
        return ""
    return month_name(months[0]) if len(months) == 1 else f"{month_name(months[0])} to {month_name(months[-1])}"


def amount_of(tally: Tally) -> str:
    """A sum of totals with tax, marked where some or all are without because nothing else is known."""
    if not tally.gross_known + tally.net_known:
        return "–"
    if tally.gross_known == tally.documents:
        return format_amount(tally.amount)
    return f"{format_amount(tally.amount)} {'*' if tally.gross_known else 'net'}"


def sum_of(total: Decimal, known: int, documents: int) -> str:
    """A sum, with a star if it is not known of all documents."""
    return "–" if not known else format_amount(total) + ("" if known == documents else " *")


def starred(review: PlanStatistics) -> bool:
    """Whether an amount is marked as being without tax."""
    return any(tally.gross_known < tally.documents and tally.net_known for tally in review.decisions.values())


def _warnings_about_customers(customers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What full customers in invoices do to master data, field by field."""
    created = sorted({str(one["customernumber"]) for one in customers if one["action"] == "create"})
    if created:
        yield f"{format_quantity(len(created), 'customer')} would be created with invoices: {_first(created)}"
    for what, key in (("overwritten", "changed"), ("emptied, because the records leave them out", "lost")):
        fields: dict[str, set[str]] = {}
        for one in customers:
            for name in one[key]:
                fields.setdefault(name, set()).add(str(one["customernumber"]))
        for name, numbers_of in sorted(fields.items()):
            whose = _first(sorted(numbers_of))
            yield f"Master data: {name} of {format_quantity(len(numbers_of), 'customer')} would be {what}: {whose}"


def _first(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def warnings(review: PlanStatistics) -> Iterator[str]:
    """What a person should look at before approving a plan."""
    count = review.count(CREATE)
    if not count:
        return
    if not review.header.closed_until:
        yield "The period is not proven open: the connection has no closed_until. RMA may refuse documents once sent."
    yield from _warnings_about_customers(review.header.customers)
    yield from _warnings_about_documents(review)
    if review.busy_customers:
        busy = ", ".join(f"{customer} ({documents})" for customer, documents in review.busy)
        more = ", …" if review.busy_customers > len(review.busy) else ""
        yield f"{format_quantity(review.busy_customers, 'customer')} with more than {MANY} documents each: {busy}{more}"
    for currency in sorted({currency for name, _, currency in review.decisions if name == CREATE} - {"CHF"}):
        documents = sum(
            tally.documents for (name, _, one), tally in review.decisions.items() if (name, one) == (CREATE, currency)
        )
        yield f"{format_quantity(documents, 'document')} in {currency}, outside of the totals in CHF."
    shapes = format_quantity(len(review.shapes), "shape")
    yield f"{shapes} of document: the first of each is sent alone and verified before others follow."


def _warnings_about_documents(review: PlanStatistics) -> Iterator[str]:
    what: list[tuple[Sample, str]] = [
        (review.future, "dated in the future"),
        (review.old, "dated more than a year ago"),
        (review.unusual, f"above {UNUSUAL} times the median of CHF {format_amount(review.median)}"),
        (review.alike, "with the customer, date and amount of another one in this plan"),
        (review.zero, "with an amount of zero"),
        (review.unpriced, "whose amount only RMA knows"),
    ]
    for named, sentence in what:
        if named.count:
            yield f"{format_quantity(named.count, 'document')} {sentence}: {numbers(named)}"


def numbers(named: Sample) -> str:
    """The first numbers of what is counted."""
    return ", ".join(named.numbers) + (", …" if named.count > len(named.numbers) else "")


def decision_rows(review: PlanStatistics) -> Iterator[tuple[str, str, Tally, str]]:
    """Decision, what it is about, sums and currency, what would be sent first."""
    keys = sorted(
        review.decisions, key=lambda key: (ORDER.index(key[0]), key[2] != "CHF", key[2], key[1] == CREDIT_NOTE)
    )
    for decision, sort, currency in keys:
        tally = review.decisions[decision, sort, currency]
        of_what = "document" if sort == INVOICE and not tally.net_known + tally.gross_known else sort
        yield decision, of_what, tally, currency


def by_month(review: PlanStatistics, most: int) -> Iterator[tuple[str, Tally, Tally]]:
    """Month, invoices and credit notes; beyond ``most`` the earlier months together under an empty name."""
    months = sorted({month for month, _ in review.months})
    early, late = months[:-most], months[-most:]
    if early:
        both = []
        for sort in (INVOICE, CREDIT_NOTE):
            total = Tally()
            for month in early:
                total.include(review.months.get((month, sort), Tally()))
            both.append(total)
        yield "", both[0], both[1]
    for month in late:
        yield month, review.months.get((month, INVOICE), Tally()), review.months.get((month, CREDIT_NOTE), Tally())


def month_name(month: str) -> str:
    """``2026-10`` in words."""
    return pendulum.from_format(month, "YYYY-MM").format("MMMM YYYY")


def zurich(moment: str) -> str:
    """A time in ISO 8601 as people in Zurich say it; empty stays empty."""
    if not moment:
        return ""
    return format_minute(datetime.fromisoformat(moment))
