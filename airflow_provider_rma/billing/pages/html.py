"""What people read: a plan before they approve it, a run after it has ended.

Pages hold numbers, totals, dates, field names and our own sentences; no names of customers, no texts of invoices, and
no words of the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.outcomes import BOOKED, CREATE, GOOD, Outcome
from airflow_provider_rma.billing.pages.statistics import (
    CREDIT_NOTE,
    INVOICE,
    ListedDocument,
    PlanStatistics,
    ReasonGroup,
    Reasons,
    RunStatistics,
    Tally,
    review_run,
)
from airflow_provider_rma.billing.pages.wording import (
    ORDER,
    TAX,
    amount_of,
    by_month,
    decision_meaning,
    decision_rows,
    headline,
    month_name,
    numbers,
    starred,
    sum_of,
    warnings,
    zurich,
)
from airflow_provider_rma.formatting import format_amount, format_count, format_quantity, format_time, to_zurich
from airflow_provider_rma.html import Html, facts, join, page, section, table, tag, tiles

#: Months that a page names one by one.
_MONTHS = 24


def plan_html(review: PlanStatistics) -> str:
    """A plan as a page.

    :param review: see :func:`~airflow_provider_rma.billing.pages.statistics.review_plan`.
    """
    header = review.header
    refused = review.documents - review.count(CREATE) - review.count(Outcome.UNCHANGED)
    return page(
        f"Plan {header.tenant}: {format_quantity(review.count(CREATE), 'document')}",
        tag("h1", f"Billing plan for tenant {header.tenant}"),
        tag("p", headline(review), class_="lead"),
        tiles(
            [
                (format_count(review.count(CREATE, INVOICE)), "invoices to be sent", _chf(review, INVOICE), "good"),
                (
                    format_count(review.count(CREATE, CREDIT_NOTE)),
                    "credit notes to be sent",
                    _chf(review, CREDIT_NOTE),
                    "",
                ),
                (format_count(review.count(Outcome.UNCHANGED)), "in the books already", "nothing is sent", ""),
                (
                    format_count(refused),
                    "will not be sent",
                    "see below" if refused else "",
                    "attention" if refused else "",
                ),
            ]
        ),
        section("Before you approve", *(tag("p", warning, class_="notice") for warning in warnings(review)))
        or tag("p", "No warnings.", class_="notice good"),
        section("What will happen", _decisions(review), tag("p", TAX, class_="note") if starred(review) else ""),
        section("Will not be sent", *_reasons(review.reasons, advice=True)),
        section("By month, CHF", _months(review)) if review.months else "",
        section("Largest documents, CHF", _lines(review.largest, plan=True)) if review.largest else "",
        section("How RMA will book them", _shapes(review)) if review.shapes else "",
        _listing("All documents", review.lines, review.documents, "the plan file", plan=True),
        section(
            "Where this comes from",
            facts(
                [
                    ("Service", header.service),
                    ("Run", header.run),
                    ("Books read", zurich(header.created_at)),
                    ("Closed until", header.closed_until or "not known"),
                    ("Plan, SHA-256", review.plan_hash),
                    ("Input, SHA-256", header.input_hash),
                ]
            ),
        ),
    )


def run_html(
    run: RunFacts,
    rows: Iterable[Mapping[str, Any]],
    *,
    service: str,
    tenant: str,
    outcome_path: str = "",
    rejects_path: str = "",
    retry_at: float | None = None,
    evidence: EvidenceRef | None = None,
) -> str:
    """The report of a run as a page.

    :param run: what the run says about itself.
    :param rows: the rows of the outcome file, read once.
    :param retry_at: seconds since 1970 from which another attempt decides what is in doubt.
    :param evidence: the run's link in the chain of evidence.
    """
    review = review_run(rows)
    bad = {name: count for name, count in review.counts.items() if name not in GOOD}
    what = run.kind.capitalize()
    return page(
        f"{what} {tenant}: {format_quantity(review.documents, 'record')}",
        tag("h1", f"{what} of tenant {tenant}"),
        tag("p", _duration(run), class_="lead"),
        _verdict(run, review, sum(bad.values()), retry_at),
        tiles(_outcome_tiles(review)),
        section("Totals in the books", _totals(review)) if review.totals else "",
        section("Needs attention", *_reasons(review.reasons, advice=True)),
        section("Remarks", *_reasons(review.remarks, advice=False), _unchecked(review)),
        _listing("Documents", review.lines, review.documents, outcome_path or "the outcome file", plan=False),
        section(
            "Where this comes from",
            facts(
                [
                    ("Service", service),
                    ("Run", run.run),
                    ("Approved by", run.approver),
                    ("Plan, SHA-256", run.plan_hash),
                    ("Input, SHA-256", run.input_hash),
                    ("Brakes in force", ", ".join(f"{name} {value}" for name, value in run.brakes.items())),
                    ("Outcome file", outcome_path),
                    ("Records to correct", rejects_path),
                    ("Evidence", f"link {evidence.seq}, {evidence.path}" if evidence else ""),
                    ("Evidence, SHA-256", evidence.hash if evidence else ""),
                ]
            ),
        ),
    )


# --- parts of a plan ---------------------------------------------------------------------------------------------


def _chf(review: PlanStatistics, sort: str) -> str:
    return f"CHF {amount_of(review.decisions.get((CREATE, sort, 'CHF'), Tally()))}"


def _decisions(review: PlanStatistics) -> Html:
    rows = (
        (
            decision,
            f"{format_quantity(tally.documents, sort)}",
            sum_of(tally.net, tally.net_known, tally.documents),
            amount_of(tally),
            currency if tally.net_known + tally.gross_known else "",
            decision_meaning(decision),
        )
        for decision, sort, tally, currency in decision_rows(review)
    )
    return table(["Decision", "What", ">?Without tax", ">Amount", "", "?Meaning"], rows)


def _months(review: PlanStatistics) -> Html:
    return table(
        ["Month", ">Invoices", ">Amount", ">?Credit notes", ">Credited"],
        (
            (
                month_name(month) if month else "earlier",
                format_count(invoices.documents),
                amount_of(invoices),
                format_count(notes.documents) if notes.documents else "–",
                amount_of(notes) if notes.documents else "–",
            )
            for month, invoices, notes in by_month(review, _MONTHS)
        ),
    )


def _shapes(review: PlanStatistics) -> Html:
    return table(
        ["Shape", ">Documents"], ((shape, format_count(count)) for shape, count in review.shapes.most_common(20))
    )


# --- parts of both -----------------------------------------------------------------------------------------------


def _reasons(reasons: Reasons, *, advice: bool) -> Iterator[Html]:
    for outcome in Outcome:
        groups = reasons.groups(outcome)
        if groups:
            yield tag("h3", f"{outcome}: {outcome.meaning}")
            if advice and outcome.advice:
                yield tag("p", outcome.advice, class_="note")
            yield from map(_reason, groups)


def _reason(group: ReasonGroup) -> Html:
    return tag(
        "div",
        tag("p", tag("b", f"{format_count(group.count)} × "), group.sentence),
        tag("p", f"… of {group.numbers[0]}: {group.example}", class_="numbers") if group.example else "",
        tag("p", numbers(group), class_="numbers"),
        class_="reason",
    )


def _listing(title: str, lines: list[ListedDocument], documents: int, where: str, *, plan: bool) -> Html:
    rest = documents - len(lines)
    more = tag("p", f"And {format_quantity(rest, 'more document')}: see {where}.", class_="notice") if rest > 0 else ""
    return section(title, _lines(lines, plan=plan), more) if lines else Html("")


def _line_amount(line: ListedDocument) -> str:
    return (
        f"{format_amount(line.net)} net" if line.gross is None and line.net is not None else format_amount(line.gross)
    )


def _lines(lines: list[ListedDocument], *, plan: bool) -> Html:
    foreign = any(line.currency != "CHF" for line in lines)
    middle = ["Date", "?Customer"] if plan else ["?Document id"]
    return table(
        ["Number", "Decision" if plan else "Outcome", *middle, ">?Without tax", ">Amount"],
        (
            (
                line.number or "–",
                line.outcome,
                *((line.transdate, line.customernumber) if plan else (line.document_id,)),
                format_amount(line.net),
                _line_amount(line) + (f" {line.currency}" if foreign and line.amount is not None else ""),
            )
            for line in lines
        ),
    )


# --- parts of a run ----------------------------------------------------------------------------------------------


def _duration(run: RunFacts) -> str:
    start, end = to_zurich(run.started), to_zurich(run.finished)
    seconds = max(0, int((end - start).total_seconds()))
    took = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    return f"{start.format('D MMMM YYYY, HH:mm')} to {end.format('HH:mm')} (Zurich), {took}"


def _verdict(run: RunFacts, review: RunStatistics, bad: int, retry_at: float | None) -> Html:
    if run.stopped:
        rest = (
            f" {format_quantity(review.counts[Outcome.HELD], 'document')} not sent."
            if review.counts[Outcome.HELD]
            else ""
        )
        first = tag(
            "p", tag("b", "The run was stopped: "), f"{run.stopped.rstrip('.')}.{rest}", class_="notice attention"
        )
    elif bad:
        verb = "needs" if bad == 1 else "need"
        sentence = f"{format_quantity(bad, 'record')} of {format_count(review.documents)} {verb} attention."
        first = tag("p", sentence, class_="notice attention")
    else:
        many = f"All {format_count(review.documents)} records are as they should be."
        sentence = "1 record is as it should be." if review.documents == 1 else many
        first = tag("p", sentence, class_="notice good")
    if retry_at is None:
        return first
    return join(
        first, tag("p", f"An attempt after {format_time(retry_at)} (Zurich) decides what is unknown.", class_="notice")
    )


def _outcome_tiles(review: RunStatistics) -> Iterator[tuple[str, str, str, str]]:
    for outcome in Outcome:
        if review.counts[outcome]:
            yield (
                format_count(review.counts[outcome]),
                str(outcome).replace("_", " "),
                outcome.meaning,
                "good" if outcome in GOOD else "attention",
            )


def _totals(review: RunStatistics) -> Html:
    keys = sorted(review.totals, key=lambda key: (ORDER.index(key[0]), key[2] != "CHF", key[2], key[1] == CREDIT_NOTE))
    return table(
        ["Outcome", "What", ">?Without tax", ">With tax", ""],
        (
            (
                outcome,
                format_quantity(tally.documents, sort),
                sum_of(tally.net, tally.net_known, tally.documents),
                amount_of(tally),
                currency,
            )
            for (outcome, sort, currency), tally in ((key, review.totals[key]) for key in keys)
            if outcome in BOOKED
        ),
    )


def _unchecked(review: RunStatistics) -> Html:
    if not review.unchecked:
        return Html("")
    fields = ", ".join(f"{name} ({format_count(count)})" for name, count in review.unchecked.most_common(20))
    return tag("p", f"Not compared, because one side does not state it: {fields}.", class_="note")
