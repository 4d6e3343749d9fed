"""Taking over from a script, over HTTP: what it booked is held against what it was given, and nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal_import.model import ImportReport
from airflow_provider_rma.billing.journal_import.run import JournalImport
from airflow_provider_rma.exceptions import ConfigurationError, IncompleteResponseError
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.billing_bench import Bench

Make = Callable[..., dict[str, Any]]

#: Each test has a year of its own, so that one does not find the other's invoices.
_years = count(1950)


@pytest.fixture
def year() -> int:
    return next(_years)


class Script:
    """A home-made script: books by itself, without a journal and without asking."""

    def __init__(self, bench: Bench, year: int) -> None:
        self.bench, self.year = bench, year

    def book(self, *records: dict[str, Any]) -> None:
        with self.bench.client() as client:
            for record in records:
                client.create_invoice(InvoiceSchema().from_user(record))
        self.bench.simulator.control("DELETE", "/requests")

    def day(self, month: int = 6, day: int = 15) -> date:
        return date(self.year, month, day)

    def compare(
        self, records: Iterable[dict[str, Any]], **options: Any
    ) -> tuple[ImportReport, dict[str, dict[str, Any]]]:
        """Compare the year; returns the report, and the lines of its file by number."""
        output, before = self.bench.output(), self.bench.posts()
        with self.bench.client() as client:
            first, last = options.pop("first", self.day(1, 1)), options.pop("last", self.day(12, 31))
            journal_import = JournalImport(client, self.bench.journal(), output, first, last, **options)
            report = journal_import.run(records)
        assert report.path == f"{output.url}/journal-import.ndjson"
        lines = Path(report.path).read_text(encoding="utf-8").splitlines()
        findings = [json.loads(line) for line in lines]
        assert sum(report.counts.values()) == len(findings)
        assert self.bench.posts() == before
        return report, {finding["number"]: finding for finding in findings}


@pytest.fixture
def script(bench: Bench, year: int) -> Script:
    return Script(bench, year)


def test_what_matches_is_journalled_as_booked_and_never_sent_again(bench: Bench, invoice: Make, script: Script) -> None:
    booking = invoice(transdate=script.day())
    articles = invoice(
        transdate=script.day(12, 31),
        incomeentries=None,
        taxentries=None,
        parts=[{"partnumber": "ART-1", "quantity": 3, "sellprice": "0.125"}],
    )
    script.book(booking, articles)
    report, findings = script.compare([booking, articles | {"invnumber": articles["invnumber"].lower()}], write=True)
    assert report.is_clean
    assert [finding["kind"] for finding in findings.values()] == ["match", "match"]
    assert report.imported is not None
    assert report.imported.added == 2
    entry = bench.journal().get([booking["invnumber"].lower()])[booking["invnumber"].lower()]
    (booked,) = bench.booked(booking["invnumber"])
    assert (entry.state, entry.document_id, entry.gross) == (JournalState.CREATED, str(booked["id"]), Decimal("108.1"))
    rows = bench.bill(booking, articles)
    assert {row["outcome"] for row in rows.values()} == {"unchanged"}
    assert bench.posts() == 0
    again, _ = script.compare([booking, articles], write=True)
    assert again.imported is not None
    assert (again.imported.added, again.imported.known) == (0, 2)
    # The journal remembers: removed from the books, it is no new invoice.
    bench.simulator.control("DELETE", f"/documents/{booked['id']}")
    assert bench.bill(booking)[booking["invnumber"]]["outcome"] == "conflict"


def test_without_write_the_journal_is_left_alone(bench: Bench, invoice: Make, script: Script) -> None:
    booked, twin = invoice(transdate=script.day()), invoice(transdate=script.day(), customernumber="K-901")
    script.book(booked, twin)
    missing = twin | {"invnumber": "NEW-" + twin["invnumber"]}
    report, findings = script.compare([booked, missing])
    assert report.imported is None
    assert findings[missing["invnumber"]]["kind"] == "probable_duplicate"
    assert report.blocked == 1
    assert bench.journal().get([booked["invnumber"].lower(), missing["invnumber"].lower()]) == {}


@pytest.mark.parametrize(
    ("change", "kind", "field", "text"),
    [
        ({"transdate": 1}, "near_match", "transdate", "(1 day off)"),
        ({"transdate": 2}, "conflict", "transdate", "(2 days off)"),
        ({"description": "Beratung Juni, Projekt Hüttenumbau"}, "near_match", "description", "cut after 13 characters"),
        ({"description": "Schulung"}, "near_match", "description", "other words"),
        ({"notes": "Danke"}, "near_match", "notes", "empty in RMA"),
        ({"taxentries": [{"amount": "8.11", "tax_accno": "2201"}]}, "near_match", "gross", "(0.01 off)"),
        ({"taxentries": [{"amount": "8.15", "tax_accno": "2201"}]}, "near_match", "taxentries", "1 meant, 1 booked"),
        ({"taxentries": [{"amount": "8.16", "tax_accno": "2201"}]}, "conflict", "gross", "(0.06 off)"),
        ({"incomeentries": [{"amount": "100", "income_accno": "3200"}]}, "conflict", "incomeentries", "other values"),
        ({"customernumber": "K-901"}, "conflict", "customernumber", "meant K-901, booked K-001"),
        ({"ar_accno": "1101"}, "conflict", "ar_accno", "meant 1101, booked 1100"),
    ],
)
def test_differences_are_named_by_field(
    bench: Bench, invoice: Make, script: Script, change: dict[str, Any], kind: str, field: str, text: str
) -> None:
    booked = invoice(transdate=script.day(), description="Beratung Juni", ar_accno="1100")
    script.book(booked)
    if isinstance(change.get("transdate"), int):
        change = {"transdate": script.day(6, 15 + change["transdate"])}
    report, findings = script.compare([booked | change], write=True)
    finding = findings[booked["invnumber"]]
    assert finding["kind"] == kind, finding
    assert field in finding["fields"]
    assert any(reason.startswith(f"{field}: ") and text in reason for reason in finding["reasons"]), finding
    assert report.fields[field] == 1
    assert not report.is_clean
    # It is in the books, so no run sends it, whether journalled or not.
    assert bench.bill(booked | change)[booked["invnumber"]]["outcome"] in ("conflict", "unchanged")
    assert bench.posts() == 0


def test_a_price_that_is_a_rappen_off_is_near(bench: Bench, invoice: Make, script: Script) -> None:
    lines = {"incomeentries": None, "taxentries": None}
    part = {"partnumber": "ART-1", "quantity": "1"}
    booked = invoice(transdate=script.day(), **lines, parts=[part | {"sellprice": "10.00"}])
    script.book(booked)
    _, findings = script.compare([booked | {"parts": [part | {"sellprice": "10.01"}]}])
    assert findings[booked["invnumber"]]["kind"] == "near_match"
    _, findings = script.compare([booked | {"parts": [part | {"sellprice": "12.00"}]}])
    assert findings[booked["invnumber"]]["kind"] == "conflict"


def test_missing_extra_and_duplicate(bench: Bench, invoice: Make, script: Script) -> None:
    extra = invoice(transdate=script.day(1, 1), customernumber="K-901")
    twice, thrice = invoice(transdate=script.day(2, 1)), invoice(transdate=script.day(3, 1))
    missing = invoice(transdate=script.day(12, 31))
    script.book(extra, twice, twice, thrice, thrice, thrice)
    report, findings = script.compare([twice, missing], write=True)
    assert findings[extra["invnumber"]]["kind"] == "extra"
    assert "position" not in findings[extra["invnumber"]]
    assert findings[missing["invnumber"]]["kind"] == "missing"
    assert findings[twice["invnumber"]]["kind"] == "duplicate"
    ids = [str(document["id"]) for document in bench.booked(twice["invnumber"])]
    assert findings[twice["invnumber"]]["document_ids"] == ids
    assert findings[thrice["invnumber"]]["kind"] == "duplicate"
    assert len(findings[thrice["invnumber"]]["document_ids"]) == 3
    assert report.counts == {"extra": 1, "missing": 1, "duplicate": 2}
    assert report.totals["extra"] == Decimal("108.10")
    assert report.totals["duplicate"] == 5 * Decimal("108.10")
    rows = bench.bill(missing, twice)
    assert rows[missing["invnumber"]]["outcome"] == "created"
    assert rows[twice["invnumber"]]["outcome"] == "duplicate"


def test_only_the_period_is_compared_and_both_days_are_in_it(bench: Bench, invoice: Make, script: Script) -> None:
    first, last = invoice(transdate=script.day(6, 1)), invoice(transdate=script.day(6, 30))
    before, after = invoice(transdate=script.day(5, 31)), invoice(transdate=script.day(7, 1))
    slipped = invoice(transdate=script.day(6, 30), customernumber="K-901")
    script.book(first, last, before, after, slipped)
    source = [first, last, before, after, slipped | {"transdate": script.day(7, 1)}]
    report, findings = script.compare(source, first=script.day(6, 1), last=script.day(6, 30))
    assert set(findings) == {first["invnumber"], last["invnumber"]}
    assert (report.source, report.outside) == (2, 3)
    report, findings = script.compare([], first=script.day(6, 1), last=script.day(6, 30))
    assert set(findings) == {first["invnumber"], last["invnumber"], slipped["invnumber"]}


def test_records_that_are_no_invoices_are_reported_and_the_rest_is_compared(
    bench: Bench, invoice: Make, script: Script
) -> None:
    good, bad, repeated = (invoice(transdate=script.day()) for _ in range(3))
    script.book(good, bad)
    report, findings = script.compare([good, bad | {"transdate": "2026-02-30"}, repeated, repeated], write=True)
    assert findings[good["invnumber"]]["kind"] == "match"
    assert findings[bad["invnumber"]]["kind"] == "invalid"
    assert "transdate: is not a date" in findings[bad["invnumber"]]["reasons"][0]
    assert "positions 3, 4 of the source" in findings[repeated["invnumber"]]["reasons"][0]
    assert report.counts == {"match": 1, "invalid": 3}


def test_foreign_currency_and_full_customers_are_compared_as_well(bench: Bench, invoice: Make, script: Script) -> None:
    record = invoice(transdate=script.day(), currency="EUR")
    script.book(record)
    customer = {"customernumber": "K-001", "name": "Muster AG"}
    _, findings = script.compare([{**record, "customernumber": None, "customer": customer}])
    finding = findings[record["invnumber"]]
    assert finding["kind"] == "match"
    assert {"net", "gross"} <= set(finding["unchecked"])


# ---------------------------------------------------------------------- probable duplicates


def probable(invoice: Make, script: Script) -> tuple[dict[str, Any], dict[str, Any]]:
    """An invoice of the source, and the same as the script has booked it under another number."""
    wanted = invoice(transdate=script.day(), customernumber="K-901")
    booked = wanted | {"invnumber": "S-" + wanted["invnumber"]}
    script.book(booked)
    return wanted, booked


def test_a_probable_duplicate_is_sent_by_no_run_until_a_person_has_decided(
    bench: Bench, invoice: Make, script: Script
) -> None:
    wanted, booked = probable(invoice, script)
    number = wanted["invnumber"]
    report, findings = script.compare([wanted], write=True)
    finding = findings[number]
    assert finding["kind"] == "probable_duplicate"
    assert finding["document_ids"] == [str(bench.booked(booked["invnumber"])[0]["id"])]
    assert f"probably booked as {booked['invnumber']}: same customer, date and gross" in finding["reasons"][0]
    assert findings[booked["invnumber"]]["kind"] == "extra"
    assert report.blocked == 1
    assert bench.state(number) == "blocked"
    for _ in range(2):
        row = bench.bill(wanted, fail_on=["rejected"])[number]
        assert row["outcome"] == "held"
        assert f"probably booked as {booked['invnumber']}" in row["reasons"][0]
        assert f"rma journal resolve {number} --as absent" in row["reasons"][0]
        assert bench.error is not None
        assert not bench.error.retryable
    assert bench.posts() == 0
    script.compare([wanted], write=True)
    assert bench.state(number) == "blocked"
    bench.journal().resolve(number, "absent", who="A. Muster", reason="two different orders")
    _, findings = script.compare([wanted], write=True)
    assert findings[number]["kind"] == "missing"
    assert bench.bill(wanted)[number]["outcome"] == "created"
    _, findings = script.compare([wanted], write=True)
    assert findings[number]["kind"] == "match"


def test_a_probable_duplicate_that_a_person_calls_booked_is_never_sent(
    bench: Bench, invoice: Make, script: Script
) -> None:
    wanted, _ = probable(invoice, script)
    script.compare([wanted], write=True)
    bench.journal().resolve(wanted["invnumber"], "booked", who="A. Muster", reason="the same order")
    _, findings = script.compare([wanted], write=True)
    assert "the journal holds it as booked" in findings[wanted["invnumber"]]["reasons"][0]
    assert bench.bill(wanted)[wanted["invnumber"]]["outcome"] == "conflict"
    assert bench.posts() == 0


@pytest.mark.parametrize("blocked_before", [True, False])
def test_an_accepted_number_is_billed_and_the_decision_is_kept(
    bench: Bench, invoice: Make, script: Script, blocked_before: bool
) -> None:
    wanted, _ = probable(invoice, script)
    number = wanted["invnumber"]
    if blocked_before:
        script.compare([wanted], write=True)
    report, findings = script.compare([wanted], write=True, accepted=[number.lower(), "R-NONE"], who="A. Muster")
    assert findings[number]["kind"] == "missing"
    assert report.accepted_without_need == ("R-NONE",)
    assert report.blocked == 0
    assert [event.note for event in bench.journal().history(number)][-1] == (
        "absent according to A. Muster: accepted at import"
    )
    _, findings = script.compare([wanted], write=True)
    assert findings[number]["kind"] == "missing"
    assert bench.bill(wanted)[number]["outcome"] == "created"


def test_a_blocked_number_that_appears_in_the_books_is_no_longer_blocked(
    bench: Bench, invoice: Make, script: Script
) -> None:
    wanted, _ = probable(invoice, script)
    script.compare([wanted], write=True)
    script.book(wanted)
    assert bench.bill(wanted)[wanted["invnumber"]]["outcome"] == "unchanged"
    assert bench.state(wanted["invnumber"]) == "created"


def test_articles_without_a_known_gross_are_recognised_by_their_net(
    bench: Bench, invoice: Make, script: Script
) -> None:
    part = {"partnumber": "ART-1", "quantity": 1, "sellprice": "77.70"}
    wanted = invoice(transdate=script.day(), incomeentries=None, taxentries=None, parts=[part])
    script.book(wanted | {"invnumber": "S-" + wanted["invnumber"]})
    _, findings = script.compare([wanted])
    assert "same customer, date and net" in findings[wanted["invnumber"]]["reasons"][0]


@pytest.mark.parametrize(
    "change", [{"transdate": None}, {"customernumber": "K-001"}, {"taxentries": [{"amount": "8", "tax_accno": "2201"}]}]
)
def test_another_date_customer_or_gross_is_another_invoice(
    bench: Bench, invoice: Make, script: Script, change: dict[str, Any]
) -> None:
    wanted, _ = probable(invoice, script)
    if "transdate" in change:
        change = {"transdate": script.day(6, 16)}
    _, findings = script.compare([wanted | change], write=True)
    assert findings[wanted["invnumber"]]["kind"] == "missing"


def test_a_number_that_a_run_is_sending_at_the_moment_is_not_blocked(
    bench: Bench, invoice: Make, script: Script
) -> None:
    wanted, _ = probable(invoice, script)
    bench.journal().claim(wanted["invnumber"], "0" * 64, None, settle_after=60)
    report, findings = script.compare([wanted], write=True)
    assert "repeat this after its settle time" in findings[wanted["invnumber"]]["reasons"][0]
    assert (bench.state(wanted["invnumber"]), report.blocked) == ("claimed", 0)


def test_a_blocked_number_cannot_be_claimed(bench: Bench) -> None:
    journal = bench.journal()
    entry = journal.block("R-BLOCKED", "0" * 64, None, reason="probably booked as R-0")
    assert entry is not None
    assert journal.claim("R-BLOCKED", "0" * 64, entry, settle_after=60) is None
    assert journal.block("R-BLOCKED", "0" * 64, None, reason="again") is None


# ---------------------------------------------------------------------- the whole


def test_a_list_that_ends_early_journals_nothing(bench: Bench, invoice: Make, script: Script) -> None:
    record = invoice(transdate=script.day())
    script.book(record)
    bench.chaos("read_invoices", "truncated", framing="chunked")
    with pytest.raises(IncompleteResponseError):
        script.compare([record], write=True)
    assert bench.journal().get([record["invnumber"].lower()]) == {}


def test_the_report_holds_no_names_and_no_texts(bench: Bench, invoice: Make, script: Script) -> None:
    record = invoice(transdate=script.day(), description="Frau Beispiel, Geheimweg 7", notes="Geheimweg")
    script.book(record)
    report, _ = script.compare([record | {"description": "Frau Beispiel", "incomeentries": [{"amount": "Geheimweg"}]}])
    assert "Geheimweg" not in Path(report.path).read_text(encoding="utf-8")
    report, _ = script.compare([record | {"description": "Herr Muster"}])
    text = Path(report.path).read_text(encoding="utf-8")
    assert "description" in text
    assert not any(word in text for word in ("Geheimweg", "Beispiel", "Muster"))


def test_a_period_that_ends_before_it_begins_is_refused(script: Script) -> None:
    with pytest.raises(ConfigurationError, match="period: "):
        script.compare([], first=script.day(6, 2), last=script.day(6, 1))
