"""Folders of the checkout, and the reference data that travels with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
ORACLE = DATA / "oracle"
#: Material beside the checkout that does not travel with it.
SHARED = ROOT.parent / "shared"

#: What the ledger held before the first case of the oracle.
ORACLE_MASTER = ORACLE / "master.json"


def oracle_cases(*kinds: str) -> list[dict[str, Any]]:
    """Read the cases of the posting oracle, by kind (``ar_booking``, ``ar_articles``, ``payment``, ``ap``, ...)."""
    return [case for kind in kinds for case in _read_lines(f"{kind}.jsonl")]


def rounding_triples() -> list[dict[str, Any]]:
    """Read the triples of value, places and result of the ledger's own rounding routine."""
    return _read_lines("rounding.jsonl")


def _read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ORACLE / name).read_text(encoding="utf-8").splitlines()]
