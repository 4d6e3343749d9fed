"""What tests of every package share: where third-party test data lies, and how to read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


def shared(relative: str) -> Path:
    """Path of a file of the reference data beside the checkout; skips the test (or module) where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"reference data {relative} is not beside this checkout", allow_module_level=True)
    return path


def oracle_cases(*kinds: str) -> list[dict[str, Any]]:
    """Cases of the posting oracle, by kind (``ar_booking``, ``ar_articles``, ``payment``, ``ap``, ``gl``, ...).

    Empty where the reference data is absent, so that a parametrised test is reported as skipped.
    """
    path = SHARED / "oracle" / "cases.jsonl"
    if not path.exists():
        return []
    cases = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [case for case in cases if case["kind"] in kinds]
