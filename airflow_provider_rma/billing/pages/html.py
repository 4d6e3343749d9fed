"""The pages that people read: a plan before they approve it, a run after it has ended.

Pages hold numbers, totals, dates, field names and our own sentences; no names of customers, no texts of invoices, and
no words of the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.outcomes import BOOKED, CREATE, GOOD, Outcome
from airflow_provider_rma.billing.pages.statistics import (
    DocumentType,
    ListedDocument,
    PlanStatistics,
    RunStatistics,
    gather_run_statistics,
)
from airflow_provider_rma.billing.pages.tallies import ReasonGroup, Reasons, Tally
from airflow_provider_rma.billing.pages.wording import (
    TAX,
    decision_meaning,
    format_iso_time,
    format_net,
    format_numbers,
    format_total,
    group_order,
    has_stars,
    list_decisions,
    list_months,
    list_warnings,
    plan_headline,
)
from airflow_provider_rma.formatting import format_amount, format_count, format_quantity, format_time, to_zurich
from airflow_provider_rma.html import Html, definitions, join, page, section, table, tag, tiles

#: Months that a page names one by one.
_MONTHS = 24

Column = Callable[[ListedDocument], str]

#: Columns of a document beside its number and amounts, by their headings.
_PLAN_COLUMNS: dict[str, Column] = {
    "Decision": attrgetter("outcome"),
    "Date": attrgetter("transdate"),
    "?Customer": attrgetter("customernumber"),
}
_RUN_COLUMNS: dict[str, Column] = {"Outcome": attrgetter("outcome"), "?Document id": attrgetter("document_id")}


def render_plan(plan: PlanStatistics) -> str:
    """Render a plan as a page.

    :param plan: see :func:`~airflow_provider_rma.billing.pages.statistics.gather_plan_statistics`.
    """
    header = plan.header
    refused = plan.documents - plan.count(CREATE) - plan.count(Outcome.UNCHANGED)
    return page(
        f"Plan {header.tenant}: {format_quantity(plan.count(CREATE), 'document')}",
        tag("h1", f"Billing plan for tenant {header.tenant}"),
        tag("p", plan_headline(plan), class_="lead"),
        tiles(
            [
                (*_format_sent(plan, DocumentType.INVOICE), "good"),
                (*_format_sent(plan, DocumentType.CREDIT_NOTE), ""),
                (format_count(plan.count(Outcome.UNCHANGED)), "in the books already", "nothing is sent", ""),
                (
                    format_count(refused),
                    "will not be sent",
                    "see below" if refused else "",
                    "attention" if refused else "",
                ),
            ]
        ),
        section("Before you approve", *(tag("p", warning, class_="notice") for warning in list_warnings(plan)))
        or tag("p", "No list_warnings.", class_="notice good"),
        section("What will happen", _decisions(plan), tag("p", TAX, class_="note") if has_stars(plan) else ""),
        section("Will not be sent", *_reasons(plan.reasons, advice=True)),
        section("By month, CHF", _months(plan)) if plan.months else "",
        section("Largest documents, CHF", _document_table(plan.largest, _PLAN_COLUMNS)) if plan.largest else "",
        section("How RMA will book them", _shapes(plan)) if plan.shapes else "",
        _listing("All documents", plan.listed, plan.documents, "the plan file", _PLAN_COLUMNS),
        section(
            "Where this comes from",
            definitions(
                [
                    ("Service", header.service),
                    ("Run", header.run),
                    ("Books read", format_iso_time(header.created_at)),
                    ("Closed until", header.closed_until or "not known"),
                    ("Plan, SHA-256", plan.plan_hash),
                    ("Input, SHA-256", header.input_hash),
                ]
            ),
        ),
    )


def render_run(
    facts: RunFacts,
    rows: Iterable[Mapping[str, Any]],
    *,
    service: str,
    tenant: str,
    outcome_path: str = "",
    rejects_path: str = "",
    retry_at: float | None = None,
    evidence: EvidenceRef | None = None,
    earlier: Sequence[str] = (),
    spared: Mapping[str, int] = MappingProxyType({}),
) -> str:
    """Render a run as a page.

    :param facts: the facts of the run.
    :param rows: the rows of the outcome file, read once.
    :param retry_at: seconds since 1970 from which another attempt decides what is in doubt.
    :param evidence: the run's link in the chain of evidence.
    :param earlier: the earlier runs that this run has put on record, each a sentence.
    :param spared: records that the approved plan leaves out, by outcome: they do not fail the run.
    """
    run = gather_run_statistics(rows)
    left_out = sum(spared.values())
    has_amounts = facts.kind != "customers"
    bad = sum(count for name, count in run.counts.items() if name not in GOOD) - left_out
    title = facts.kind.capitalize()
    return page(
        f"{title} {tenant}: {format_quantity(run.documents, 'record')}",
        tag("h1", f"{title} of tenant {tenant}"),
        tag("p", _format_duration(facts), class_="lead"),
        _conclusion(facts, run, bad, retry_at),
        tag("p", f"{_format_left_out(left_out)}, as the approved plan says.", class_="notice") if left_out else "",
        tiles(_outcome_tiles(run, spared)),
        section("Totals in the books", _totals(run)) if run.totals else "",
        section("Needs attention" if bad or not left_out else "Left out", *_reasons(run.reasons, advice=True)),
        section("Remarks", *_reasons(run.remarks, advice=False), _unchecked(run)),
        section("Earlier runs put on record", *(tag("p", f"{sentence}.") for sentence in earlier)),
        _listing(
            "Documents" if has_amounts else title,
            run.listed,
            run.documents,
            outcome_path or "the outcome file",
            _RUN_COLUMNS,
            has_amounts=has_amounts,
        ),
        section(
            "Where this comes from",
            definitions(
                [
                    ("Service", service),
                    ("Run", facts.run),
                    ("Approved by", facts.approver),
                    ("Plan, SHA-256", facts.plan_hash),
                    ("Input, SHA-256", facts.input_hash),
                    ("Brakes in force", ", ".join(f"{name} {value}" for name, value in facts.brakes.items())),
                    ("Outcome file", outcome_path),
                    ("Records to correct", rejects_path),
                    ("Evidence", f"link {evidence.seq}, {evidence.path}" if evidence else ""),
                    ("Evidence, SHA-256", evidence.hash if evidence else ""),
                ]
            ),
        ),
    )


# --- parts of a plan ---------------------------------------------------------------------------------------------


def _format_sent(plan: PlanStatistics, document_type: DocumentType) -> tuple[str, str, str]:
    total = plan.decisions.get((CREATE, document_type, "CHF"), Tally())
    count = format_count(plan.count(CREATE, document_type))
    return count, f"{document_type}s to be sent", f"CHF {format_total(total)}"


def _decisions(plan: PlanStatistics) -> Html:
    rows = (
        (
            totals.decision,
            format_quantity(totals.tally.documents, totals.noun),
            format_net(totals.tally),
            format_total(totals.tally),
            totals.currency if totals.tally.net_known + totals.tally.gross_known else "",
            decision_meaning(totals.decision),
        )
        for totals in list_decisions(plan)
    )
    return table(["Decision", "What", ">?Without tax", ">Amount", "", "?Meaning"], rows)


def _months(plan: PlanStatistics) -> Html:
    return table(
        ["Month", ">Invoices", ">Amount", ">?Credit notes", ">Credited"],
        (
            (
                month.name,
                format_count(month.invoices.documents),
                format_total(month.invoices),
                format_count(month.credit_notes.documents) if month.credit_notes.documents else "–",
                format_total(month.credit_notes) if month.credit_notes.documents else "–",
            )
            for month in list_months(plan, _MONTHS)
        ),
    )


def _shapes(plan: PlanStatistics) -> Html:
    return table(
        ["Shape", ">Documents"], ((shape, format_count(count)) for shape, count in plan.shapes.most_common(20))
    )


# --- parts of both -----------------------------------------------------------------------------------------------


def _reasons(reasons: Reasons, *, advice: bool) -> Iterator[Html]:
    for outcome in Outcome:
        groups = reasons.list_groups(outcome)
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
        tag("p", format_numbers(group), class_="numbers"),
        class_="reason",
    )


def _listing(
    title: str,
    listed: list[ListedDocument],
    documents: int,
    file: str,
    columns: dict[str, Column],
    *,
    has_amounts: bool = True,
) -> Html:
    rest = documents - len(listed)
    more = tag("p", f"And {format_quantity(rest, 'more document')}: see {file}.", class_="notice") if rest > 0 else ""
    return section(title, _document_table(listed, columns, has_amounts=has_amounts), more) if listed else Html("")


def _document_table(listed: list[ListedDocument], columns: dict[str, Column], *, has_amounts: bool = True) -> Html:
    if not has_amounts:
        return table(
            ["Number", *columns],
            ((document.number or "–", *(column(document) for column in columns.values())) for document in listed),
        )
    has_foreign = any(document.currency != "CHF" for document in listed)
    return table(
        ["Number", *columns, ">?Without tax", ">Amount"],
        (
            (
                document.number or "–",
                *(column(document) for column in columns.values()),
                format_amount(document.net),
                _format_gross(document)
                + (f" {document.currency}" if has_foreign and document.amount is not None else ""),
            )
            for document in listed
        ),
    )


def _format_gross(document: ListedDocument) -> str:
    if document.gross is None and document.net is not None:
        return f"{format_amount(document.net)} net"
    return format_amount(document.gross)


# --- parts of a run ----------------------------------------------------------------------------------------------


def _format_duration(facts: RunFacts) -> str:
    start, end = to_zurich(facts.started), to_zurich(facts.finished)
    seconds = max(0, int((end - start).total_seconds()))
    took = f"{seconds}\N{NO-BREAK SPACE}s" if seconds < 120 else f"{seconds // 60}\N{NO-BREAK SPACE}min"
    return f"{start.format('D MMMM YYYY, HH:mm')} to {end.format('HH:mm')} (Zurich), {took}"


def _format_left_out(count: int) -> str:
    return f"{format_quantity(count, 'record')} {'is' if count == 1 else 'are'} left out"


def _conclusion(facts: RunFacts, run: RunStatistics, bad: int, retry_at: float | None) -> Html:
    if facts.stopped:
        rest = f" {format_quantity(run.counts[Outcome.HELD], 'document')} not sent." if run.counts[Outcome.HELD] else ""
        first = tag(
            "p", tag("b", "The run was stopped: "), f"{facts.stopped.rstrip('.')}.{rest}", class_="notice attention"
        )
    elif bad:
        verb = "needs" if bad == 1 else "need"
        sentence = f"{format_quantity(bad, 'record')} of {format_count(run.documents)} {verb} attention."
        first = tag("p", sentence, class_="notice attention")
    else:
        good = sum(run.counts[outcome] for outcome in GOOD)
        everything = "All " if good == run.documents else ""
        many = f"{everything}{format_count(good)} records are as they should be."
        sentence = "1 record is as it should be." if good == 1 else many
        first = tag("p", sentence, class_="notice good")
    first = join(
        first,
        *(tag("p", f"In the books more than once: {alarm}.", class_="notice attention") for alarm in facts.alarms),
    )
    if retry_at is None:
        return first
    return join(
        first, tag("p", f"An attempt after {format_time(retry_at)} (Zurich) decides what is unknown.", class_="notice")
    )


def _outcome_tiles(run: RunStatistics, spared: Mapping[str, int]) -> Iterator[tuple[str, str, str, str]]:
    for outcome in Outcome:
        if run.counts[outcome]:
            yield (
                format_count(run.counts[outcome]),
                str(outcome).replace("_", " "),
                outcome.meaning,
                "good" if outcome in GOOD else "attention" if run.counts[outcome] > spared.get(outcome, 0) else "",
            )


def _totals(run: RunStatistics) -> Html:
    return table(
        ["Outcome", "What", ">?Without tax", ">With tax", ""],
        (
            (
                outcome,
                format_quantity(tally.documents, document_type),
                format_net(tally),
                format_total(tally),
                currency,
            )
            for (outcome, document_type, currency), tally in sorted(
                run.totals.items(), key=lambda item: group_order(item[0])
            )
            if outcome in BOOKED
        ),
    )


#: Words for totals, which are no fields of a record.
_TOTALS = {"net": "total without tax", "gross": "total with tax"}


def _unchecked(run: RunStatistics) -> Html:
    if not run.unchecked:
        return Html("")
    fields = ", ".join(
        f"{_TOTALS.get(name, name)} ({format_count(count)})" for name, count in run.unchecked.most_common(20)
    )
    return tag("p", f"Not compared, because one side does not state it: {fields}.", class_="note")
