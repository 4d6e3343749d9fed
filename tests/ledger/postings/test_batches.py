"""Postings as Arrow batches: every declared field lands somewhere, amounts exactly, nothing unreadable passes."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import UnexpectedResponseError
from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger.postings.batches import DEPARTMENT, PLAIN, PostingBatches
from airflow_provider_rma.ledger.windows import MonthLoad, Window
from airflow_provider_rma.schemas.ledger import TransactionSchema

WINDOW = Window.of(date(2026, 2, 14))
POSTING: dict[str, Any] = {
    "id": 7,
    "chart": {"id": 0, "accno": "1020", "link": "", "allow_gl": False, "is_active": True},
    "transdate": date(2026, 2, 28),
    "reference": "R-1",
    "description": "Text",
    "amount": Decimal("-10.05"),
    "module": "ar",
    "source": "",
    "entry_id": 99,
    "memo": "Zeile",
    "notes": None,
    "department": {"id": 3, "name": "Werkstatt", "role": "C"},
    "accno": "1020",
}


def batch(*postings: dict[str, Any]) -> pa.RecordBatch:
    batches = PostingBatches(MonthLoad("demo", WINDOW, "load-1"), {"1020": "Bank"})
    for posting in postings:
        batches.append(posting)
    return batches.take()


def row(**changes: Any) -> dict[str, Any]:
    (one,) = batch(POSTING | changes).to_pylist()
    return dict(one)


def test_a_posting_fills_every_column() -> None:
    assert row() == {
        "tenant": "demo",
        "month": date(2026, 2, 1),
        "transdate": date(2026, 2, 28),
        "accno": "1020",
        "account_name": "Bank",
        "amount": Decimal("-10.05"),
        "debit": Decimal("10.05"),
        "credit": 0,
        "voucher_id": 7,
        "module": "ar",
        "reference": "R-1",
        "description": "Text",
        "source": None,
        "memo": "Zeile",
        "notes": None,
        "intnotes": None,
        "department_id": 3,
        "department_name": "Werkstatt",
        "department_role": "C",
        "entry_id": 99,
        "extra": None,
        "load_id": "load-1",
    }
    assert batch(POSTING).schema.equals(arrow_schemas.schema("postings"))


def test_every_field_that_is_declared_for_a_posting_has_its_column() -> None:
    columns = set(contract.TABLES["postings"].names)
    assert columns >= set(PLAIN)
    assert columns >= {f"department_{part}" for part in DEPARTMENT}
    fields = set(TransactionSchema().fields)
    assert set(PLAIN) == fields - {"id", "chart", "accno", "amount", "department"}


def test_batches_are_taken_and_begin_anew() -> None:
    batches = PostingBatches(MonthLoad("demo", WINDOW, "load-1"), {})
    assert len(batches) == 0
    assert batches.append(POSTING) == ("1020", Decimal("-10.05"))
    assert len(batches) == 1
    assert batches.take().num_rows == 1
    assert batches.take().num_rows == 0


@pytest.mark.parametrize(
    ("wire", "stored"),
    [("33.019999999999996", "33.02"), ("-0.00000000", "0"), ("0.00000001", "0.00000001"), ("1E+7", "10000000"),
     ("1234.5", "1234.5"), ("99999999999999999999.99999999", "99999999999999999999.99999999")],
)  # fmt: skip
def test_amounts_are_exact_to_eight_decimals(wire: str, stored: str) -> None:
    one = row(amount=Decimal(wire))
    assert one["amount"] == Decimal(stored)
    assert not one["amount"].is_signed() or one["amount"] < 0
    assert one["credit"] - one["debit"] == one["amount"]


@given(st.decimals(-(10**12), 10**12, places=8))
def test_debit_and_credit_follow_from_the_amount(amount: Decimal) -> None:
    one = row(amount=amount)
    assert one["amount"] == amount
    assert one["credit"] - one["debit"] == amount
    assert min(one["debit"], one["credit"]) == 0 <= max(one["debit"], one["credit"])


def test_unknown_fields_are_kept_wherever_they_are() -> None:
    one = row(
        colour="blau", **{"@flag": "x"}, chart=POSTING["chart"] | {"gifi": "10"}, department={"id": 3, "boss": "?"}
    )
    assert json.loads(one["extra"]) == {
        "@flag": "x", "colour": "blau", "chart": {"gifi": "10"}, "department": {"boss": "?"},
    }  # fmt: skip


def test_an_account_may_be_named_once_only() -> None:
    assert row(accno=None)["accno"] == "1020"
    assert row(chart=None)["accno"] == "1020"
    assert row(accno="38011", chart={"accno": "38011"})["account_name"] is None, "it has no name in the chart"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"transdate": date(2026, 3, 1)},
            "posting 1 of 2026-02 is dated 2026-03-01, outside of 2026-02-01 to 2026-02-28",
        ),
        ({"transdate": date(2026, 1, 31)}, "outside"),
        ({"transdate": None}, "is dated no day"),
        ({"accno": "1000"}, "names two accounts"),
        ({"accno": "", "chart": None}, "names no account"),
        ({"id": None}, "belongs to no voucher"),
        ({"amount": None}, "has no amount"),
        ({"amount": Decimal("1E+20")}, "too large"),
    ],
)
def test_a_posting_that_cannot_be_used_is_an_error(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UnexpectedResponseError, match=told):
        batch(POSTING | changes)
