"""Sales and purchases of a seeded company: what is drawn by lot about each document. Posting is the ledger's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed import texts
from airflow_provider_rma.simulator.seed.calendar import euro_rate
from airflow_provider_rma.simulator.seed.company import Partner

_CENT = Decimal("0.01")
_INCOME = ("3000", "3200", "3200", "3400", "3400", "3600", "3680")
_EXPENSE = ("4000", "4200", "4200", "4400", "6200", "6280", "6400", "6500", "6510", "6570", "6600")
_TERMS = (10, 20, 30, 30, 30, 30, 60)


class DocumentMaker:
    """Draws invoices and purchases.

    :param books: the books, for rates, articles and departments.
    :param rng: where every choice comes from.
    """

    def __init__(self, books: Books, rng: Random, customers: Sequence[Partner], vendors: Sequence[Partner]) -> None:
        self._books = books
        self._rng = rng
        self._customers = customers
        self._vendors = vendors
        self._parts = [part for part in books.parts() if Decimal(part["sellprice"]) > 1]
        self._departments = [department["name"] for department in books.departments()]
        self._projects = [project["number"] for project in books.projects()]

    def _pick(self, values: Sequence[Any]) -> Any:
        return values[int(self._rng.random() * len(values))]

    def _amount(self, least: int, most: int) -> Decimal:
        """An amount in francs: many small ones, few large ones."""
        share = self._rng.random()
        return (least + Decimal(int(share * share * share * 100_000)) * (most - least) / 100_000).quantize(_CENT)

    def draw_invoice(self, number: str, day: date) -> dict[str, Any]:
        """Draw an invoice or (3 of 100) a credit note, by article or by booking, seldom in euro."""
        chance = self._rng.random()
        customer = self._customers[int(chance * chance * len(self._customers))]
        sign = -1 if self._rng.random() < 0.03 else 1
        document = {
            "invnumber": number,
            "customernumber": customer.number,
            "transdate": day.isoformat(),
            "duedate": (day + timedelta(days=self._pick(_TERMS))).isoformat(),
            "currency": customer.currency,
            "description": ("Gutschrift: " if sign < 0 else "") + texts.delivery(self._rng),
            "ordnumber": f"B-{self._rng.randrange(100_000):05d}" if self._rng.random() < 0.4 else "",
            **self._common(),
        }
        if customer.currency != "CHF":
            # a single line: several would leave a rappen of rounding in the voucher, as they do in the real ledger
            document |= {"exchangerate": str(euro_rate(day)), "payment_accno": "1021"}
            return document | self._entries("income_accno", _INCOME, sign, day, tax_accno="", most=1)
        if self._rng.random() < 0.55:
            return document | self._lines(sign)
        return document | self._entries("income_accno", _INCOME, sign, day, "2201" if customer.taxed else "", most=3)

    def draw_purchase(self, number: str, day: date) -> dict[str, Any]:
        """Draw a purchase by booking, with input tax."""
        chance = self._rng.random()
        vendor = self._vendors[int(chance * chance * len(self._vendors))]
        return {
            "invnumber": number,
            "vendornumber": vendor.number,
            "transdate": day.isoformat(),
            "duedate": (day + timedelta(days=self._pick(_TERMS))).isoformat(),
            "currency": "CHF",
            "description": texts.expense(self._rng),
            **self._common(),
            **self._entries("expense_accno", _EXPENSE, 1, day, "1170", most=2),
        }

    def _common(self) -> dict[str, Any]:
        result = {"notes": texts.notes(self._rng)}
        if self._rng.random() < 0.5:
            result["department"] = self._pick(self._departments)
        if self._rng.random() < 0.05:
            result["intnotes"] = "Nach Rücksprache angepasst, siehe Ablage."
        return result

    def _lines(self, sign: int) -> dict[str, Any]:
        lines = []
        for _ in range(1 + int(self._rng.random() * self._rng.random() * 6)):
            line: dict[str, Any] = {
                "partnumber": self._pick(self._parts)["partnumber"],
                "quantity": str(sign * (1 + int(self._rng.random() * self._rng.random() * 40))),
            }
            if self._rng.random() < 0.1:
                line["discount_percent"] = self._pick(("5", "10", "12.5"))
            if self._rng.random() < 0.1:
                line["projectnumber"] = self._pick(self._projects)
            if self._rng.random() < 0.3:
                line["itemnote"] = texts.line(self._rng)
            lines.append(line)
        return {"lines": lines, "taxincluded": self._rng.random() < 0.1}

    def _entries(
        self, key: str, accnos: Sequence[str], sign: int, day: date, tax_accno: str, most: int
    ) -> dict[str, Any]:
        """One to ``most`` entries and their tax; purchases are larger, since there are fewer of them."""
        name = "incomeentries" if key == "income_accno" else "expenseentries"
        largest = 4000 if key == "income_accno" else 6000
        amounts = [sign * self._amount(20, largest) for _ in range(1 + int(self._rng.random() * most))]
        entries = [
            {"amount": str(amount), key: self._pick(accnos), "description": texts.line(self._rng)} for amount in amounts
        ]
        if not tax_accno:
            return {name: entries, "taxentries": []}
        rate = self._books.tax_rate(tax_accno, day.isoformat())
        tax = (sum(amounts, Decimal(0)) * rate).quantize(_CENT, ROUND_HALF_UP)
        return {name: entries, "taxentries": [{"amount": str(tax), "tax_accno": tax_accno}]}

    def amend(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Change a document as somebody who saves it again: another text, and on every second one another amount."""
        result = {**document, "description": document["description"] + " (korrigiert)"}
        if "lines" in result and self._rng.random() < 0.5:
            result["lines"] = [*result["lines"], {"partnumber": "DL-302", "quantity": "1"}]
        return result
