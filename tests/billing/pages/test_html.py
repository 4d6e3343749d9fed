"""Pages that people read: a plan before approval (in Markdown too), a run after its end."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.evidence.model import EvidenceRef, RunFacts
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.pages.html import render_plan, render_run
from airflow_provider_rma.billing.pages.markdown import render_plan_markdown
from airflow_provider_rma.billing.pages.statistics import LISTED, PlanStatistics
from tests.support.pages import CANARY, page_text, parse_page, plan_statistics, planned


def plan_texts(plan: PlanStatistics) -> Iterator[str]:
    """The words of both forms of a plan."""
    yield page_text(render_plan(plan))
    yield re.sub(r"\\(.)", r"\1", render_plan_markdown(plan))


def test_a_plan_says_what_will_happen_invoices_and_credit_notes_apart() -> None:
    plan = plan_statistics(
        planned(1, net="1234.50"),
        planned(2, net="1000.00"),
        planned(3, net="-50.00"),
        planned(4, decision="unchanged"),
        planned(5, decision="closed_period", reasons=("transdate: lies in a closed period",)),
    )
    for text in plan_texts(plan):
        assert "3 of 5 records will be sent to RMA, dated October 2026." in text
        assert "2'234.50" in text
        assert "2'415.49" in text
        assert "-54.05" in text
        assert "2 invoices" in text
        assert "1 credit note" in text


def test_a_plan_says_why_documents_are_not_sent_grouped_with_numbers() -> None:
    missing = "customernumber: there is no customer K-{0} in RMA; create the customer first"
    plan = plan_statistics(
        *(planned(place, decision="invalid", reasons=(missing.format(place),)) for place in range(1, 31)),
        planned(31, decision="invalid", reasons=("invoice R-31: parts[2].unit: 7 characters", "duedate: is missing")),
        planned(32, decision="invalid", reasons=("invoice R-32: parts[5].unit: 7 characters",)),
        planned(33, decision="conflict", reasons=("gross: meant 10.00, booked 20.00",)),
    )
    for text in plan_texts(plan):
        assert "customernumber: there is no customer … in RMA; create the customer first" in text
        assert re.search(r"30 ×", text)
        assert re.search(r"R-1, R-2, R-3.*, …", text)
        assert "parts[].unit: 7 characters" in text
        assert "R-31, R-32" in text
        assert "gross: meant 10.00, booked 20.00" in text
        assert "Nothing will be sent" in text


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([planned(1, transdate="2026-11-03")], "1 document dated in the future: R-1"),
        ([planned(1, transdate="2025-10-31")], "1 document dated more than a year ago: R-1"),
        (
            [*(planned(place) for place in range(1, 9)), planned(9, net="5000.00")],
            "1 document above 10 times the median of CHF 108.10: R-9",
        ),
        (
            [planned(1, customernumber="K-1"), planned(2, customernumber="K-1")],
            "1 document with the customer, date and amount of another one in this plan: R-2",
        ),
        ([planned(1, net="0.00")], "1 document with an amount of zero: R-1"),
        ([planned(1) | {"net": None, "gross": None}], "1 document whose amount only RMA knows: R-1"),
        (
            [planned(place, customernumber="K-7", net=str(place)) for place in range(1, 8)],
            "1 customer with more than 5 documents each: K-7 (7)",
        ),
        ([planned(1, currency="EUR")], "1 document in EUR, outside of the totals in CHF."),
        ([planned(1)], "The period is not proven open"),
        ([planned(1), planned(2, net="-1.00")], "2 shapes of document: the first of each is sent alone and verified"),
    ],
)
def test_a_plan_warns(rows: list[dict[str, Any]], sentence: str) -> None:
    for text in plan_texts(plan_statistics(*rows)):
        assert sentence in text


def test_a_plan_does_not_warn_without_cause() -> None:
    plan = plan_statistics(*(planned(place) for place in range(1, 9)), closed_until="2026-09-30")
    for text in plan_texts(plan):
        for word in ("not proven open", "in the future", "year ago", "median", "of zero", "another one", "more than 5"):
            assert word not in text
    assert "Closed until 2026-09-30" in page_text(render_plan(plan))
    nothing = plan_statistics(planned(1, decision="unchanged"))
    assert "Before you approve" not in render_plan_markdown(nothing)


def test_amounts_without_tax_are_marked() -> None:
    for rows, amount in (
        ([planned(1), planned(2) | {"gross": None}], "208.10 *"),
        ([planned(1) | {"gross": None}], "100.00 net"),
        ([planned(1) | {"gross": None, "net": None}], "–"),
    ):
        for text in plan_texts(plan_statistics(*rows)):
            assert amount in text
            assert ("RMA computes the tax" in text) == (amount != "–")


def test_a_plan_shows_months_and_the_largest_documents() -> None:
    rows = [planned(place, net=f"{place}.00", transdate=f"2026-{place % 9 + 1:02d}-15") for place in range(1, 91)]
    plan = plan_statistics(*rows)
    assert [line.number for line in plan.largest] == [f"R-{place}" for place in range(90, 80, -1)]
    for text in plan_texts(plan):
        assert "September 2026" in text
        assert text.index("R-90") < text.index("R-89") < text.index("R-88")
    assert "January 2026" in page_text(render_plan(plan))
    earlier = sum(Decimal(row["gross"]) for row in rows if row["transdate"] < "2026-02")
    assert f"| earlier | 10 | {earlier:.2f} |" in render_plan_markdown(plan)


def test_a_plan_holds_no_names() -> None:
    plan = plan_statistics(
        *(planned(place) for place in range(1, 9)), planned(9, decision="invalid", reasons=("is missing",))
    )
    assert "Kanarienvogel" not in render_plan(plan)
    assert "Kanarienvogel" not in render_plan_markdown(plan)


def test_what_a_caller_writes_is_text_in_both_forms() -> None:
    number = "<script>alert(1)</script>|*_`[x](http://evil.example)"
    plan = plan_statistics(planned(1, number=number), planned(2, decision="invalid", number=number, reasons=(number,)))
    page = render_plan(plan)
    assert "script" not in parse_page(page).tags
    assert number[:60] in page_text(page)
    markdown = render_plan_markdown(plan)
    assert "<script" not in markdown.replace("\\<script", "")
    assert "[x]" not in markdown
    largest = next(line for line in markdown.splitlines() if "alert" in line and line.startswith("|"))
    assert len(re.findall(r"(?<!\\)\|", largest)) == 5


def test_an_empty_plan_is_a_page_too() -> None:
    for text in plan_texts(plan_statistics()):
        assert "Nothing will be sent: none of 0 records" in text


START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


FACTS = RunFacts(
    "nightly/1/bill",
    "invoices",
    START,
    START + timedelta(minutes=4),
    plan_hash="c" * 64,
    input_hash="b" * 64,
    approver="a.pruefer",
    brakes={"max_count": 2000},
)


def booked(position: int, outcome: Outcome = Outcome.CREATED, *reasons: str, **values: Any) -> dict[str, Any]:
    amounts = (
        {} if outcome not in ("created", "unchanged") else {"net": Decimal("1000.00"), "gross": Decimal("1081.00")}
    )
    return DocumentResult(position, f"R-{position}", outcome, tuple(reasons), **amounts | values).as_dict()


def run_page(*rows: dict[str, Any], facts: RunFacts = FACTS, **values: Any) -> str:
    return render_run(facts, iter(rows), **{"service": "https://rma.example", "tenant": "demo"} | values)


def test_a_run_shows_counts_totals_and_where_it_comes_from() -> None:
    page = run_page(
        booked(1, document_id="71"),
        booked(2),
        booked(3, Outcome.UNCHANGED, net=Decimal("-10.00"), gross=Decimal("-10.81")),
        outcome_path="/files/outcomes.ndjson",
        evidence=EvidenceRef("/files/evidence/x-000007-y.json", 7, "e" * 64),
    )
    text = page_text(page)
    for part in (
        "All 3 records are as they should be.",
        "1 November 2026, 04:00 to 04:04 (Zurich), 4 min",
        "2'000.00 2'162.00 CHF",
        "1 credit note -10.00 -10.81 CHF",
        "R-1 created 71 1'000.00 1'081.00",
        "link 7, /files/evidence/x-000007-y.json",
        "e" * 64,
        "c" * 64,
        "a.pruefer",
        "max_count 2000",
        "/files/outcomes.ndjson",
    ):
        assert part in text
    assert re.search(r"<b>2</b><span>created</span>", page)
    assert re.search(r"<b>1</b><span>unchanged</span>", page)
    assert "Needs attention" not in text


def test_a_run_says_what_needs_attention_and_what_to_do() -> None:
    text = page_text(
        run_page(
            booked(1),
            booked(2, Outcome.UNKNOWN, "no reliable answer, but not in the books yet"),
            booked(3, Outcome.REJECTED, "refused by RMA (HTTP 400)", server_message=CANARY),
            booked(4, Outcome.DUPLICATE, "2 documents carry this number (ids 1, 2)"),
            retry_at=START.timestamp(),
        )
    )
    assert "3 records of 4 need attention." in text
    assert "An attempt after 2026-11-01 04:00:00 (Zurich) decides what is unknown." in text
    assert "Clearing and retrying the task is safe." in text
    assert "Have all but one removed in RMA." in text
    assert "no reliable answer, but not in the books yet R-2" in text
    assert "Kanarienvogel" not in text


def test_a_stopped_run_says_why_first() -> None:
    facts = RunFacts("r", "invoices", START, START, stopped="2 documents in a row got no reliable answer")
    text = page_text(run_page(booked(1), booked(2, Outcome.HELD, "not sent: stopped"), facts=facts))
    assert "The run was stopped: 2 documents in a row got no reliable answer. 1 document not sent." in text


def test_what_differs_in_a_group_is_shown_by_an_example() -> None:
    rows = [booked(place, Outcome.CONFLICT, f"gross: meant {place}.00, booked {9 - place}.00") for place in (1, 2)]
    assert "gross: meant … booked … … of R-1: 1.00, 8.00 R-1, R-2" in page_text(run_page(*rows))


def test_remarks_and_what_was_not_compared_stand_apart() -> None:
    text = page_text(run_page(booked(1, Outcome.CREATED, "texts that differ in RMA: notes", unchecked=("gross",))))
    assert "Remarks" in text
    assert "texts that differ in RMA: notes R-1" in text
    assert "does not state it: total with tax (1)." in text
    assert "1 record is as it should be." in text


def test_customers_have_no_totals() -> None:
    facts = RunFacts("r", "customers", START, START)
    text = page_text(run_page(DocumentResult(1, "K-1", Outcome.CREATED).as_dict(), facts=facts))
    assert "Customers of tenant demo" in text
    assert "Totals" not in text
    assert "CHF" not in text
    assert "Customers Number Outcome Document id K-1 created" in text
    assert "Amount" not in text


def test_a_long_run_lists_the_first_and_says_where_the_rest_is() -> None:
    rows = (booked(place) for place in range(1, LISTED + 502))
    text = page_text(render_run(FACTS, rows, service="s", tenant="demo", outcome_path="/files/outcomes.ndjson"))
    assert f"R-{LISTED} created" in text
    assert f"R-{LISTED + 1} " not in text
    assert "And 501 more documents: see /files/outcomes.ndjson." in text


@pytest.mark.parametrize("page", [render_plan(plan_statistics(planned(1))), run_page(booked(1))], ids=["plan", "run"])
def test_pages_load_nothing_and_run_nothing(page: str) -> None:
    checker = parse_page(page)
    assert not checker.tags & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not {name for name in checker.attributes if name.startswith("on") or name in ("src", "href", "style")}
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert 'name="viewport"' in page
    assert '<html lang="en">' in page


def test_records_that_an_approved_plan_leaves_out_need_no_attention() -> None:
    rows = booked(1), booked(2), booked(3, Outcome.INVALID, "customernumber: there is no customer K-9")
    page = run_page(*rows, spared={"invalid": 1})
    text = page_text(page)
    assert "2 records are as they should be." in text
    assert "1 record is left out, as the approved plan says." in text
    assert "Left out invalid: refused here" in text
    assert "ttention" not in text
    assert 'class="attention"' not in page
    assert "1 record of 3 needs attention." in page_text(run_page(*rows))


def test_a_record_that_ends_otherwise_than_the_plan_says_needs_attention_beside_those_left_out() -> None:
    rows = booked(1), booked(2, Outcome.INVALID, "a: is missing"), booked(3, Outcome.INVALID, "b: is missing")
    text = page_text(run_page(*rows, spared={"invalid": 1}))
    assert "1 record of 3 needs attention. 1 record is left out, as the approved plan says." in text


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by the Web Content Accessibility Guidelines."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_can_be_read_by_day_and_by_night() -> None:
    page = run_page(booked(1))
    assert not re.findall(r"background: #", page)
    light, dark = re.findall(r":root \{[^}]*\}", page)
    for palette in (light, dark):
        named = dict(re.findall(r"--([a-z-]+): (#\w+)", palette))
        grounds = [colour for name, colour in named.items() if name == "paper" or name.endswith("-ground")]
        assert len(grounds) == 4
        for name in ("ink", "soft", "good", "attention", "care"):
            for ground in grounds:
                assert contrast(named[name], ground) >= 4.5, (name, ground)


PROBE = """<body><iframe style="width: 420px; height: 900px; border: 0" srcdoc="{page}"></iframe><script>
window.onload = () => {{
  const frame = document.querySelector("iframe").contentDocument;
  const wide = [frame.documentElement, ...frame.querySelectorAll(".scroll")]
    .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent.slice(0, 30));
  document.title = "wide " + JSON.stringify([frame.documentElement.clientWidth, ...wide]);
}};
</script></body>"""


@pytest.mark.skipif(not shutil.which("chromium"), reason="no browser to lay the page out")
@pytest.mark.parametrize("name", ["plan", "run"])
def test_a_phone_needs_no_sideways_scrolling(name: str, tmp_path: Path) -> None:
    """Asks a browser whether anything is wider than a screen of 420 pixels."""
    months = [f"2026-{month:02d}-15" for month in range(1, 13)]
    rows = [planned(place, net=str((-1) ** place * 34567), transdate=months[place % 12]) for place in range(40)]
    entries = [{"tax_accno": account} for account in ("2201", "2202", "2203")]
    rows.append(planned(41, net="-1.00") | {"document": {"wire": {"taxentries": {"taxentry": entries}}}})
    page = (
        render_plan(plan_statistics(*rows))
        if name == "plan"
        else run_page(booked(1), booked(2, Outcome.UNKNOWN, "no answer"))
    )
    path = tmp_path / "probe.html"
    path.write_text(PROBE.format(page=html.escape(page)), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    options += [f"--user-data-dir={tmp_path / 'user'}"]
    command = ["chromium", *options, "--window-size=800,1000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    found = re.search(r"<title>wide (.*?)</title>", done.stdout)
    assert found, done.stderr
    assert json.loads(found[1]) == [420]
