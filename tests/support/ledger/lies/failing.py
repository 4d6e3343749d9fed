"""Lies that are accepted today although figures show them, by the fault behind them.

A test of a lie that is listed here is expected to fail, strictly: who mends a fault removes its lines. An entry is the
name of a lie; ``; first`` or ``; reload`` and a form behind it narrow it down.
"""

from __future__ import annotations

from collections.abc import Mapping

FAILING: Mapping[str, tuple[str, ...]] = {}


def expected_failure(name: str, situation: str, form: str) -> str:
    """Why a lie in a situation and form is accepted today, empty if it must not be."""
    for reason, entries in FAILING.items():
        for entry in entries:
            listed, *narrowed = entry.split("; ")
            if listed == name and all(word in (situation, form) for word in narrowed):
                return reason
    return ""


def listed_names() -> set[str]:
    """Names of the lies that are listed."""
    return {entry.split("; ")[0] for entries in FAILING.values() for entry in entries}
