"""Records as a user hands them in."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any

_numbers = count(1)


def make_invoice(**fields: Any) -> dict[str, Any]:
    """Make a valid invoice in the booking method with a number of its own: 100.00 and 8.10 tax."""
    return {
        "invnumber": f"R-{next(_numbers)}",
        "customernumber": "K-001",
        "transdate": date(2026, 9, 15),
        "incomeentries": [{"amount": "100.00", "income_accno": "3400", "description": "Beratung"}],
        "taxentries": [{"amount": "8.10", "tax_accno": "2201"}],
    } | fields
