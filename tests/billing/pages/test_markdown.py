"""A plan in Markdown, short enough for a form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_rma.billing.pages.html import render_plan
from airflow_provider_rma.billing.pages.markdown import render_plan_markdown
from airflow_provider_rma.billing.pages.statistics import LISTED, gather_plan_statistics
from tests.support.pages import TODAY, header, page_text, planned


def test_the_markdown_of_a_huge_plan_is_short() -> None:
    def rows() -> Iterator[dict[str, Any]]:
        decisions = ["create", "invalid", "conflict", "duplicate", "closed_period", "unknown", "unchanged"]
        for position in range(1, 20_001):
            reasons = [f"{'because of this ' * (position % 13)}{chr(97 + position % 26)} {position}"]
            yield planned(
                position,
                decision=decisions[position % 7],
                reasons=tuple(reasons),
                number="N|" * 30 + str(position),
                net=str((-1) ** position * (position % 991)),
                currency=("CHF", "EUR", "USD", "GBP")[position % 4],
                transdate=f"{2020 + position % 8}-{position % 12 + 1:02d}-01",
                customernumber="C*" * 20 + str(position % 3),
            )

    plan = gather_plan_statistics(header(), rows(), today=TODAY)
    assert plan.documents == 20_000
    text = render_plan_markdown(plan)
    assert len(text) < 4_000
    assert "Before you approve" in text
    assert len(plan.listed) == LISTED
    assert f"And {20_000 - LISTED:,} more documents".replace(",", "'") in page_text(render_plan(plan))
