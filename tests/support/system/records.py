"""Invoices that tests of this package bill."""

from __future__ import annotations

from itertools import count
from typing import Any

_numbers = count(1)


def invoices(prefix: str, number: int) -> list[dict[str, Any]]:
    """Valid invoices of CHF 100 with numbers that no other test uses."""
    return [
        {
            "invnumber": f"{prefix}-{next(_numbers)}",
            "customernumber": "K-001",
            "transdate": "2026-09-15",
            "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
        }
        for _ in range(number)
    ]
