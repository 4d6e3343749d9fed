"""Cancelling over HTTP: original and credit note add up to nothing, and nothing else is ever sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.cancellation import (
    Cancellation,
    mirror_invoices,
    read_numbers,
    read_transdate,
    unusable_lines,
)
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.outcomes import failing_outcomes
from airflow_provider_rma.billing.policy import InputRules, Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.exceptions import BillingError, ConfigurationError, InDoubtError, InvalidInputError
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.billing_bench import Bench

Make = Callable[..., dict[str, Any]]

#: Prices whose rounding does not go away by itself.
AWKWARD = [
    {"partnumber": "HB-104", "quantity": "3", "sellprice": "0.125", "unit": "Stk", "description": "Schraube\nverzinkt"},
    {"partnumber": "ART-1", "quantity": "7", "sellprice": "19.95", "discount": "33.3", "itemnote": "Serie 4"},
    {"partnumber": "LM-203", "quantity": "0.333", "sellprice": "17.45", "projectnumber": "2501"},
]
BY_ARTICLES = {"incomeentries": None, "taxentries": None, "parts": AWKWARD}
BOOKED = {
    "incomeentries": [
        {"amount": "33.35", "income_accno": "3400", "description": "Stundenaufwand"},
        {"amount": "66.70", "income_accno": "3200"},
        {"amount": "-10.05", "income_accno": "3200", "description": "Rabatt"},
    ],
    "taxentries": [{"amount": "6.75", "tax_accno": "2201"}, {"amount": "0.17", "tax_accno": "2202"}],
}


def go(bench: Bench, *numbers: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Cancel, and give the outcome file's rows by number."""
    how = Cancellation(**{name: options.pop(name) for name in ("suffix", "transdate", "reason") if name in options})
    rules = InputRules(**{name: options.pop(name) for name in list(options) if name in InputRules.__dataclass_fields__})
    with bench.client() as client:
        kind = InvoiceKind(client, Policy(rules=rules, total_deadline=2.0, **options))
        run = BillingRun(kind, bench.journal(), bench.output(), failing_outcomes(None))
        return bench.go(run.folder, lambda: run.send(mirror_invoices(client, numbers, how, rules)))


def sums(bench: Bench, *numbers: str) -> dict[str, Decimal]:
    """What the documents of these numbers leave on each account."""
    total: Counter[str] = Counter()
    for number in numbers:
        for document in bench.booked(number):
            for posting in document["postings"]:
                total[posting["accno"]] += Decimal(posting["amount"])  # type: ignore[assignment]
    return dict(total)


@pytest.mark.parametrize("included", [False, True], ids=["tax on top", "tax included"])
@pytest.mark.parametrize("lines", [BY_ARTICLES, BOOKED], ids=["articles", "booking"])
@pytest.mark.parametrize("content_type", ["json", "xml"])
def test_original_and_credit_note_add_up_to_nothing_on_every_account(
    bench: Bench, invoice: Make, lines: dict[str, Any], included: bool, content_type: str
) -> None:
    bench.options["content_type"] = content_type
    record = invoice(**lines, taxincluded=included, department="Department 2", ordnumber="B-77", ar_accno="1101")
    number = record["invnumber"]
    assert bench.bill(record)[number]["outcome"] == "created"
    rows = go(bench, number, reason="falsche Menge")
    assert rows[f"{number}-S"]["outcome"] == "created", rows
    (original,) = bench.booked(number)
    (note,) = bench.booked(f"{number}-S")
    balances = sums(bench, number, f"{number}-S")
    assert len(balances) > 2
    assert set(balances.values()) == {Decimal(0)}
    assert Decimal(note["amount"]) == -Decimal(original["amount"]) != 0
    for name in ("currency", "customernumber", "department", "taxincluded", "transdate", "ar_accno", "ordnumber"):
        assert note[name] == original[name], name
    assert note["department"] == "Department 2"
    assert note["description"] == f"Storno Rechnung {number}"
    assert note["intnotes"].splitlines()[0] == f"Storno Rechnung {number}: falsche Menge"
    texts = [line.get("description") for line in original.get("lines") or original["incomeentries"]]
    assert [line.get("description") for line in note.get("lines") or note["incomeentries"]] == texts


def test_a_credit_note_is_cancelled_by_an_invoice(bench: Bench, invoice: Make) -> None:
    record = invoice(incomeentries=[{"amount": "-100", "income_accno": "3400"}], taxentries=[])
    bench.bill(record)
    go(bench, record["invnumber"])
    (note,) = bench.booked(record["invnumber"] + "-S")
    assert Decimal(note["amount"]) == 100


def test_cancelling_again_changes_nothing_also_after_the_two_were_settled(bench: Bench, invoice: Make) -> None:
    first, second = invoice(), invoice(**BY_ARTICLES)
    numbers = [first["invnumber"], second["invnumber"]]
    bench.bill(first, second)
    go(bench, *numbers)
    (booked,) = bench.booked(numbers[0])
    payment = {"amount": "108.10", "datepaid": "2026-09-20", "payment_accno": "1090"}
    bench.simulator.control("POST", f"/documents/{booked['id']}/payments", payment)
    bench.simulator.control("DELETE", "/requests")
    rows = go(bench, *numbers, reason="another one")
    assert [row["outcome"] for row in rows.values()] == ["unchanged", "unchanged"]
    assert bench.posts() == 0
    assert bench.error is None


def test_the_number_in_any_case_names_the_same_invoice(bench: Bench, invoice: Make) -> None:
    record = invoice(invnumber="rg-cancel-1")
    bench.bill(record)
    assert go(bench, "RG-Cancel-1")["rg-cancel-1-S"]["outcome"] == "created"


def test_after_a_lost_reply_the_next_attempt_finds_the_credit_note(bench: Bench, invoice: Make) -> None:
    record = invoice()
    number = record["invnumber"] + "-S"
    bench.bill(record)
    bench.chaos("create_invoice", "lost", after_commit=True, count=1)
    bench.chaos("read_invoice", "error", status=500)
    assert go(bench, record["invnumber"])[number]["outcome"] == "unknown"
    assert isinstance(bench.error, InDoubtError)
    bench.simulator.control("DELETE", "/chaos")
    assert go(bench, record["invnumber"])[number]["outcome"] == "unchanged"
    assert len(bench.booked(number)) == 1
    assert bench.state(number) == "created"


def test_a_lost_reply_before_the_commit_is_sent_again_only_after_the_settle_time(bench: Bench, invoice: Make) -> None:
    record = invoice()
    number = record["invnumber"] + "-S"
    bench.bill(record)
    now = 1_790_000_000.0
    bench.clock = lambda: now
    bench.chaos("create_invoice", "lost", count=1)
    assert go(bench, record["invnumber"])[number]["outcome"] == "unknown"
    assert go(bench, record["invnumber"])[number]["outcome"] == "unknown"
    assert bench.booked(number) == []
    now += 400
    assert go(bench, record["invnumber"])[number]["outcome"] == "created"
    assert len(bench.booked(number)) == 1


def test_a_credit_note_that_is_booked_otherwise_is_a_conflict(bench: Bench, invoice: Make) -> None:
    record = invoice()
    bench.bill(record, invoice(invnumber=record["invnumber"] + "-S"))
    row = go(bench, record["invnumber"])[record["invnumber"] + "-S"]
    assert row["outcome"] == "conflict"
    assert "gross: meant -108.10, booked 108.10" in row["reasons"]
    assert isinstance(bench.error, BillingError)


def test_the_tax_that_rma_computes_is_held_against_the_original_s(bench: Bench, invoice: Make) -> None:
    record = invoice(**BY_ARTICLES)
    bench.bill(record)
    # The article has lost its tax since: the credit note that RMA computes is not the original's mirror.
    part = {"partnumber": "ART-1", "description": "Beispiel", "income_accno": "3400", "expense_accno": "4999"}
    known = {"unit": "", "quantity": "1", "sellprice": "99.0", "lastcost": "0", "discount": "0"}
    bench.simulator.control("POST", "/parts", part | known | {"tax_accnos": []})
    try:
        row = go(bench, record["invnumber"])[record["invnumber"] + "-S"]
    finally:
        bench.simulator.control("POST", "/parts", part | known | {"tax_accnos": ["1170", "2201"]})
    assert row["outcome"] == "conflict"
    assert any(reason.startswith("gross: meant -") for reason in row["reasons"])


def test_brakes_hold_cancellations_as_well(bench: Bench, invoice: Make) -> None:
    records = [invoice(), invoice()]
    bench.bill(*records)
    rows = go(bench, *(record["invnumber"] for record in records), max_count=1)
    assert {row["outcome"] for row in rows.values()} == {"held"}
    assert bench.posts() == 2


# ---------------------------------------------------------------------- dates


def test_another_date_is_taken_within_a_period_of_the_same_vat_rates(bench: Bench, invoice: Make) -> None:
    record = invoice(**BY_ARTICLES)
    bench.bill(record)
    assert (
        go(bench, record["invnumber"], transdate=date(2026, 12, 31))[record["invnumber"] + "-S"]["outcome"] == "created"
    )
    (note,) = bench.booked(record["invnumber"] + "-S")
    assert note["transdate"] == "2026-12-31"
    assert set(sums(bench, record["invnumber"], record["invnumber"] + "-S").values()) == {Decimal(0)}


@pytest.mark.parametrize(
    ("day", "other"),
    [
        (date(2023, 12, 31), date(2024, 1, 1)),
        (date(2018, 1, 1), date(2017, 12, 31)),
        (date(2010, 6, 1), date(2011, 1, 1)),
    ],
)
def test_articles_are_not_cancelled_over_a_change_of_vat_rates(
    bench: Bench, invoice: Make, day: date, other: date
) -> None:
    record = invoice(transdate=day, **BY_ARTICLES)
    bench.bill(record)
    go(bench, record["invnumber"], transdate=other)
    assert isinstance(bench.error, InvalidInputError)
    message = str(bench.error)
    assert f"{other} and the original's date, {day}, lie in periods of different Swiss VAT rates" in message
    assert "leave transdate out" in message
    assert bench.posts() == 1
    assert go(bench, record["invnumber"])[record["invnumber"] + "-S"]["outcome"] == "created"
    assert set(sums(bench, record["invnumber"], record["invnumber"] + "-S").values()) == {Decimal(0)}


def test_given_tax_amounts_are_cancelled_over_a_change_of_vat_rates(bench: Bench, invoice: Make) -> None:
    record = invoice(transdate=date(2023, 12, 31))
    bench.bill(record)
    row = go(bench, record["invnumber"], transdate=date(2024, 1, 1))[record["invnumber"] + "-S"]
    assert row["outcome"] == "created"
    assert set(sums(bench, record["invnumber"], record["invnumber"] + "-S").values()) == {Decimal(0)}


# ---------------------------------------------------------------------- refusals


def test_what_cannot_be_cancelled_is_refused_with_all_reasons_and_nothing_is_sent(bench: Bench, invoice: Make) -> None:
    good, paid, note, long = invoice(), invoice(), invoice(), invoice(invnumber="L" * 63)
    note["invnumber"] += "-S"
    twice = invoice()
    euro = invoice(currency="EUR")
    bench.bill(good, paid, note, long, twice)
    bench.bill(euro, currencies={"EUR"})
    with bench.client() as client:
        client.create_invoice(InvoiceSchema().from_user(twice))
    (booked,) = bench.booked(paid["invnumber"])
    payment = {"amount": "50", "datepaid": "2026-09-20", "payment_accno": "1020"}
    bench.simulator.control("POST", f"/documents/{booked['id']}/payments", payment)
    bench.simulator.control("DELETE", "/requests")
    numbers = [record["invnumber"] for record in (good, paid, note, long, twice, euro)]
    rows = go(bench, *numbers, "NEVER-SEEN")
    assert isinstance(bench.error, InvalidInputError)
    assert not bench.error.retryable
    expected = {
        paid["invnumber"]: "paid: CHF 50.00 are paid on it; take the payment back in RMA and cancel then",
        note["invnumber"]: "ends with -S, so it is a cancellation itself",
        long["invnumber"]: "invnumber: with -S the credit note's number would be longer than 64 characters",
        twice["invnumber"]: "stands on 2 documents (ids ",
        euro[
            "invnumber"
        ]: "currency: EUR is not among the currencies that may be billed (CHF); name it in allow_currency",
        "NEVER-SEEN": "is not in the books",
    }
    for number, reason in expected.items():
        assert f"invoice {number}: {reason}" in str(bench.error)
        assert rows[number]["outcome"] == "invalid"
        assert reason in rows[number]["reasons"][0]
    assert rows[good["invnumber"]]["outcome"] == "held"
    assert len(bench.rejects) == 7
    assert bench.posts() == 0
    assert bench.booked(good["invnumber"] + "-S") == []


def test_one_invoice_may_have_several_reasons(bench: Bench, invoice: Make) -> None:
    record = invoice(currency="EUR", invnumber="E" * 64)
    bench.bill(record, currencies={"EUR"})
    rows = go(bench, record["invnumber"])
    assert len(rows[record["invnumber"]]["reasons"]) == 2


def test_a_foreign_currency_is_cancelled_where_it_is_allowed(bench: Bench, invoice: Make) -> None:
    record = invoice(currency="EUR")
    bench.bill(record, currencies={"CHF", "EUR"})
    row = go(bench, record["invnumber"], currencies={"CHF", "EUR"})[record["invnumber"] + "-S"]
    assert row["outcome"] == "created"
    assert {"net", "gross"} <= set(row["unchecked"])
    (note,) = bench.booked(record["invnumber"] + "-S")
    assert note["currency"] == "EUR"


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        (
            {"incomeentries": [{"amount": Decimal("100")}], "amount": Decimal("100.05")},
            "amount",
            "its lines as read add up to 100.00, and 100.05 are booked",
        ),
        (
            {"parts": [{"partnumber": "A", "quantity": Decimal(2), "sellprice": Decimal(3)}], "netamount": Decimal(7)},
            "netamount",
            "its lines as read add up to 6.00, and 7.00 are booked",
        ),
        (
            {"parts": [{"partnumber": "A", "quantity": None, "sellprice": Decimal(3)}]},
            "parts",
            "does not show its lines",
        ),
        ({"parts": [], "incomeentries": []}, "", "RMA does not show its lines"),
    ],
)
def test_lines_that_do_not_add_up_to_what_is_booked_are_not_turned_round(
    fields: dict[str, Any], field: str, problem: str
) -> None:
    ((name, found, remedy),) = unusable_lines(fields)
    assert name == field
    assert problem in found
    assert remedy == "have it cancelled in RMA"


# ---------------------------------------------------------------------- what a user gives


def test_numbers_may_be_one_a_list_or_rows_of_a_query() -> None:
    assert read_numbers("R-1") == ["R-1"]
    assert read_numbers(260001) == ["260001"]
    assert read_numbers(["R-1", " R-2 ", "r-1", 3]) == ["R-1", "R-2", "3"]
    assert read_numbers([("R-1",), ["R-2"]]) == ["R-1", "R-2"]


@pytest.mark.parametrize("given", [None, [], "", [None], ["R-1", {"invnumber": "R-2"}], [True], [("R-1", "R-2")]])
def test_what_is_no_number_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="numbers: "):
        read_numbers(given)


def test_the_date_may_be_a_date_a_text_or_nothing() -> None:
    assert read_transdate(date(2026, 1, 2)) == read_transdate("2026-01-02") == date(2026, 1, 2)
    assert read_transdate(None) is None
    assert read_transdate("") is None
    with pytest.raises(ConfigurationError, match="transdate: is not a date"):
        read_transdate("None")


@pytest.mark.parametrize("suffix", ["", " ", "-S "])
def test_a_suffix_without_substance_is_refused(suffix: str) -> None:
    with pytest.raises(ConfigurationError, match="suffix: "):
        Cancellation(suffix=suffix)
