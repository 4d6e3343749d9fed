"""When a seeded company does what: documents per month by season, business days, rates of exchange."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

#: How much of a year's business falls on each month, January first; a year more brings 4 % more.
_SEASON = (70, 78, 95, 100, 112, 128, 135, 118, 104, 98, 88, 110)
_GROWTH = 4
_SATURDAY = 5


@dataclass(frozen=True)
class SeedPlan:
    """The books to build.

    :param customers: customers beside the three of the demo company.
    :param invoices: sales documents that remain in the books, credit notes included.
    :param months: calendar months from ``start``.
    :param seed: other seed, other books.
    :param start: first day of the first month.
    :param payments: share (0 to 1) of the invoices that get paid, if the books last long enough.
    :param unbalanced: vouchers that are put out of balance by a rappen.
    """

    customers: int = 200
    invoices: int = 2000
    months: int = 24
    seed: int = 1
    start: date = date(2023, 1, 1)
    payments: float = 0.85
    unbalanced: int = 0

    @property
    def last_day(self) -> date:
        """Last day of the last month."""
        return list_months(self.start, self.months)[-1][1]


def list_months(start: date, count: int) -> list[tuple[date, date]]:
    """First and last day of so many months."""
    result = []
    for index in range(count):
        year, month = divmod(start.month - 1 + index, 12)
        first = date(start.year + year, month + 1, 1)
        result.append((first, first.replace(day=monthrange(first.year, first.month)[1])))
    return result


def share_by_month(plan: SeedPlan) -> list[int]:
    """Share the invoices out over the months, by season and growth, so that none is lost in rounding."""
    months = list_months(plan.start, plan.months)
    weights = [_SEASON[first.month - 1] * (100 + _GROWTH * (first.year - plan.start.year)) for first, _ in months]
    whole, before, result = sum(weights), 0, []
    for weight in weights:
        result.append((before + weight) * plan.invoices // whole - before * plan.invoices // whole)
        before += weight
    return result


def list_business_days(first: date, last: date) -> list[date]:
    """Mondays to Fridays of a period, both ends inclusive."""
    days = (first + timedelta(days=index) for index in range((last - first).days + 1))
    return [day for day in days if day.weekday() < _SATURDAY]


def spread(count: int, days: Sequence[date], rng: Random) -> dict[date, int]:
    """Share documents out over days; a quarter of them falls on the last two."""
    result = dict.fromkeys(days, 0)
    for _ in range(count):
        usual = rng.random() < 0.75
        result[days[int(rng.random() * len(days))] if usual else days[-1 - int(rng.random() * 2)]] += 1
    return result


def next_business_day(day: date) -> date:
    """The day itself, or the Monday after it."""
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= _SATURDAY else day


def euro_rate(day: date) -> Decimal:
    """CHF for a euro in a month: invented, between 0.92 and 0.99."""
    return Decimal(920 + (day.year * 12 + day.month) * 37 % 70) / 1000
