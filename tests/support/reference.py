"""Data that tests of every package share: what travels with the checkout, and the vendor's payloads beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
ORACLE = DATA / "oracle"
SHARED = ROOT.parent / "shared"

#: What the ledger held before the first case of the oracle.
ORACLE_MASTER = ORACLE / "master.json"


def shared(relative: str) -> Path:
    """Path of a file of the reference data beside the checkout; skips the test (or module) where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"reference data {relative} is not beside this checkout", allow_module_level=True)
    return path


def oracle_cases(*kinds: str) -> list[dict[str, Any]]:
    """Read the cases of the posting oracle, by kind (``ar_booking``, ``ar_articles``, ``payment``, ``ap``, ...)."""
    return [case for kind in kinds for case in _read_lines(f"{kind}.jsonl")]


def rounding_triples() -> list[dict[str, Any]]:
    """Read the triples of value, places and result of the ledger's own rounding routine."""
    return _read_lines("rounding.jsonl")


def _read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ORACLE / name).read_text(encoding="utf-8").splitlines()]
