"""One notation for amounts, counts and times."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.formatting import (
    format_amount,
    format_count,
    format_minute,
    format_quantity,
    format_span,
    format_time,
    name_warehouse,
)
from tests.support.billing_office import Office
from tests.support.invoices import make_invoice


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1234567.5"), "1'234'567.50"),
        (Decimal("-1000"), "-1'000.00"),
        (Decimal(0), "0.00"),
        (None, "–"),
    ],
)
def test_an_amount_has_apostrophes_and_two_places(amount: Decimal | None, text: str) -> None:
    assert format_amount(amount) == text


def test_a_count_has_apostrophes() -> None:
    assert [format_count(count) for count in (0, 999, 12_345, 1_000_000)] == ["0", "999", "12'345", "1'000'000"]


def test_a_noun_follows_its_count() -> None:
    assert [format_quantity(count, "document") for count in (0, 1, 2_000)] == [
        "0 documents",
        "1 document",
        "2'000 documents",
    ]


@pytest.mark.parametrize("time", [1_795_179_909, datetime(2026, 11, 20, 13, 5, 9, tzinfo=UTC)])
def test_a_time_is_zurichs(time: float | datetime) -> None:
    assert format_time(time) == "2026-11-20 14:05:09"
    assert format_minute(time) == "2026-11-20 14:05 (Zurich)"


def test_a_time_in_summer_is_two_hours_ahead_of_utc() -> None:
    assert format_time(datetime(2026, 7, 1, 22, 0, tzinfo=UTC)) == "2026-07-02 00:00:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (-180, "3 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_a_span_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert format_span(seconds) == text


#: An amount of a thousand and more that is not written in the one notation, or a comma between thousands.
_OTHER_NOTATION = re.compile(r"(?<![\w'.-])\d{4,}\.\d\d(?!\w)|\d,\d{3}(?!\d)")


def _large_invoice(amount: str, **fields: Any) -> dict[str, Any]:
    entry = {"amount": amount, "income_accno": "3400", "description": "Beratung"}
    return make_invoice(incomeentries=[entry], taxentries=None, **fields)


def test_messages_logs_and_pages_of_a_run_write_amounts_in_one_notation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    office = Office(LocalFileSystem(), str(tmp_path), tmp_path)
    said: list[str] = []
    conflict = _large_invoice("54321.00")
    office.bill([conflict])
    records = [
        conflict | {"incomeentries": [{"amount": "65432.10", "income_accno": "3400"}]},
        _large_invoice("12345.60"),
        _large_invoice("23456.70", expected_amount="34567.80"),
    ]
    plan = office.run().plan(records)
    said += [plan.markdown, Path(plan.page).read_text(encoding="utf-8")]
    failed = office.bill(records)
    said.append(str(failed))
    office.policy = Policy(max_amount=Decimal(10_000), max_count=1_500)
    said.append(str(office.bill([_large_invoice("45678.90")])))
    said += [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")]
    text = re.sub(r"<style>.*?</style>", "", "\n".join([*said, caplog.text]), flags=re.DOTALL)
    for written in ("54'321.00", "65'432.10", "12'345.60", "23'456.70", "34'567.80", "45'678.90", "10'000.00"):
        assert written in text
    assert _OTHER_NOTATION.findall(text) == []
    office.engine.dispose()


def test_a_warehouse_is_named_by_its_address_or_by_kind_and_path() -> None:
    assert name_warehouse("postgresql", "postgresql://host/dwh?schema=rma") == "postgresql://host/dwh?schema=rma"
    assert name_warehouse("duckdb", "/data/ledger.duckdb") == "duckdb /data/ledger.duckdb"
