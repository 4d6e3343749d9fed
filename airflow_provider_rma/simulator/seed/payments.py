"""How a seeded company's invoices get paid: in full, with a discount, less bank charges, in parts, a bit wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed.calendar import euro_rate, next_business_day

_CENT = Decimal("0.01")

#: Ways to pay a sale, with their share in a hundred.
_WAYS = (("full", 76), ("skonto", 9), ("charges", 4), ("parts", 6), ("wrong", 3), ("saved", 2))

#: Days a document rests before it is paid: corrections come earlier.
REST = 6


@dataclass(frozen=True)
class Payment:
    """A payment that is to be entered on a day.

    :param document_id: the sale or purchase.
    :param way: one of ``_WAYS``, or ``rest`` for the second of two parts.
    :param foreign: whether it comes in euro, at the rate of the day.
    """

    document_id: int
    way: str
    foreign: bool


def draw_payment(rng: Random, document_id: int, document: dict[str, Any], share: float) -> tuple[date, Payment] | None:
    """Draw whether, when and how a document gets paid; ``None`` if never."""
    if rng.random() >= share:
        return None
    foreign = document["currency"] != "CHF"
    sale = "customernumber" in document
    way = _way(rng) if sale and not foreign else "full"
    due = date.fromisoformat(document["duedate"])
    posted = date.fromisoformat(document["transdate"])
    if way == "skonto":
        day = posted + timedelta(days=REST + rng.randrange(5))
    else:
        day = max(posted + timedelta(days=REST), due + timedelta(days=rng.randrange(30) - 8))
        day += timedelta(days=40 if rng.random() < 0.03 else 0)
    return next_business_day(day), Payment(document_id, way, foreign)


def _way(rng: Random) -> str:
    chance = rng.randrange(100)
    for way, share in _WAYS:
        if chance < share:
            return way
        chance -= share
    return _WAYS[0][0]


def enter_payment(books: Books, rng: Random, payment: Payment, day: date) -> tuple[date, Payment] | None:
    """Enter a payment and return the one that follows it, if it was a part."""
    unpaid = books.unpaid(payment.document_id)
    if not unpaid:
        return None
    source = f"Bank {day:%d.%m.}"
    if payment.foreign:
        _pay(books, payment, day, unpaid, "1021", source, exchangerate=str(euro_rate(day)))
    elif payment.way == "skonto":
        _pay_with(books, payment, day, (unpaid * 2 / 100).quantize(_CENT), "3800", "2 % Skonto")
    elif payment.way == "charges" and unpaid > 100:
        _pay_with(books, payment, day, Decimal(500 + 5 * rng.randrange(300)) / 100, "6940", "Spesen der Bank")
    elif payment.way == "parts" and unpaid > 100:
        _pay(books, payment, day, (unpaid / 2).quantize(_CENT), "1020", source)
        return next_business_day(day + timedelta(days=30)), Payment(payment.document_id, "rest", foreign=False)
    elif payment.way == "wrong":
        _pay(books, payment, day, unpaid + Decimal(rng.randrange(-200, 200)) / 100, "1020", source)
    else:
        route = "save_again" if payment.way == "saved" else "payment_form"
        _pay(books, payment, day, unpaid, "1020", source, route=route)
    return None


def _pay_with(books: Books, payment: Payment, day: date, less: Decimal, accno: str, memo: str) -> None:
    """The bank's part of a payment and, on the same day, what was kept back."""
    _pay(books, payment, day, books.unpaid(payment.document_id) - less, "1020", f"Bank {day:%d.%m.}")
    _pay(books, payment, day, less, accno, "", memo=memo)


def _pay(books: Books, payment: Payment, day: date, amount: Decimal, accno: str, source: str, *,
         route: str = "payment_form", **more: Any) -> None:  # fmt: skip
    if amount:
        given = {"amount": str(amount), "datepaid": day.isoformat(), "payment_accno": accno, "source": source, **more}
        books.pay(payment.document_id, given, route)
