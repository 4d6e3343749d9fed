"""The page of a run of the ledger extract."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.pages import charts, run
from airflow_provider_rma.ledger.pages.run import ledger_page
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.result import LedgerResult, MonthState
from tests.support.ledger.company import Company
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.report_rows import LOAD, clean, proof, troubled

Run = Callable[[], tuple[LedgerResult, dict[str, Any]]]


def made(run: Run, **more: Any) -> str:
    result, rows = run()
    return ledger_page(result, **rows | more)


def text(markup: str) -> str:
    """What a person reads of a page: words without markup, runs of blanks as one."""
    body = re.sub(r"<style>.*?</style>", " ", markup, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


class _Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("run", [clean, troubled], ids=lambda run: run.__name__)
def test_the_page_stands_alone_and_is_well_formed(run: Run) -> None:
    page = made(run)
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    names = {name for name, _ in parser.attributes}
    assert not names & {"src", "href", "style"}
    assert not any(name.startswith("on") for name in names)
    assert "<script" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_a_page_of_the_same_run_is_the_same() -> None:
    assert made(troubled) == made(troubled)


def test_texts_are_escaped() -> None:
    page = made(troubled)
    assert "Office &lt;&amp; post&gt;" in page
    assert "<& post>" not in page


def test_the_verdict_stands_first_and_says_what_became_of_months() -> None:
    page = text(made(troubled))
    assert page.index("Unsettled") < page.index("months proven")
    assert (
        "10 months: 4 exact, 1 tolerated, 1 balances only, 1 unproven, 1 broken, 1 suspiciously empty, 1 unsett" in page
    )
    assert "Not loaded, so the warehouse keeps what it had: 2026-06, 2026-07, 2026-08." in page
    assert "Loaded although not proven: 2026-09." in page
    assert "Proven, exact" in text(made(clean))
    assert "Not loaded" not in text(made(clean)).partition("Postings by month")[0]


def test_every_verdict_state_and_reason_is_known() -> None:
    assert len({verdict.icon for verdict in Verdict}) == len({verdict.label for verdict in Verdict}) == len(Verdict)
    assert set(run.STATES) == set(MonthState) == set(charts.SHADES)
    for verdict in Verdict:
        assert f".v-{verdict.value}" in charts.STYLE


def test_differences_come_with_what_to_do() -> None:
    page = text(made(troubled))
    for sentence in ("Voucher ar 4711 (reference R-17)", "1,320 postings came", "Account 1109 cannot be proven"):
        assert sentence in page
    for code in (
        ReasonCode.ACCOUNT_DIFFERENCE,
        ReasonCode.COUNT_WRONG,
        ReasonCode.EMPTIED,
        ReasonCode.BALANCES_MOVED,
        ReasonCode.SIGN_UNKNOWN,
    ):
        assert code.advice in page
    # Told although it makes nothing worse; not told because nothing is to be done.
    assert "A closed month has changed" in page
    assert "opposite sign of its kind" not in page
    assert "the balances are those of 2026-10-30" not in page
    assert "Differences and what to do" not in text(made(clean))


def test_of_many_reasons_the_first_are_named() -> None:
    result, rows = troubled()
    many = [Reason(ReasonCode.VOUCHER_UNBALANCED, f"Voucher ar {n} is off.", Verdict.BROKEN) for n in range(30)]
    page = text(ledger_page(replace(result, windows=[replace(result.windows[0], reasons=many)]), **rows))
    assert "Voucher ar 24 is off." in page
    assert "Voucher ar 25 is off." not in page
    assert "5 further reasons in the table proofs." in page


def test_the_map_says_by_sign_and_figure_what_it_shows_by_colour() -> None:
    page = made(troubled)
    assert re.search(r'<td class="v-broken" title="broken"><b [^>]*>✗</b><small>1&#x27;234.50</small></td>', page)
    assert re.search(r'<td class="v-tolerated" title="tolerated"><b [^>]*>≈</b><small>−0.01</small></td>', page)
    assert "0.00000001" in page
    assert "· nothing to check" in text(page)
    # Accounts with something to look at come before the others.
    heads = re.findall(r'<th scope="row"><b>(\d+)</b>', page)
    assert heads == ["1100", "1109", "2200", "3200", "1020", "2000", "4200", "6500"]


def test_many_accounts_without_a_fault_are_folded_away() -> None:
    page = made(clean)
    assert "40 accounts exact in every month" in page
    assert "<details" in page
    assert "<details" not in made(troubled)


def test_rows_of_other_loads_and_tenants_are_passed_over() -> None:
    result, rows = clean()
    foreign = [
        proof("9998", 9, "broken", "5", load_id="earlier"),
        proof("9999", 9, "broken", "5", tenant="other"),
    ]
    assert ledger_page(result, **rows | {"proofs": [*rows["proofs"], *foreign]}) == ledger_page(result, **rows)


def test_balances_run_over_the_period() -> None:
    page = text(made(clean))
    assert "1020 Bank 7'000.00 3'000.00 10'000.00 0.00" in page
    assert "3200 Sales of goods – 3'000.00 – 0.00" in page
    assert "✗ 1'234.50" in text(made(troubled))
    assert "≈ −0.01" in text(made(troubled))


def test_volumes_have_their_numbers_and_what_was_there_before() -> None:
    page = made(clean)
    assert "<title>2026-10: 1&#x27;320 postings, 903 before, replaced</title>" in page
    bars = [
        tuple(map(int, found)) for found in re.findall(r'<rect x="(\d+)" y="(\d+)" width="44" height="(\d+)"', page)
    ]
    assert [height for _, _, height in bars] == [round(130 * rows / 1320) for rows in (1180, 1243, 1320)]
    assert len({top + height for _, top, height in bars}) == 1


def test_changes_are_counted_by_month_and_the_first_are_named() -> None:
    page = text(made(troubled))
    assert "Month Added Removed Amended Reposted 2026-05 12 0 1 3" in page
    assert "2026-05 added ar 4711 (R-17), ar 4712 (R-18), …" in page
    assert "2026-05 reposted ap 7, ap 8, ap 9" in page
    assert "2026-05 removed" not in page
    assert "Changes since the last load" not in text(made(clean))


def test_of_many_changes_the_counts_are_seen_at_once_and_the_names_are_folded_away() -> None:
    result, rows = troubled()
    (changes,) = (month.changes for month in result.windows if month.changes)
    many = ledger_page(replace(result, windows=[replace(month, changes=changes) for month in result.windows]), **rows)
    assert "2026-05 12 0 1 3 2026-06 12 0 1 3" in text(many)
    names = many.partition("<summary>The first vouchers of each kind</summary>")[2].partition("</details>")[0]
    assert names.count("<td>added</td>") == len(result.windows)
    assert "<details" not in made(troubled)


def test_signs_loads_and_run_are_named() -> None:
    page = text(made(troubled))
    assert "natural: assets and expenses positive when debited" in page
    assert "not known yet" in page
    assert LOAD in page
    assert "scheduled__2026-11-02T03:00:00+00:00" in page
    assert "2026-11-02 04:20 Zurich" in page
    assert "2026-08 ↻ unsettled rejected 1'188 1'180 1× 7 3.2" in page


def test_a_run_without_months_has_a_page() -> None:
    page = text(ledger_page(LedgerResult("demo", LOAD, "duckdb", "w.duckdb"), proofs=[]))
    assert "Nothing was read" in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1234567.5", "1'234'567.50"), ("-0.00000001", "−0.00000001"), ("0E-8", "0.00"), ("-1000", "−1'000.00")],
)
def test_amounts_keep_all_their_places(value: str, shown: str) -> None:
    assert charts.amount(Decimal(value)) == shown
    assert charts.amount(None) == "–"


def test_a_real_run_has_a_page(trading: Company, memory: MemoryDestination) -> None:
    with trading.client() as client:
        result = extract_ledger(client, memory, from_date=date(2026, 1, 1), to_date=date(2026, 3, 31))
    page = text(
        ledger_page(
            result,
            proofs=[row for rows in memory.proofs.values() for row in rows],
            balances=[row for rows in memory.balances.values() for row in rows],
        )
    )
    assert "Proven, exact" in page
    assert "3 of 3 months proven" in page
    assert "16 postings read" in page
    assert "Forderungen Schweiz" in page


@pytest.mark.parametrize(
    ("residual", "said"),
    [
        (Decimal("0.00"), "0.00 books off by all balances together are zero"),
        (Decimal("-0.01"), "−0.01 books off by all balances together"),
        (None, None),
    ],
)
def test_the_page_says_by_how_much_the_books_are_off(residual: Decimal | None, said: str | None) -> None:
    result, rows = clean()
    result = replace(result, windows=[replace(month, books_off_by=residual) for month in result.windows])
    page = text(ledger_page(result, **rows))
    assert said in page if said else "books off by" not in page
