"""When a seeded company does what."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from airflow_provider_rma.simulator.seed.calendar import SeedPlan, euro_rate, next_business_day, share_by_month


def test_invoices_are_shared_out_by_season_without_a_rest() -> None:
    months = share_by_month(SeedPlan(invoices=997, months=17))
    assert sum(months) == 997
    assert months[6] > months[0]


def test_calendar() -> None:
    assert next_business_day(date(2024, 6, 1)) == date(2024, 6, 3)
    assert next_business_day(date(2024, 6, 2)) == date(2024, 6, 3)
    assert next_business_day(date(2024, 6, 4)) == date(2024, 6, 4)
    rates = {euro_rate(date(2024, month, 1)) for month in range(1, 13)}
    assert len(rates) > 6
    assert all(Decimal("0.92") <= rate < Decimal("0.99") for rate in rates)
