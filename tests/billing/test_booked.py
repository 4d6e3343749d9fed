"""What RMA holds, reduced."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.booked import BookedInvoice


def test_an_invoice_is_reduced_to_what_is_compared_and_kept() -> None:
    entity = {
        "invnumber": "RG-1",
        "id": 77,
        "netamount": Decimal("100.00"),
        "amount": Decimal("108.10"),
        "transdate": date(2026, 9, 15),
        "customer": {"customernumber": "K-1", "name": "Alphütte AG"},
    }
    booked = BookedInvoice.from_rma(entity)
    assert booked == BookedInvoice(
        "RG-1", "77", Decimal("100.00"), Decimal("108.10"), "CHF", date(2026, 9, 15), customernumber="K-1"
    )
    assert booked.key == "rg-1"


def test_what_rma_does_not_tell_is_not_known() -> None:
    assert BookedInvoice.from_rma({"currency": "EUR"}) == BookedInvoice("", currency="EUR")


@pytest.mark.parametrize(
    ("entity", "number"),
    [
        ({"customernumber": "K-1"}, "K-1"),
        ({"customernumber": "K-1", "customer": {"customernumber": "K-2"}}, "K-2"),
        ({"customer": {"name": "Alphütte AG"}, "customernumber": "K-1"}, "K-1"),
        ({"customer": None, "customernumber": ""}, None),
    ],
)
def test_the_customer_stands_in_the_invoice_or_in_the_customer_inside(entity: dict[str, Any], number: str) -> None:
    assert BookedInvoice.from_rma(entity).customernumber == number
