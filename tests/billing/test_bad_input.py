"""Bad input, end to end: what the user is told, and that nothing reaches the books unreported."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.exceptions import RequestError
from tests.support.billing_bench import Bench

Make = Callable[..., dict[str, Any]]


def entries(amount: Any) -> dict[str, Any]:
    return {"incomeentries": [{"amount": amount, "income_accno": "3400"}], "taxentries": None}


LINE = {"partnumber": "ART-1", "quantity": 1, "sellprice": "1"}
TOKYO = timezone(timedelta(hours=9))

BAD = {
    "over-long text": ({"parts": [LINE | {"unit": "Stück."}], **entries(None)}, "parts[0].unit", "5"),
    "control character": ({"description": "Berg\x07hütte"}, "description", "control character"),
    "not a number": (entries(math.nan), "incomeentries[0].amount", "finite"),
    "infinite": (entries(Decimal("Infinity")), "incomeentries[0].amount", "finite"),
    "a float that is no exact amount": (entries(0.1 + 0.2), "incomeentries[0].amount", "Decimal"),
    "three decimals": (entries("10.005"), "incomeentries[0].amount", "3 decimal places"),
    "a time in another zone": (
        {"transdate": datetime(2026, 9, 15, 8, 30, tzinfo=TOKYO)},
        "transdate",
        "input_timezone",
    ),
    "without lines": ({"incomeentries": None, "taxentries": None}, "parts", "incomeentries"),
    "both methods": ({"parts": [LINE]}, "parts", "not both"),
    "an unknown field": ({"transdat": "2026-09-15"}, "transdat", "transdate"),
    "no date": ({"transdate": None}, "transdate", "missing"),
    "an expected total that the lines contradict": ({"expected_amount": "108.00"}, "expected_amount", "108.10"),
    "a read-only field": ({"amount": "108.10"}, "amount", "set by RMA"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_refused_with_field_problem_and_remedy(bench: Bench, invoice: Make, case: str) -> None:
    change, field, hint = BAD[case]
    if case == "over-long text":
        change = change | {"incomeentries": None, "taxentries": None}
    bad, good = invoice(**change), invoice()
    rows = bench.bill(bad, good)
    row = rows[bad["invnumber"]]
    assert row["outcome"] == "invalid"
    mine = [reason for reason in row["reasons"] if reason.startswith(f"invoice {bad['invnumber']}: {field}: ")]
    assert mine, row["reasons"]
    assert any(hint in reason for reason in mine), mine
    assert all(";" in reason for reason in mine), "a remedy follows the problem"
    assert rows[good["invnumber"]]["outcome"] == "created"
    assert bench.booked(bad["invnumber"]) == []
    assert bench.posts() == 1


def test_a_time_in_another_zone_is_a_day_where_the_user_says_so(bench: Bench, invoice: Make) -> None:
    record = invoice(transdate=datetime(2026, 9, 15, 2, 30, tzinfo=TOKYO))
    bench.bill(record, input_timezone="Europe/Zurich")
    (document,) = bench.booked(record["invnumber"])
    assert document["transdate"] == "2026-09-14"


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("html", {}),
        ("truncated", {"framing": "content_length"}),
        ("truncated", {"framing": "chunked"}),
        ("truncated", {"framing": "intact"}),
        ("redirect", {}),
        ("error", {"status": 500}),
        ("lost", {}),
    ],
)
@pytest.mark.parametrize("request_class", ["read_invoices", "read_customers", "read_parts"])
def test_without_a_trustworthy_reading_nothing_is_sent(
    bench: Bench, invoice: Make, request_class: str, fault: str, options: dict[str, Any]
) -> None:
    record = invoice()
    bench.chaos(request_class, fault, **options)
    rows = bench.bill(record)
    assert rows[record["invnumber"]]["outcome"] == "held"
    assert isinstance(bench.error, RequestError)
    assert bench.posts() == 0
    assert bench.booked(record["invnumber"]) == []
    assert bench.rejects[0]["invnumber"] == record["invnumber"]


def test_a_broken_journal_posts_nothing(bench: Bench, invoice: Make, tmp_path: Path) -> None:
    record = invoice()
    bench.bill(invoice())
    journal = tmp_path / "journal.db"
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    journal.write_bytes(b"no database at all, but long enough to look like one " * 40)
    from airflow_provider_rma.exceptions import JournalError

    with pytest.raises(JournalError, match="Nothing is posted without it"):
        bench.bill(record)
    assert bench.booked(record["invnumber"]) == []
