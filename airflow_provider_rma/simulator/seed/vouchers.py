"""General-ledger vouchers of a seeded company: opening, wages, rent, depreciation, VAT, petty cash, euro."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed import texts
from airflow_provider_rma.simulator.seed.calendar import euro_rate

_FIVE = Decimal("0.05")
_ASSETS = ("1500", "1510", "1520", "1530", "1590")
_CASH_ACCNOS = ("6500", "6510", "6280", "6200", "4000", "6600")
_MONTHS = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
           "Dezember")  # fmt: skip


class VoucherMaker:
    """Draws general-ledger vouchers.

    :param books: the books; the VAT voucher clears what they show.
    :param rng: where every choice comes from.
    :param turnover: CHF of sales in an ordinary month; wages, rent and assets follow from it.
    """

    def __init__(self, books: Books, rng: Random, turnover: Decimal) -> None:
        self._books = books
        self._rng = rng
        self._turnover = turnover
        self._departments = [department["name"] for department in books.departments()]
        self._numbers: dict[int, int] = {}

    def _voucher(self, day: date, text: str, lines: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        number = self._numbers[day.year] = self._numbers.get(day.year, 0) + 1
        reference = f"GL-{day.year}-{number:05d}"
        return {"reference": reference, "transdate": day.isoformat(), "description": text, "lines": lines, **more}

    def _share(self, percent: int) -> Decimal:
        return max(Decimal(1), (self._turnover * percent / 100 / _FIVE).to_integral_value()) * _FIVE

    def draw_opening(self, day: date) -> dict[str, Any]:
        """Draw the opening voucher."""
        assets = [_debit("1020", self._share(300), "Bank"), _debit("1000", self._share(10), "Kasse")]
        assets += [_debit(accno, self._share(120), "Anlagen") for accno in _ASSETS]
        whole = sum((Decimal(line["debit"]) for line in assets), Decimal(0))
        loan = self._share(200)
        lines = [*assets, _credit("2400", loan, "Darlehen"), _credit("2800", whole - loan, "Aktienkapital")]
        return self._voucher(day, "Eröffnungsbilanz", lines)

    def draw_monthly(self, first: date, last: date) -> list[tuple[date, dict[str, Any]]]:
        """Draw the vouchers that every month has, each with its day; settlements are apart."""
        month = f"{_MONTHS[first.month - 1]} {first.year}"
        pay_day = first.replace(day=25)
        return [
            (first, self._plain(first, f"Miete {month}", "6000", "1020", self._share(4))),
            (pay_day, self._wages(pay_day, month)),
            (pay_day, self._change_euro(pay_day)),
            (last, self._depreciation(last, month)),
            (last, self._plain(last, f"Bankspesen {month}", "6940", "1020", self._share(1))),
            (last, self._plain(last, f"Darlehenszins {month}", "6900", "1020", self._share(1))),
        ]

    def _plain(self, day: date, text: str, debit: str, credit: str, amount: Decimal) -> dict[str, Any]:
        return self._voucher(day, text, [_debit(debit, amount, text), _credit(credit, amount, text)])

    def _wages(self, day: date, month: str) -> dict[str, Any]:
        gross = [self._share(8 + self._rng.randrange(3)) for _ in range(3)]
        social = self._share(3)
        lines = [_debit("5000", amount, f"Lohngruppe {index}") for index, amount in enumerate(gross, start=1)]
        lines += [_debit("5700", social, "Arbeitgeberbeiträge"), _credit("2270", 2 * social, "AHV, ALV, BVG, UVG")]
        return self._voucher(day, f"Löhne {month}", [*lines, _credit("1020", sum(gross) - social, "Auszahlung")])

    def _depreciation(self, day: date, month: str) -> dict[str, Any]:
        each = self._share(1)
        lines = [_credit(accno, each, "Abschreibung") for accno in _ASSETS]
        return self._voucher(day, f"Abschreibungen {month}", [_debit("6800", each * len(_ASSETS), ""), *lines])

    def _change_euro(self, day: date) -> dict[str, Any]:
        amount = self._share(1)
        lines = [_debit("1020", amount, "Wechsel"), _credit("1021", amount, "Wechsel")]
        return self._voucher(day, "Wechsel Euro in Franken", lines, currency="EUR", exchangerate=str(euro_rate(day)))

    def draw_petty_cash(self, day: date) -> dict[str, Any]:
        """Draw a voucher of the till, by a department."""
        department = self._departments[int(self._rng.random() * len(self._departments))]
        voucher = self._plain(
            day,
            texts.expense(self._rng),
            _CASH_ACCNOS[int(self._rng.random() * len(_CASH_ACCNOS))],
            "1000",
            Decimal(100 + self._rng.randrange(4000)) * _FIVE,
        )
        return voucher | {"department": department}

    def draw_settlements(self, day: date) -> Iterator[dict[str, Any]]:
        """Draw the vouchers at the end of a quarter: VAT to one account, social insurance paid, the till filled up."""
        taxes = {accno: self._raw(accno, day) for accno in ("1170", "1171", "2201", "2202")}
        lines = [_turned(accno, -amount) for accno, amount in taxes.items() if amount]
        owed = sum(taxes.values(), Decimal(0))
        if owed:
            yield self._voucher(day, f"MWST-Abrechnung per {day:%d.%m.%Y}", [*lines, _turned("2200", owed)])
        for accno, text in (("2200", "Zahlung MWST"), ("2270", "Zahlung Sozialversicherungen"), ("1000", "Kasse")):
            amount = self._raw(accno, day)
            if amount:
                yield self._voucher(day, f"{text} {day:%d.%m.%Y}", [_turned(accno, -amount), _turned("1020", amount)])

    def _raw(self, accno: str, day: date) -> Decimal:
        """Raw balance of an account (credit positive)."""
        rows = self._books.balances(accno, to_date=day)
        sign = -1 if accno.startswith("1") else 1
        return sum((sign * row["amount"] for row in rows), Decimal(0))


def _debit(accno: str, amount: Decimal, memo: str) -> dict[str, Any]:
    return {"accno": accno, "debit": str(amount), "memo": memo}


def _credit(accno: str, amount: Decimal | int, memo: str) -> dict[str, Any]:
    return {"accno": accno, "credit": str(amount), "memo": memo}


def _turned(accno: str, amount: Decimal) -> dict[str, Any]:
    """A line of a raw amount: credit if positive, else debit."""
    return _credit(accno, amount, "") if amount > 0 else _debit(accno, -amount, "")
