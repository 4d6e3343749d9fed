"""Marks in internal notes: which are ours."""

from __future__ import annotations

import pytest

from airflow_provider_rma.billing.journal.rebuild import find_recovery_tag
from airflow_provider_rma.billing.kinds.invoice import run_mark

MARK = "0123456789abcdef"


@pytest.mark.parametrize(
    "notes",
    [
        f"[rma {MARK}]",
        f"Auftrag 4711\n[rma {MARK}]",
        f"Auftrag 4711\r\n  [rma {MARK}] \r\n",
        f"[rma {'f' * 16}]\n[rma {MARK}]",
        run_mark(MARK * 4),
    ],
)
def test_a_mark_on_the_last_line(notes: str) -> None:
    assert find_recovery_tag(notes) == MARK


@pytest.mark.parametrize(
    "notes",
    [
        None,
        "",
        "Auftrag 4711",
        f"siehe [rma {MARK}]",
        f"[rma {MARK}]\nvon Hand ergänzt",
        f"[rma {MARK}0]",
        f"[rma {MARK[:15]}]",
        f"[rma {MARK.upper()}]",
        f"[RMA {MARK}]",
    ],
)
def test_what_is_no_mark(notes: str | None) -> None:
    assert find_recovery_tag(notes) is None
