"""Plans as their pages get them, and pages as a reader gets them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from airflow_provider_rma.billing.pages.statistics import PlanStatistics, gather_plan_statistics
from airflow_provider_rma.billing.plan_file import PlanHeader

CANARY = "Xenia Kanarienvogel"


TODAY = date(2026, 11, 2)


def header(**values: Any) -> PlanHeader:
    return PlanHeader(
        **{
            "tenant": "demo",
            "service": "https://rma.example",
            "run": "nightly/1/plan",
            "input_hash": "b" * 64,
            "created_at": "2026-11-01T23:30:00.123456Z",
        }
        | values
    )


def planned(position: int, *, decision: str = "create", reasons: tuple[str, ...] = (), **values: Any) -> dict[str, Any]:
    """A line of a plan file, with a person's name wherever a plan may hold one."""
    net = Decimal(values.pop("net", "100.00"))
    return {
        "position": position,
        "number": f"R-{position}",
        "decision": decision,
        "reasons": list(reasons),
        "net": f"{net:.2f}",
        "gross": f"{net * Decimal('1.081'):.2f}",
        "currency": "CHF",
        "transdate": "2026-10-31",
        "customernumber": f"K-{position}",
        "document": {"wire": {"description": CANARY, "parts": {"part": [{"description": CANARY}]}}, "expected": None},
        "record": {"customer": {"name": CANARY}, "notes": CANARY},
    } | values


def plan_statistics(*rows: dict[str, Any], **values: Any) -> PlanStatistics:
    return gather_plan_statistics(header(**values), iter(rows), plan_hash="c" * 64, today=TODAY)


class PageChecker(HTMLParser):
    """Checks that elements are closed, and gathers text, tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def parse_page(page: str) -> PageChecker:
    checker = PageChecker()
    checker.feed(page)
    assert checker.open == []
    return checker


def page_text(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(parse_page(page).text))
