"""Rows and events made of columns, and how long a claim is alive."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import NAMED, Event, ImportCounts, JournalRow, JournalState


def columns(**values: Any) -> dict[str, Any]:
    return {
        "base_url": "http://127.0.0.1",
        "tenant": "demo",
        "kind": "invoice",
        "key": "r-1",
        "number": "R-1",
        "state": "claimed",
        "version": 1,
        "content_hash": "00",
        "attempts": 1,
        "owner": "0",
        "settles_at": 60.0,
        "document_id": None,
        "net": None,
        "gross": None,
        "currency": None,
        "run": "dag/run/task",
        "created_at": 0.0,
        "updated_at": 0.0,
        "note": None,
    } | values


def test_a_row_of_the_table_has_typed_values() -> None:
    row = JournalRow.from_columns(columns(state="created", net="99.00", gross="106.92"))
    assert (row.state, row.net, row.gross) == (JournalState.CREATED, Decimal("99.00"), Decimal("106.92"))


def test_an_event_of_the_table_has_typed_values() -> None:
    values = {"version": 2, "at": 5.0, "run": "dag/run/task", "attempts": 1, "note": None}
    first = Event.from_columns({**values, "state_before": None, "state_after": "claimed"})
    assert (first.before, first.after) == (None, JournalState.CLAIMED)
    second = Event.from_columns({**values, "state_before": "claimed", "state_after": "created"})
    assert (second.before, second.after) == (JournalState.CLAIMED, JournalState.CREATED)


@pytest.mark.parametrize(
    ("state", "now", "alive"),
    [("claimed", 59.0, True), ("unknown", 59.0, True), ("claimed", 60.0, False), ("created", 59.0, False)],
)
def test_a_claim_is_alive_until_its_settle_time(state: str, now: float, alive: bool) -> None:
    assert JournalRow.from_columns(columns(state=state)).is_alive(now) is alive


def test_every_state_says_what_it_means() -> None:
    assert all(state.meaning for state in JournalState)


def test_only_the_first_repeated_numbers_are_named() -> None:
    counts = ImportCounts()
    for number in range(NAMED + 1):
        counts.add_repeated(f"R-{number}")
    assert (counts.repeated, len(counts.repeated_numbers)) == (NAMED + 1, NAMED)
