"""A plan in Markdown, short enough for a form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airflow_provider_rma.billing.pages.statistics import PlanStatistics, Sample
from airflow_provider_rma.billing.pages.wording import (
    TAX,
    amount_of,
    by_month,
    decision_rows,
    headline,
    month_name,
    numbers,
    starred,
    sum_of,
    warnings,
    zurich,
)
from airflow_provider_rma.formatting import format_amount, format_count, format_quantity

#: Airflow shows a plan's Markdown in a form; what is longer nobody reads there.
MARKDOWN_LIMIT = 4_000


def plan_markdown(review: PlanStatistics) -> str:
    """A plan in less than 4,000 characters, for Airflow's approval form.

    :param review: see :func:`~airflow_provider_rma.billing.pages.statistics.review_plan`.
    """
    for most in (8, 5, 3, 1):
        text = "\n".join(_plan_markdown(review, most))
        if len(text) < MARKDOWN_LIMIT:
            return text
    return text[: MARKDOWN_LIMIT - 40] + "…\n\nThe rest is in the HTML page."


def _plan_markdown(review: PlanStatistics, most: int) -> Iterator[str]:
    header = review.header
    yield f"# Billing plan for tenant {_md(header.tenant)}"
    yield ""
    yield _md(headline(review))
    yield ""
    yield from _md_table(
        ["Decision", "What", ">Without tax", ">Amount"],
        (
            (
                decision,
                format_quantity(tally.documents, sort),
                sum_of(tally.net, tally.net_known, tally.documents),
                amount_of(tally) + ("" if currency == "CHF" else f" {currency}"),
            )
            for decision, sort, tally, currency in list(decision_rows(review))[:14]
        ),
    )
    if starred(review):
        yield ""
        yield _md(TAX)
    yield from _md_list("Before you approve", [_cut(warning, 60 * most + 100) for warning in warnings(review)])
    groups = review.reasons.groups()
    sentences = [
        _cut(f"{format_count(group.count)} × {group.outcome}: {group.sentence}", 20 * most + 100)
        + f" ({numbers(Sample(group.count, group.numbers[:3]))})"
        for group in groups[:most]
    ]
    if len(groups) > most:
        sentences.append(f"… and {format_quantity(len(groups) - most, 'more reason')}, see the HTML page")
    yield from _md_list("Will not be sent", sentences)
    if len(review.months) > 1:
        yield "\n## By month, CHF\n"
        yield from _md_table(
            ["Month", ">Invoices", ">Amount", ">Credit notes", ">Credited"],
            (
                (
                    month_name(month) if month else "earlier",
                    format_count(invoices.documents),
                    amount_of(invoices),
                    format_count(notes.documents),
                    amount_of(notes),
                )
                for month, invoices, notes in by_month(review, most)
            ),
        )
    if review.largest:
        yield "\n## Largest documents, CHF\n"
        yield from _md_table(
            ["Number", "Date", "Customer", ">Amount"],
            (
                (line.number, line.transdate, line.customernumber, format_amount(line.amount))
                for line in review.largest[: min(most, 5)]
            ),
        )
    yield f"\nPlan {review.plan_hash[:16] or '–'}…, books read {_md(zurich(header.created_at) or '–')}."


def _md_list(title: str, sentences: list[str]) -> Iterator[str]:
    if sentences:
        yield f"\n## {title}\n"
        yield from (f"- {_md(sentence)}" for sentence in sentences)


def _md_table(heads: list[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head.lstrip(">") for head in heads) + " |"
    yield "|" + "|".join("---:" if head.startswith(">") else "---" for head in heads) + "|"
    yield from ("| " + " | ".join(_md(cell) for cell in row) + " |" for row in rows)


def _md(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&$])", r"\\\1", " ".join(text.split()))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
