"""Recovery tags in internal notes: which are ours."""

from __future__ import annotations

import pytest

from airflow_provider_rma.billing.journal.rebuild import find_recovery_tag
from airflow_provider_rma.billing.kinds.invoice_document import recovery_tag

TAG = "0123456789abcdef"


@pytest.mark.parametrize(
    "notes",
    [
        f"[rma {TAG}]",
        f"Auftrag 4711\n[rma {TAG}]",
        f"Auftrag 4711\r\n  [rma {TAG}] \r\n",
        f"[rma {'f' * 16}]\n[rma {TAG}]",
        recovery_tag(TAG * 4),
    ],
)
def test_a_tag_on_the_last_line(notes: str) -> None:
    assert find_recovery_tag(notes) == TAG


@pytest.mark.parametrize(
    "notes",
    [
        None,
        "",
        "Auftrag 4711",
        f"siehe [rma {TAG}]",
        f"[rma {TAG}]\nvon Hand ergänzt",
        f"[rma {TAG}0]",
        f"[rma {TAG[:15]}]",
        f"[rma {TAG.upper()}]",
        f"[RMA {TAG}]",
    ],
)
def test_what_is_not_a_tag(notes: str | None) -> None:
    assert find_recovery_tag(notes) is None
