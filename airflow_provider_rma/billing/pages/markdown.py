"""A plan in Markdown, short enough for a form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airflow_provider_rma.billing.pages.statistics import PlanStatistics
from airflow_provider_rma.billing.pages.tallies import Sample
from airflow_provider_rma.billing.pages.wording import (
    TAX,
    format_iso_time,
    format_net,
    format_numbers,
    format_total,
    has_stars,
    list_decisions,
    list_months,
    list_warnings,
    plan_headline,
)
from airflow_provider_rma.formatting import format_amount, format_count, format_quantity

#: Airflow shows a plan's Markdown in a form; longer text is not read there.
MARKDOWN_LIMIT = 4_000


def render_plan_markdown(plan: PlanStatistics) -> str:
    """Render a plan in less than 4,000 characters, for Airflow's approval form.

    :param plan: see :func:`~airflow_provider_rma.billing.pages.statistics.gather_plan_statistics`.
    """
    for limit in (8, 5, 3, 1):
        text = "\n".join(_render(plan, limit))
        if len(text) < MARKDOWN_LIMIT:
            return text
    return text[: MARKDOWN_LIMIT - 40] + "…\n\nThe rest is in the HTML page."


def _render(plan: PlanStatistics, limit: int) -> Iterator[str]:
    header = plan.header
    yield f"# Billing plan for tenant {_escape(header.tenant)}"
    yield ""
    yield _escape(plan_headline(plan))
    yield ""
    yield from _table(
        ["Decision", "What", ">Without tax", ">Amount"],
        (
            (
                totals.decision,
                format_quantity(totals.tally.documents, totals.noun),
                format_net(totals.tally),
                format_total(totals.tally) + ("" if totals.currency == "CHF" else f" {totals.currency}"),
            )
            for totals in list(list_decisions(plan))[:14]
        ),
    )
    if has_stars(plan):
        yield ""
        yield _escape(TAX)
    yield from _list("Before you approve", [_shorten(warning, 60 * limit + 100) for warning in list_warnings(plan)])
    groups = plan.reasons.list_groups()
    sentences = [
        _shorten(f"{format_count(group.count)} × {group.outcome}: {group.sentence}", 20 * limit + 100)
        + f" ({format_numbers(Sample(group.count, group.numbers[:3]))})"
        for group in groups[:limit]
    ]
    if len(groups) > limit:
        sentences.append(f"… and {format_quantity(len(groups) - limit, 'more reason')}, see the HTML page")
    yield from _list("Will not be sent", sentences)
    if len(plan.months) > 1:
        yield "\n## By month, CHF\n"
        yield from _table(
            ["Month", ">Invoices", ">Amount", ">Credit notes", ">Credited"],
            (
                (
                    month.name,
                    format_count(month.invoices.documents),
                    format_total(month.invoices),
                    format_count(month.credit_notes.documents),
                    format_total(month.credit_notes),
                )
                for month in list_months(plan, limit)
            ),
        )
    if plan.largest:
        yield "\n## Largest documents, CHF\n"
        yield from _table(
            ["Number", "Date", "Customer", ">Amount"],
            (
                (document.number, document.transdate, document.customernumber, format_amount(document.amount))
                for document in plan.largest[: min(limit, 5)]
            ),
        )
    yield f"\nPlan {plan.plan_hash[:16] or '–'}…, books read {_escape(format_iso_time(header.created_at) or '–')}."


def _list(title: str, sentences: list[str]) -> Iterator[str]:
    if sentences:
        yield f"\n## {title}\n"
        yield from (f"- {_escape(sentence)}" for sentence in sentences)


def _table(heads: list[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head.lstrip(">") for head in heads) + " |"
    yield "|" + "|".join("---:" if head.startswith(">") else "---" for head in heads) + "|"
    yield from ("| " + " | ".join(_escape(cell) for cell in row) + " |" for row in rows)


def _escape(text: str) -> str:
    """Escape all that is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&$])", r"\\\1", " ".join(text.split()))


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
