"""Books that are kept by lot: step by step, everything that an accountant does to them, the same for the same seed."""

from __future__ import annotations

import sqlite3
from calendar import monthrange
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from tests.support.ledger.company import Company, Row

#: Around the end of a fiscal year.
MONTHS = (date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1))
PERIOD = MONTHS[0], date(2026, 2, 28)
YEAR_END = date(2025, 12, 31)

_SCALE = Decimal("1e-8")
_TEXTS = (
    "", "", "Miete", "Müller & Söhne <AG>", "Zeile 1\nZeile 2", "  am Rand  ", "«Käse» 🧀", 'a "b" \'c\'', "]]>",
    "Tab\tund \\ Strich", "null", "1.0E7", "x" * 500, "&amp;", "a;b,c", "é\u0301\u00a0",
    "Zeile 1\r\nZeile 2", "a\rb", " \n ", "\u0085\u2028",
)  # fmt: skip
_DEPARTMENTS = ("", "", "Hüttenshop", "Department 2", "Lager Talstation")
_INCOME, _EXPENSE = ("3000", "3200", "3400", "3600"), ("4200", "4400", "6000", "6500", "6510")
_FREE = ("1000", "1020", "1021", "1090", "1500", "2030", "2800", "2990", *_INCOME, *_EXPENSE)
_PARTS = ("HB-100", "HB-104", "LM-200", "DL-301", "DL-302")
_RATES = ("0.93", "0.9571", "0.9333", "1.0049")


def books_of(path: Path, first: date, last: date) -> list[Row]:
    """The postings of a period, inclusive, straight from the file of the books; columns as in ``company.Row``."""
    query = """
        SELECT p.transdate, a.accno, p.amount, d.id, d.module, p.entry_id, d.number, d.description, p.source, p.memo,
               d.notes, d.intnotes, e.id, e.name, e.role
        FROM posting p JOIN document d ON d.id = p.document_id JOIN account a ON a.id = p.account_id
             LEFT JOIN department e ON e.id = d.department_id
        WHERE p.units <> 0 AND p.transdate BETWEEN ? AND ?"""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(query, (first.isoformat(), last.isoformat())).fetchall()
    rows = [
        (day, accno, Decimal(amount).quantize(_SCALE), *keys, *(text or None for text in texts), *department)
        for day, accno, amount, *rest in found
        for keys, texts, department in [(rest[:3], rest[3:9], rest[9:])]
    ]
    return sorted(rows, key=repr)


def last_day(month: date) -> date:
    """Last day of a month."""
    return month.replace(day=monthrange(month.year, month.month)[1])


@dataclass
class _Document:
    """A document as the accountant has it in mind.

    :param path: where it is posted at the control endpoint.
    """

    id: int
    path: str
    body: dict[str, Any]
    payments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def foreign(self) -> bool:
        return bool(self.body.get("currency") == "EUR")


class Accountant:
    """Keeps the books of a company.

    :param company: a running company with empty books.
    :param seed: decides everything that is done.
    :ivar story: what was done, for a failure.
    """

    def __init__(self, company: Company, seed: int) -> None:
        self.story: list[str] = []
        self.met: Counter[str] = Counter()
        self._company, self._dice = company, Random(seed)  # noqa: S311 - a repeatable sequence, not a secret
        self._documents: dict[int, _Document] = {}
        self._numbers = 0
        opening = self._gl(date(2025, 11, 1), [("1020", "-5000"), ("1500", "-1200.55"), ("2800", "6200.55")])
        self._post("/gl", opening | {"description": "Eröffnung"})

    def step(self) -> None:
        """Do some things, at least one."""
        self.story.append("-- step")
        for _ in range(self._dice.choice((1, 2, 3, 5, 8, 12))):
            self.act()

    def act(self) -> None:
        """Do one thing, if what is drawn can be done."""
        acts: dict[str, tuple[float, Callable[[], bool]]] = {
            "sale": (6, self._sale),
            "articles": (4, self._articles),
            "foreign sale": (4, self._foreign_sale),
            "purchase": (4, self._purchase),
            "voucher": (6, self._voucher),
            "foreign voucher": (3, self._foreign_voucher),
            "opening": (1, self._opening),
            "payment": (8, self._pay),
            "saved again": (4, self._resave),
            "amended": (8, self._amend),
            "deleted": (4, self._delete),
            "rappen": (1.5, self._rappen),
            "francs": (0.5, self._francs),
            "emptied month": (1, self._empty),
            "year end": (1.5, self._year_end),
        }
        weights = [weight for weight, _ in acts.values()]
        name = self._dice.choices([*acts], weights)[0]
        if acts[name][1]():
            self.met[name] += 1

    # ------------------------------------------------------------------ choices

    def _pick(self, values: Any) -> Any:
        return self._dice.choice(list(values))

    def _day(self) -> date:
        """Mostly within the period, often at the edge of a month, sometimes long before or just after."""
        if self._dice.random() < 0.1:
            return self._pick((date(2025, 11, 30), date(2024, 5, 2), date(2025, 11, 3), date(2026, 3, 1)))
        month = self._pick(MONTHS)
        last = last_day(month)
        return month + timedelta(days=self._pick((0, (last - month).days, self._dice.randrange((last - month).days))))

    def _amount(self) -> Decimal:
        usual = self._dice.randrange(1, 500_000)
        return Decimal(self._pick((1, 5, 10_000, usual, usual, usual, usual, 1_000_000_000))) / 100

    def _texts(self, *names: str) -> dict[str, str]:
        return {name: self._pick(_TEXTS) for name in names if self._dice.random() < 0.5}

    def _head(self, prefix: str) -> dict[str, Any]:
        self._numbers += 1
        key = "reference" if prefix == "GL" else "invnumber"
        number = f"{prefix}-{self._numbers}"
        return {key: number, "transdate": self._day().isoformat(), "department": self._pick(_DEPARTMENTS),
                **self._texts("description", "notes", "intnotes")}  # fmt: skip

    def _gl(self, day: date, lines: list[tuple[str, str]]) -> dict[str, Any]:
        head = self._head("GL") | {"transdate": day.isoformat()}
        listed = [
            {"accno": accno, ("credit" if Decimal(amount) > 0 else "debit"): str(abs(Decimal(amount)))}
            | self._texts("source", "memo")
            for accno, amount in lines
        ]
        return head | {"lines": listed}

    # ------------------------------------------------------------------ documents

    def _post(self, path: str, body: dict[str, Any]) -> bool:
        self._say(f"post {path}", body)
        number = self._company.post(path, deepcopy(body))
        self._documents[number] = _Document(number, path, body)
        return True

    def _say(self, what: str, given: Any = "") -> None:
        self.story.append(f"{what} {str(given)[:300]}".rstrip())

    def _entries(self, key: str, accnos: tuple[str, ...], tax: str) -> dict[str, Any]:
        amounts = [self._amount() for _ in range(self._dice.randrange(1, 4))]
        if self._dice.random() < 0.3:
            amounts.append(amounts[-1])
        accno = self._pick(accnos)
        entries = [
            {"amount": str(amount), key: accno if self._dice.random() < 0.5 else self._pick(accnos)}
            | self._texts("description")
            for amount in amounts
        ]
        name = "incomeentries" if key == "income_accno" else "expenseentries"
        due = (sum(amounts, Decimal(0)) * Decimal("0.081")).quantize(Decimal("0.01"))
        return {name: entries, "taxentries": [{"amount": str(due), "tax_accno": tax}] if tax else []}

    def _sale(self) -> bool:
        tax = self._pick(("2201", ""))
        body = {"customernumber": "K-001", **self._entries("income_accno", _INCOME, tax)}
        return self._post("/invoices", self._head("R") | body)

    def _articles(self) -> bool:
        lines = [
            {"partnumber": self._pick(_PARTS), "quantity": self._pick(("1", "3", "0.75", "-1"))}
            for _ in range(self._dice.randrange(1, 4))
        ]
        body = {"customernumber": "K-001", "lines": lines, "taxincluded": self._dice.random() < 0.3}
        return self._post("/invoices", self._head("A") | body)

    def _foreign_sale(self) -> bool:
        body = {"customernumber": "K-900", "currency": "EUR", "exchangerate": self._pick(_RATES)}
        return self._post("/invoices", self._head("F") | body | self._entries("income_accno", _INCOME, ""))

    def _purchase(self) -> bool:
        body = {"vendornumber": "L-001", **self._entries("expense_accno", _EXPENSE, self._pick(("1170", "")))}
        return self._post("/purchases", self._head("E") | body)

    def _voucher(self, **more: Any) -> bool:
        """Debits on some accounts, the first perhaps more than once; one credit."""
        debits = [(self._pick(_FREE), self._amount()) for _ in range(self._dice.randrange(1, 4))]
        equal = self._pick((0, 0, 1, 2))
        total = sum((amount for _, amount in debits), equal * debits[0][1])
        lines = [*((accno, str(-amount)) for accno, amount in debits), (self._pick(_FREE), str(total))]
        body = self._gl(self._day(), lines) | more
        body["lines"] += [dict(body["lines"][0]) for _ in range(equal)]
        return self._post("/gl", body)

    def _foreign_voucher(self) -> bool:
        return self._voucher(currency="EUR", exchangerate=self._pick(("0.93", "0.98", "1.05", *_RATES)))

    def _opening(self) -> bool:
        day = self._pick((date(2025, 1, 1), date(2025, 12, 1), date(2026, 1, 1)))
        amount = self._amount()
        body = self._gl(day, [("1020", str(-amount)), ("2990", str(amount))])
        return self._post("/gl", body | {"description": "Eröffnung"})

    # ------------------------------------------------------------------ what happens to documents

    def _some(self, wanted: Callable[[_Document], bool] = lambda _: True) -> _Document | None:
        found = [document for document in self._documents.values() if wanted(document)]
        return self._dice.choice(found) if found else None

    def _pay(self) -> bool:
        """In full, in part, or too much; foreign currency in full at another rate changes older rows."""
        document = self._some(lambda one: one.path != "/gl")
        if document is None:
            return False
        stated = self._company.document(document.id)
        rest = Decimal(stated["fxamount"]) - Decimal(stated["fxpaid"])
        share = self._pick((Decimal(1), Decimal(1), Decimal(1), Decimal("0.4"), Decimal("1.1")))
        amount = (rest * share).quantize(Decimal("0.01"))
        if not amount:
            return False
        payment: dict[str, Any] = {"amount": str(amount), "datepaid": self._day().isoformat(),
                                   "payment_accno": "1021" if document.foreign else self._pick(("1020", "1030")),
                                   **self._texts("source", "memo")}  # fmt: skip
        if document.foreign:
            payment["exchangerate"] = self._pick(_RATES)
        route = self._pick(("payment_form", "payment_form", "save_again"))
        self._say(f"pay {document.id} by {route}", payment)
        path = f"/documents/{document.id}/payments"
        self._company.simulator.control("POST", path, payment | {"route": route})
        document.payments.append(payment)
        return True

    def _save(self, document: _Document) -> bool:
        body = deepcopy(document.body)
        if document.payments:
            body["payments"] = deepcopy(document.payments)
        self._say(f"save {document.id} again", body)
        self._company.resave(document.id, body)
        return True

    def _resave(self) -> bool:
        """As it is: new line numbers, and in foreign currency not always the same rows."""
        document = self._some()
        return document is not None and self._save(document)

    def _amend(self) -> bool:
        document = self._some()
        if document is None:
            return False
        body = document.body
        what = self._pick(("date", "text", "department", "lines", "payments"))
        if what == "date":
            body["transdate"] = self._day().isoformat()
        elif what == "text":
            body[self._pick(("description", "notes", "intnotes"))] = self._pick(_TEXTS)
        elif what == "department":
            body["department"] = self._pick(_DEPARTMENTS)
        elif what == "payments":
            document.payments = document.payments[:-1]
        else:
            self._amend_lines(body)
        return self._save(document)

    def _amend_lines(self, body: dict[str, Any]) -> None:
        """One line more that says what another says, or one line less; a voucher stays balanced."""
        lines = next(body[name] for name in ("lines", "incomeentries", "expenseentries") if name in body)
        if "reference" in body:
            lines[:] = lines[:] * 2 if len(lines) < 8 else lines[: len(lines) // 2]
        elif len(lines) > 1 and self._dice.random() < 0.5:
            lines.pop()
        else:
            lines.append(dict(lines[0]))

    def _delete(self) -> bool:
        document = self._some()
        if document is None:
            return False
        self._say(f"delete {document.id}")
        self._company.delete(document.id)
        del self._documents[document.id]
        return True

    def _unbalance(self, amount: str) -> bool:
        document = self._some()
        if document is None:
            return False
        self._say(f"unbalance {document.id}", amount)
        self._company.simulator.control("POST", f"/documents/{document.id}/unbalance", {"amount": amount})
        return True

    def _rappen(self) -> bool:
        return self._unbalance(self._pick(("0.01", "-0.01")))

    def _francs(self) -> bool:
        return self._unbalance("7")

    def _empty(self) -> bool:
        """Delete every document that has a posting in a month, the closing of the year included."""
        month = self._pick(MONTHS)
        found = {row[3] for row in books_of(self._company.simulator.db, month, last_day(month))}
        for number in found:
            self._company.delete(number)
            self._documents.pop(number, None)
        self._say(f"empty {month}", found)
        return bool(found)

    def _year_end(self) -> bool:
        """Close the year; an earlier closing of the same day is deleted thereby."""
        self._say("year end")
        self._company.post("/year-end", {"closing_date": YEAR_END.isoformat(), "equity_accno": "2990"})
        return True
