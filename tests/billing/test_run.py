"""Whole runs over HTTP against the simulator: what is sent, what is booked, what is reported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.exceptions import BillingError, ConnectionNotMadeError, InDoubtError
from airflow_provider_rma.schemas.fields import Direction
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.billing_bench import Bench
from tests.support.billing_desk import Desk
from tests.support.invoices import make_invoice

Make = Callable[..., dict[str, Any]]


def parts(*lines: tuple[str, str, str]) -> dict[str, Any]:
    """The article method instead of the booking method."""
    keys = ("partnumber", "quantity", "sellprice")
    return {
        "incomeentries": None,
        "taxentries": None,
        "parts": [dict(zip(keys, line, strict=True)) for line in lines],
    }


def test_each_record_is_validated_exactly_once(
    desk: Desk[InvoiceDocument], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: Counter[tuple[Direction, str]] = Counter()
    load = InvoiceSchema.load

    def counted(schema: InvoiceSchema, data: Any, **options: Any) -> Any:
        loaded[schema.direction, data["invnumber"]] += 1
        return load(schema, data, **options)

    monkeypatch.setattr(InvoiceSchema, "load", counted)
    records = [make_invoice(customernumber="K-1") for _ in range(20)]
    folder = RunFolder(LocalFileSystem(), str(tmp_path), str(tmp_path))
    run = BillingRun(desk.kind, desk.journal, folder)
    assert run.plan(records).header.counts == {"create": 20}
    assert loaded == {(Direction.USER, record["invnumber"]): 1 for record in records}
    loaded.clear()
    assert run.send(records).counts == {"created": 20}
    assert loaded == {(Direction.USER, record["invnumber"]): 1 for record in records}


def test_what_is_sent_is_booked_once_and_reported(bench: Bench, invoice: Make) -> None:
    first, second = invoice(), invoice(**parts(("ART-1", "3", "0.125"), ("ART-1", "1", "19.95")))
    rows = bench.bill(first, second)
    assert [row["outcome"] for row in rows.values()] == ["created", "created"]
    assert rows[first["invnumber"]]["gross"] == "108.10"
    (document,) = bench.booked(second["invnumber"])
    assert Decimal(document["netamount"]) == Decimal("20.33")
    assert bench.posts() == 2
    assert bench.summary is not None
    assert bench.summary.as_dict()["counts"] == {"created": 2}
    assert bench.rejects == []


def test_a_second_run_changes_nothing(bench: Bench, invoice: Make) -> None:
    records = [invoice(), invoice(**parts(("ART-1", "1", "99")))]
    bench.bill(*records)
    total = bench.summary.total if bench.summary else None
    rows = bench.bill(*records)
    assert {row["outcome"] for row in rows.values()} == {"unchanged"}
    assert bench.posts() == 2
    assert bench.summary is not None
    assert bench.summary.total == total
    assert bench.summary.created_total == 0


def test_a_lost_journal_makes_no_second_document(bench: Bench, invoice: Make) -> None:
    record = invoice()
    bench.bill(record)
    for file in bench.folder.glob("journal.db*"):
        file.unlink()
    rows = bench.bill(record)
    assert rows[record["invnumber"]]["outcome"] == "unchanged"
    assert bench.state(record["invnumber"]) == "created"
    assert bench.posts() == 1


def test_numbers_that_differ_in_case_are_one_document(bench: Bench, invoice: Make) -> None:
    record = invoice(invnumber="rg-Case-1")
    bench.bill(record)
    rows = bench.bill(record | {"invnumber": "RG-CASE-1"})
    assert rows["RG-CASE-1"]["outcome"] == "unchanged"
    assert bench.posts() == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"transdate": date(2026, 9, 16)}, "transdate: meant 2026-09-16, booked 2026-09-15"),
        ({"taxentries": [{"amount": "7.70", "tax_accno": "2201"}]}, "gross: meant 107.70, booked 108.10"),
        ({"incomeentries": [{"amount": "100", "income_accno": "3200"}]}, "incomeentries: 1 meant, 1 booked, or other"),
        ({"customernumber": "K-002"}, "customernumber: meant K-002, booked K-001"),
    ],
)
def test_an_invoice_that_is_booked_otherwise_is_a_conflict(
    bench: Bench, invoice: Make, change: dict[str, Any], reason: str
) -> None:
    record = invoice()
    bench.bill(record)
    rows = bench.bill(record | change)
    row = rows[record["invnumber"]]
    assert row["outcome"] == "conflict"
    assert any(text.startswith(reason) for text in row["reasons"]), row["reasons"]
    assert bench.posts() == 1
    assert isinstance(bench.error, BillingError)
    assert bench.rejects[0]["invnumber"] == record["invnumber"]


def test_a_text_that_differs_is_reported_and_no_conflict(bench: Bench, invoice: Make) -> None:
    record = invoice(notes="Danke  für\nden Auftrag")
    bench.bill(record)
    assert bench.bill(record | {"notes": "Danke für den Auftrag"})[record["invnumber"]].get("reasons") is None
    row = bench.bill(record | {"notes": "Merci"})[record["invnumber"]]
    assert (row["outcome"], row["reasons"]) == ("unchanged", ["texts that differ in RMA: notes"])


def test_two_documents_under_one_number_are_named(bench: Bench, invoice: Make) -> None:
    record = invoice()
    bench.bill(record)
    with bench.client() as client:
        from airflow_provider_rma.schemas.invoice import InvoiceSchema

        client.create_invoice(InvoiceSchema().from_user(record))
    row = bench.bill(record)[record["invnumber"]]
    assert row["outcome"] == "duplicate"
    ids = [str(document["id"]) for document in bench.booked(record["invnumber"])]
    assert len(ids) == 2
    assert all(one in row["reasons"][0] for one in ids)


def test_a_document_removed_from_the_books_is_not_billed_again(bench: Bench, invoice: Make) -> None:
    record = invoice()
    bench.bill(record)
    (document,) = bench.booked(record["invnumber"])
    bench.simulator.control("DELETE", f"/documents/{document['id']}")
    row = bench.bill(record)[record["invnumber"]]
    assert row["outcome"] == "conflict"
    assert "no longer in the books" in row["reasons"][0]
    assert bench.booked(record["invnumber"]) == []


def test_the_same_number_twice_in_a_batch_is_refused_and_the_rest_is_sent(bench: Bench, invoice: Make) -> None:
    twice, other = invoice(), invoice()
    rows = bench.bill(twice, other, twice | {"invnumber": twice["invnumber"].lower()})
    assert rows[other["invnumber"]]["outcome"] == "created"
    assert rows[twice["invnumber"]]["outcome"] == "invalid"
    assert "positions 1, 3" in rows[twice["invnumber"]]["reasons"][0]
    assert bench.booked(twice["invnumber"]) == []
    assert len(bench.rejects) == 2


def test_invalid_records_are_refused_with_every_reason_and_the_rest_is_sent(bench: Bench, invoice: Make) -> None:
    bad = invoice(description="Hütte\x02", transdate="2026-02-30", incomeentries=[], expected_amount="1.001")
    good = invoice()
    rows = bench.bill(bad, good, {"customernumber": "K-001"})
    reasons = " | ".join(rows[bad["invnumber"]]["reasons"])
    for path in ("description", "transdate", "expected_amount"):
        assert f"invoice {bad['invnumber']}: {path}" in reasons
    assert rows[good["invnumber"]]["outcome"] == "created"
    assert rows["3"]["outcome"] == "invalid"
    assert bench.posts() == 1
    assert isinstance(bench.error, BillingError)
    assert bench.error.counts == {"created": 1, "invalid": 2}
    assert not bench.error.retryable


def test_an_empty_batch_is_fine_and_sends_nothing(bench: Bench) -> None:
    assert bench.bill() == {}
    assert bench.posts() == 0
    assert bench.summary is not None
    assert bench.summary.describe() == "0 invoices: none; CHF 0.00 in the books"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (parts(("NO-SUCH", "1", "1")), "parts[0].partnumber: there is no article NO-SUCH in RMA"),
        (
            {"incomeentries": [{"amount": "1", "income_accno": "3999"}]},
            "incomeentries[0].income_accno: there is no acc",
        ),
        ({"customernumber": "K-NONE"}, "customernumber: there is no customer K-NONE in RMA"),
        ({"currency": "EUR"}, "currency: EUR is not among the currencies that may be billed (CHF)"),
        (
            {"customernumber": None, "customer": {"customernumber": "K-9", "name": "Alphütte AG"}},
            "customer: a full customer creates or overwrites master data",
        ),
    ],
)
def test_what_the_tenant_does_not_have_is_refused_before_anything_is_sent(
    bench: Bench, invoice: Make, change: dict[str, Any], reason: str
) -> None:
    record = invoice(**change)
    row = bench.bill(record)[record["invnumber"]]
    assert row["outcome"] == "invalid"
    assert any(reason in text for text in row["reasons"]), row["reasons"]
    assert bench.posts() == 0


def test_invoices_of_a_refused_customer_name_the_cause(bench: Bench, invoice: Make) -> None:
    record = invoice(customernumber="K-7")
    rows = bench.bill(record, refused_customers={"K-7": "address1: 36 characters, RMA takes at most 32"})
    assert rows[record["invnumber"]]["reasons"] == [
        "customernumber: customer K-7 was refused (address1: 36 characters, RMA takes at most 32)"
    ]


def test_without_the_check_the_service_s_refusal_is_kept_for_the_file(bench: Bench, invoice: Make) -> None:
    record, other = invoice(**parts(("NO-SUCH", "1", "1"))), invoice()
    rows = bench.bill(record, other, check_master_data=False)
    row = rows[record["invnumber"]]
    assert row["outcome"] == "rejected"
    assert row["server_message"]
    assert row["server_message"] not in " ".join(row["reasons"])
    assert rows[other["invnumber"]]["outcome"] == "created"
    assert bench.state(record["invnumber"]) == "rejected"
    corrected = record | parts(("ART-1", "1", "1"))
    assert bench.bill(corrected)[record["invnumber"]]["outcome"] == "created"


def test_a_closed_period_known_beforehand_is_not_sent(bench: Bench, invoice: Make) -> None:
    closed, open_ = invoice(transdate=date(2026, 6, 30)), invoice(transdate=date(2026, 7, 1))
    rows = bench.bill(closed, open_, closed_until=date(2026, 6, 30))
    assert rows[closed["invnumber"]]["outcome"] == "closed_period"
    assert rows[open_["invnumber"]]["outcome"] == "created"


def test_a_closed_period_that_only_the_service_knows_is_learned_from_its_refusal(bench: Bench, invoice: Make) -> None:
    bench.simulator.control("PUT", "/close-date", {"day": "2026-06-30"})
    first, second = invoice(transdate=date(2026, 6, 30)), invoice(transdate=date(2026, 5, 31))
    later = invoice(transdate=date(2026, 7, 1))
    rows = bench.bill(first, second, later)
    assert [row["outcome"] for row in rows.values()] == ["closed_period", "closed_period", "created"]
    assert bench.posts() == 2
    assert bench.booked(first["invnumber"]) == []
    bench.simulator.control("PUT", "/close-date", {"day": None})
    assert bench.bill(first)[first["invnumber"]]["outcome"] == "created"


def test_a_refusal_of_a_number_that_is_in_the_books_already_is_no_rejection(bench: Bench, invoice: Make) -> None:
    now = [1_800_000_000.0]
    bench.clock = lambda: now[0]
    record = invoice()
    bench.options["total_deadline"] = 1.0
    bench.chaos("create_invoice", "slow_commit", count=1, seconds=600)
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "unknown"
    # Much later by the journal's clock the document is still absent, and comes into the books while it is sent again.
    now[0] += 1_000
    bench.simulator.control("PATCH", "/settings", {"duplicates": "refuse"})
    bench.options["total_deadline"] = 20.0
    bench.chaos("create_invoice", "slow_commit", count=1, seconds=600)
    try:
        with bench.after_posts(2, bench.end_chaos):
            row = bench.bill(record)[record["invnumber"]]
    finally:
        bench.simulator.control("PATCH", "/settings", {"duplicates": "accept"})
    assert row["outcome"] == "unchanged"
    assert row["reasons"] == ["refused, because an earlier attempt has booked it"]
    assert len(bench.booked(record["invnumber"])) == 1


def test_what_lies_before_the_closing_date_is_still_found(bench: Bench, invoice: Make) -> None:
    record = invoice(transdate=date(2026, 6, 30))
    bench.bill(record)
    bench.simulator.control("PUT", "/close-date", {"day": "2026-12-31"})
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "unchanged"
    assert bench.posts() == 1


def test_numbers_that_no_path_can_carry_are_read_back_by_date(bench: Bench, invoice: Make) -> None:
    record = invoice(invnumber="RG 2026/09 #1 ü")
    assert bench.bill(record)["RG 2026/09 #1 ü"]["outcome"] == "created"
    assert bench.bill(record)["RG 2026/09 #1 ü"]["outcome"] == "unchanged"


def test_a_credit_note_is_booked_and_counted_apart(bench: Bench, invoice: Make) -> None:
    note = invoice(
        incomeentries=[{"amount": "-100.00", "income_accno": "3400"}],
        taxentries=[{"amount": "-8.10", "tax_accno": "2201"}],
    )
    row = bench.bill(note)[note["invnumber"]]
    assert (row["outcome"], row["gross"]) == ("created", "-108.10")
    assert bench.summary is not None
    assert bench.summary.as_dict()["credit_notes"] == {"created": 1}


def test_the_callers_expectation_is_held_against_the_books(bench: Bench, invoice: Make) -> None:
    right = invoice(**parts(("ART-1", "1", "100")), expected_amount="108.10")
    wrong = invoice(**parts(("ART-1", "1", "100")), expected_amount="107.70")
    never = invoice()
    rows = bench.bill(right, wrong, never)
    assert rows[right["invnumber"]]["outcome"] == "created"
    assert rows[wrong["invnumber"]]["outcome"] == "conflict"
    assert rows[wrong["invnumber"]]["reasons"][0] == "gross: meant 107.70, booked 108.10"
    assert rows[never["invnumber"]]["outcome"] == "held"
    assert bench.booked(never["invnumber"]) == []
    assert bench.error is not None
    assert "booked otherwise than meant" in str(bench.error)


@pytest.mark.parametrize("options", [{"max_count": 1}, {"max_amount": Decimal("150")}])
def test_a_run_over_its_caps_sends_nothing(bench: Bench, invoice: Make, options: dict[str, Any]) -> None:
    records = [invoice(), invoice()]
    rows = bench.bill(*records, **options)
    assert {row["outcome"] for row in rows.values()} == {"held"}
    assert bench.posts() == 0
    assert bench.error is not None
    assert next(iter(options)) in str(bench.error)


@pytest.mark.parametrize("after_commit", [True, False])
@pytest.mark.parametrize("fault", ["lost", "error", "html", "too_many_requests"])
def test_a_reply_that_says_nothing_is_resolved_by_reading(
    bench: Bench, invoice: Make, fault: str, after_commit: bool
) -> None:
    record = invoice()
    bench.chaos("create_invoice", fault, count=1, after_commit=after_commit, status=500 if fault == "error" else None)
    row = bench.bill(record)[record["invnumber"]]
    assert len(bench.booked(record["invnumber"])) == int(after_commit)
    assert bench.posts() == 1
    if after_commit:
        assert row["outcome"] == "created"
        assert "found in the books by reading" in row["reasons"][-1]
        return
    assert row["outcome"] == "unknown"
    assert isinstance(bench.error, InDoubtError)
    assert bench.error.retryable
    again = bench.bill(record)[record["invnumber"]]
    assert again["outcome"] == "unknown"
    assert "settles at" in again["reasons"][0]
    assert bench.posts() == 1


def test_after_the_settle_time_a_document_proven_absent_is_sent_again(bench: Bench, invoice: Make) -> None:
    now = [1_800_000_000.0]
    bench.clock = lambda: now[0]
    record = invoice()
    bench.chaos("create_invoice", "lost", count=1)
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "unknown"
    now[0] += 301
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "unknown"
    now[0] += 2
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "created"
    assert len(bench.booked(record["invnumber"])) == 1


def test_a_document_that_appears_late_is_found(bench: Bench, invoice: Make) -> None:
    record = invoice()
    bench.options["total_deadline"] = 1.0
    bench.chaos("create_invoice", "slow_commit", count=1, seconds=600)
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "unknown"
    bench.end_chaos()
    end = time.monotonic() + 60
    while not bench.booked(record["invnumber"]) and time.monotonic() < end:
        time.sleep(0.02)
    bench.options["total_deadline"] = 20.0
    assert bench.bill(record)[record["invnumber"]]["outcome"] == "unchanged"
    assert bench.posts() == 1


def test_two_unknown_outcomes_in_a_row_stop_the_run(bench: Bench, invoice: Make) -> None:
    records = [invoice() for _ in range(4)]
    bench.chaos("create_invoice", "lost")
    rows = bench.bill(*records)
    assert [row["outcome"] for row in rows.values()] == ["unknown", "unknown", "held", "held"]
    assert bench.posts() == 2


def test_open_documents_of_earlier_runs_are_resolved_first(bench: Bench, invoice: Make) -> None:
    now = [1_800_000_000.0]
    bench.clock = lambda: now[0]
    late, never, new = invoice(), invoice(), invoice(transdate=date(2026, 10, 1))
    bench.chaos("create_invoice", "lost", count=1, after_commit=True)
    bench.chaos("read_invoice", "error", count=2, status=500)
    assert bench.bill(late, check_master_data=False)[late["invnumber"]]["outcome"] == "unknown"
    bench.simulator.control("DELETE", "/chaos")
    bench.chaos("create_invoice", "lost", count=1)
    bench.bill(never)
    now[0] += 400
    assert bench.bill(new)[new["invnumber"]]["outcome"] == "created"
    assert bench.state(late["invnumber"]) == "created"
    assert bench.state(never["invnumber"]) == "released"


def test_a_list_that_ends_early_sends_nothing(bench: Bench, invoice: Make) -> None:
    record = invoice()
    bench.chaos("read_invoices", "truncated", framing="intact")
    bench.bill(record)
    assert bench.posts() == 0
    assert bench.error is not None
    assert bench.rejects[0]["invnumber"] == record["invnumber"]


def test_a_service_that_is_down_sends_nothing_and_may_be_tried_again(bench: Bench, invoice: Make) -> None:
    record = invoice()
    url = bench.simulator.url
    bench.simulator.url = "http://127.0.0.1:9"
    try:
        rows = bench.bill(record)
    finally:
        bench.simulator.url = url
    assert rows[record["invnumber"]]["outcome"] == "held"
    assert isinstance(bench.error, ConnectionNotMadeError)
    assert bench.error.retryable


def test_a_read_only_connection_sends_nothing(bench: Bench, invoice: Make) -> None:
    record, other = invoice(), invoice()
    bench.options["allow_writes"] = False
    rows = bench.bill(record, other)
    assert {row["outcome"] for row in rows.values()} == {"held"}
    assert "allow_writes" in str(bench.error)
    assert bench.state(record["invnumber"]) == "released"
    assert bench.posts() == 0


def test_outcomes_can_be_tolerated_but_a_doubt_cannot(bench: Bench, invoice: Make) -> None:
    bad = invoice(transdate="yesterday-ish")
    bench.bill(bad, fail_on=["conflict"])
    assert bench.error is None
    bench.chaos("create_invoice", "lost", count=1)
    bench.bill(invoice(), fail_on=["conflict"])
    assert isinstance(bench.error, InDoubtError)


def reads(bench: Bench) -> tuple[int, int]:
    """Lists of invoices and look-ups by number that the service received."""
    received = bench.simulator.control("GET", "/requests")["received"]
    return received.get("GET /invoices", 0), received.get("GET /invoices/{number}", 0)


def test_numbers_are_looked_up_one_by_one_where_a_known_one_is_found(bench: Bench, invoice: Make) -> None:
    first = invoice()
    bench.bill(first)
    bench.simulator.control("DELETE", "/requests")
    new = invoice()
    rows = bench.bill(first, new, absence_check="by_number")
    assert [row["outcome"] for row in rows.values()] == ["unchanged", "created"]
    # One known number, two of the batch, one read-back.
    assert reads(bench) == (0, 4)


def test_without_a_known_number_absence_is_proven_by_the_list(bench: Bench, invoice: Make) -> None:
    bench.simulator.control("DELETE", "/requests")
    record = invoice()
    bench.bill(record, absence_check="by_number")
    assert reads(bench)[0] == 1
    assert bench.posts() == 1


def test_a_look_up_that_finds_nothing_known_is_not_trusted(bench: Bench, invoice: Make) -> None:
    gone, new = invoice(), invoice()
    bench.bill(gone)
    (document,) = bench.booked(gone["invnumber"])
    bench.simulator.control("DELETE", f"/documents/{document['id']}")
    bench.simulator.control("DELETE", "/requests")
    bench.bill(new, absence_check="by_number")
    assert reads(bench)[0] == 1


def test_numbers_that_no_path_can_carry_are_not_looked_up(bench: Bench, invoice: Make) -> None:
    bench.bill(invoice())
    bench.simulator.control("DELETE", "/requests")
    record = invoice(invnumber="RG/77 ü")
    assert bench.bill(record, absence_check="by_number")["RG/77 ü"]["outcome"] == "created"
    assert reads(bench)[0] >= 1


def test_what_is_sent_carries_a_recovery_tag_unless_it_is_switched_off(bench: Bench, invoice: Make) -> None:
    tagged, plain = invoice(intnotes="Projekt 7"), invoice(intnotes="Projekt 8")
    bench.bill(tagged)
    bench.bill(plain, write_recovery_tag=False)
    (document,) = bench.booked(tagged["invnumber"])
    first, tag = document["intnotes"].split("\n")
    assert first == "Projekt 7"
    entry = bench.journal().get([normalize_number(tagged["invnumber"])])[normalize_number(tagged["invnumber"])]
    assert tag == f"[rma {entry.content_hash[:16]}]"
    assert bench.booked(plain["invnumber"])[0]["intnotes"] == "Projekt 8"
    assert {row["outcome"] for row in bench.bill(tagged, plain).values()} == {"unchanged"}
