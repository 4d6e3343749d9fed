"""Any object as a record ends with one outcome, and never keeps the others from theirs."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.files import dump_record, hash_record, to_line
from airflow_provider_rma.billing.records.nesting import nest_rows
from tests.billing.conftest import Bench


class Textless:
    """An object that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def holding_itself() -> dict[str, Any]:
    record: dict[str, Any] = {}
    record["a"] = [record, record]
    return record


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


BASE = {"customernumber": "K-9", "name": "x"}
RECORDS: dict[str, Any] = {
    "bytes": BASE | {"notes": b"\xff"},
    "uuid": BASE | {"notes": uuid.UUID(int=7)},
    "keys that are no text": BASE | {("a",): 1, 1: 2, None: 3},
    "nested keys that are no text": BASE | {"notes": {("a",): 1, "b": 2}},
    "half an emoji as number": BASE | {"customernumber": "K\ud83d"},
    "half an emoji as value": BASE | {"name": "\ud83d"},
    "half an emoji as key": BASE | {"\ud83d": 1},
    "half an emoji nested and flat": {"customernumber": "K\ud83d", "\ud83d": 1, "\ud83d__x": 2},
    "an object without a text": BASE | {"notes": Textless()},
    "an object without a text as number": {"customernumber": Textless()},
    "an object without a text as key": {Textless(): 1},
    "an object that holds itself": BASE | {"notes": holding_itself()},
    "deep nesting": BASE | {"notes": nested(5_000)},
    "a huge number": BASE | {"terms": Decimal("1E+999999")},
    "too many digits": {"customernumber": 10**5_000, "name": "x"},
    "nan": {"customernumber": float("nan"), "name": "x"},
    "a date as a number": {"customernumber": date(2026, 1, 1), "name": datetime(2026, 1, 1)},
    "lists and columns": BASE | {"parts": [], "parts__x": 1},
    "a number": 5,
    "nothing": None,
    "text": "x",
    "a list": [1],
    "an empty record": {},
}


@pytest.mark.parametrize("save", ["customers", "invoices"])
def test_odd_records_are_invalid_and_the_good_one_among_them_is_carried_out(
    bench: Bench, invoice: Any, save: str
) -> None:
    key = "customernumber" if save == "customers" else "invnumber"
    good = {"customernumber": "ODD-GOOD", "name": "Good"} if save == "customers" else invoice()
    records = [*RECORDS.values(), good]
    summary_rows = (bench.save if save == "customers" else bench.bill)(*nest_rows(records, key=key))
    assert summary_rows[good[key]]["outcome"] == "created"
    assert bench.summary is not None or bench.error is not None
    counts = getattr(bench.error, "counts", None)
    assert counts == {"created": 1, "invalid": len(RECORDS)}
    assert len(bench.rejects) == len(RECORDS)


objects = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.uuids()
    | st.builds(Textless)
    | st.builds(holding_itself),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.tuples(st.text()), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(objects)
def test_any_object_can_be_written_and_hashed(value: Any) -> None:
    text = dump_record(value)
    assert text.isascii()
    assert hash_record(value).endswith(b"\n")
    to_line({"record": text}).decode()
