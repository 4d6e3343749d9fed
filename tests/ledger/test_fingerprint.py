from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from airflow_provider_rma.ledger import fingerprint
from airflow_provider_rma.ledger.fingerprint import BUSINESS_COLUMNS, Fingerprinter, row_hashes
from tests.support.ledger.window_fixtures import batch, posting, raw

_MASK = 2**64 - 1


def _mix(word: int) -> int:
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _MASK
    return word ^ word >> 31


def _words(value: Any, column: str) -> list[int]:
    if column == "amount":
        scaled = int(value.scaleb(8)) & (2**128 - 1)
        return [scaled & _MASK, scaled >> 64]
    if column in ("voucher_id", "department_id"):
        return [(value or 0) & _MASK]
    if isinstance(value, date):
        return [(value - date(1970, 1, 1)).days & _MASK]
    octets = (value or "").encode()
    total = len(octets) * 0xA0761D6478BD642F
    for place, octet in enumerate(octets, start=1):
        total += _mix((octet + 1) * 0x9E3779B97F4A7C15 & _MASK) * pow(0xD6E8FEB86659FD93, place, 2**64)
    return [total & _MASK]


def written_out(row: dict[str, Any]) -> int:
    """The hash as the documentation of the module writes it out, one row at a time."""
    hashed = 0
    for column in BUSINESS_COLUMNS:
        for word in _words(row.get(column), column):
            hashed = _mix((hashed + word) & _MASK)
    return hashed


ROWS = [
    posting("1000", "-106.92", description="Zürich 🧀", memo=None, notes="", voucher_id=0),
    posting("1000", "0", transdate=date(1969, 12, 31), department_id=7, department_name="Verkauf", department_role="P"),
    posting("2000", "99999999999999999999.99999999", voucher_id=2**53, module="ar", source="\x1f\0"),
    posting("2000", "-99999999999999999999.99999999", reference="r" * 3_000),
    posting("3200", "0.00000001", intnotes="a\nb"),
]


def test_the_hash_is_the_documented_one() -> None:
    assert row_hashes(batch(*ROWS)).to_pylist() == [written_out(row) for row in ROWS]


@pytest.mark.parametrize("limit", [1, 7, 64])
def test_the_hash_does_not_depend_on_how_the_rows_are_cut(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    expected = [written_out(row) for row in ROWS]
    monkeypatch.setattr(fingerprint, "TEXT_BYTES_AT_ONCE", limit)
    monkeypatch.setattr(fingerprint, "ROWS_AT_ONCE", 2)
    fingerprint._powers.cache_clear()
    try:
        whole = batch(posting("1", 1), *ROWS, posting("9", 9))
        assert row_hashes(whole.slice(1, len(ROWS))).to_pylist() == expected
    finally:
        fingerprint._powers.cache_clear()


def test_fingerprints_count_and_sum_by_account_in_any_order() -> None:
    rows = [posting(str(1000 + n % 7), Decimal(n) / 3, entry_id=n, memo=f"m{n}") for n in range(200)]
    rows = [{**row, "amount": row["amount"].quantize(raw(0))} for row in rows]
    one, other = Fingerprinter(), Fingerprinter()
    one.add(batch(*rows))
    rows = rows[::-1]
    for start in range(0, 200, 33):
        other.add(batch(*rows[start : start + 33]))
    other.add(batch(*rows).slice(0, 0))
    assert one.result() == other.result()
    found = one.result()["1003"]
    mine = [row for row in rows if row["accno"] == "1003"]
    assert found.count == len(mine)
    assert found.sum == sum(row["amount"] for row in mine)
    assert found.hash == sum(written_out(row) for row in mine) & _MASK


def _hash_of(*rows: dict[str, Any]) -> int:
    collected = Fingerprinter()
    collected.add(batch(*rows))
    return sum(fingerprint.hash for fingerprint in collected.result().values()) & _MASK


@pytest.mark.parametrize(
    "change",
    [
        {"transdate": date(2026, 8, 6)},
        {"accno": "1001"},
        {"amount": raw("1.00000001")},
        {"voucher_id": 2},
        {"module": "ar"},
        {"reference": "R-2"},
        {"description": "Testbuchunk"},
        {"source": "x"},
        {"memo": "x"},
        {"notes": "x"},
        {"intnotes": "x"},
        {"department_id": 1},
        {"department_name": "x"},
        {"department_role": "P"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_what_a_booking_says_is_seen(change: dict[str, Any]) -> None:
    assert _hash_of(posting("1000", 1)) != _hash_of({**posting("1000", 1), **change})


@pytest.mark.parametrize(
    "change", [{"entry_id": 99}, {"load_id": "L9"}, {"account_name": "neu"}, {"extra": "{}"}, {"memo": ""}]
)
def test_what_only_storing_changes_is_not_seen(change: dict[str, Any]) -> None:
    assert _hash_of(posting("1000", 1)) == _hash_of({**posting("1000", 1), **change})


def test_texts_that_change_places_are_seen() -> None:
    before = _hash_of(posting("1000", 1, memo="a", notes="b"), posting("1000", 2, memo="b", notes="a"))
    between_rows = _hash_of(posting("1000", 1, memo="b", notes="b"), posting("1000", 2, memo="a", notes="a"))
    within_a_row = _hash_of(posting("1000", 1, memo="b", notes="a"), posting("1000", 2, memo="a", notes="b"))
    assert len({before, between_rows, within_a_row}) == 3
    assert _hash_of(posting("1000", 1, memo="ab", notes="")) != _hash_of(posting("1000", 1, memo="a", notes="b"))


def test_similar_rows_have_different_hashes() -> None:
    rows = [posting(str(a), c, voucher_id=v) for a in range(30) for v in range(30) for c in range(30)]
    assert len(set(row_hashes(batch(*rows)).to_pylist())) == len(rows)
