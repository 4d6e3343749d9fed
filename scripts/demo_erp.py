"""The ERP of Steinbock Hüttenbedarf AG, an invented supplier of mountain huts: what `make demo` bills.

A SQLite file with customers, articles, invoices and their lines, as an ERP of its own keeps them; nothing in it knows
Run my Accounts. The content is the same on every machine. All people, places and companies are made up.

Quantities, prices and amounts are stored as TEXT, in plain decimal notation: SQLite has no exact decimal type, a column
declared DECIMAL or REAL holds binary floats, and whole rappen could not hold a unit price of 0.125.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, TypeVar

FIRST_DAY = date(2026, 8, 1)
LAST_DAY = date(2026, 10, 31)
CUSTOMERS = 60
DOCUMENTS = 400
CREDIT_NOTES = 28
DRAFTS = 3

_SEED = 20260801
_SAMPLE_IBAN = "CH9300762011623852957"
_RAPPEN = Decimal("0.01")
T = TypeVar("T")

_TABLES = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, company TEXT, salutation TEXT, first_name TEXT, last_name TEXT,
    street TEXT NOT NULL, address_extra TEXT, postcode TEXT NOT NULL, town TEXT NOT NULL, country TEXT NOT NULL,
    email TEXT, phone TEXT, payment_days INTEGER NOT NULL, iban TEXT);
CREATE TABLE articles (
    id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL, unit TEXT NOT NULL, list_price TEXT NOT NULL,
    vat TEXT NOT NULL CHECK (vat IN ('standard', 'reduced', 'none')));
CREATE TABLE departments (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE invoices (
    id INTEGER PRIMARY KEY, number TEXT UNIQUE, kind TEXT NOT NULL CHECK (kind IN ('invoice', 'credit note')),
    status TEXT NOT NULL CHECK (status IN ('draft', 'final')), customer_id INTEGER NOT NULL REFERENCES customers,
    department_id INTEGER REFERENCES departments, invoice_date TEXT NOT NULL, due_date TEXT NOT NULL,
    title TEXT NOT NULL, customer_reference TEXT, prices_include_vat INTEGER NOT NULL, total TEXT NOT NULL);
CREATE INDEX invoices_by_date ON invoices (invoice_date);
-- An invoice has either lines (articles) or bookings (services, charged by account).
CREATE TABLE invoice_lines (
    invoice_id INTEGER NOT NULL REFERENCES invoices, position INTEGER NOT NULL,
    article_id INTEGER NOT NULL REFERENCES articles, text TEXT, quantity TEXT NOT NULL, unit_price TEXT NOT NULL,
    discount_percent TEXT, PRIMARY KEY (invoice_id, position));
CREATE TABLE bookings (
    invoice_id INTEGER NOT NULL REFERENCES invoices, position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('income', 'vat')), account TEXT NOT NULL, text TEXT, amount TEXT NOT NULL,
    PRIMARY KEY (invoice_id, position));
"""

_VAT = {"standard": Decimal("0.081"), "reduced": Decimal("0.026"), "none": Decimal(0)}
_VAT_ACCOUNTS = {"standard": "2201", "reduced": "2202"}

#: Number, name, unit, list price, VAT: the articles that the company's accounting knows as well.
_ARTICLES = (
    ("HB-100", "Wolldecke grau, 150 x 210 cm", "Stk", "84.50", "standard"),
    ("HB-101", "Hüttenfinken, Filz, Grösse 42", "Paar", "32.95", "standard"),
    ("HB-102", "Stirnlampe mit Ladekabel", "Stk", "46.90", "standard"),
    ("HB-103", "Brennholz Buche, gespalten", "Ster", "189.00", "standard"),
    ("HB-104", "Holzschraube 4 x 40 mm", "Stk", "0.125", "standard"),
    ("HB-105", "Gipfelbuch, wetterfest", "Stk", "27.35", "standard"),
    ("LM-200", "Bergkäse, halber Laib", "kg", "26.80", "reduced"),
    ("LM-201", "Röstizwiebeln, Beutel", "Stk", "4.15", "reduced"),
    ("LM-202", "Kräutertee Alpenrose, lose", "kg", "58.00", "reduced"),
    ("LM-203", "Gerstensuppe, Trockenmischung", "kg", "17.45", "reduced"),
    ("DL-300", "Materialflug, pro Rotation", "Flug", "465.00", "standard"),
    ("DL-302", "Depot Mehrweggebinde", "Stk", "15.00", "none"),
)
_DEPARTMENTS = ("Hüttenshop", "Lager Talstation")

#: Services that are charged by account: text, income account, VAT.
_SERVICES = (
    ("Wartungsvertrag Solaranlage", "3400", "standard"),
    ("Beratung Küchenumbau", "3400", "standard"),
    ("Miete Notstromgruppe", "3600", "standard"),
    ("Verpflegung Helfertag", "3200", "reduced"),
)

_PLACES = (
    ("Murmelfluh", "9991", "Murmelfluh"), ("Nebelgrätli", "9991", "Murmelfluh"), ("Föhnegg", "9992", "Föhnwil"),
    ("Gämsenstein", "9992", "Föhnwil"), ("Distelfurgge", "9993", "Hinter-Öd"), ("Dohlenjoch", "9993", "Hinter-Öd"),
    ("Pierre-Éclatée", "9994", "Val-d'Ombrée"), ("Combe-aux-Hérissons", "9994", "Val-d'Ombrée"),
    ("Forêt-Sèche", "9995", "Pré-Caché"), ("Piz Fantasia", "9996", "Chamuotsch-Dadaint"),
    ("Crap Sömmi", "9996", "Chamuotsch-Dadaint"), ("Monte Però", "9997", "Città Nuvola"),
    ("Alpe Perché", "9997", "Città Nuvola"),
)  # fmt: skip
_TRADES = ("Berghütte", "Gasthaus", "Cabane", "Chamanna", "Alpkäserei", "Hüttenverein")
_FIRST_NAMES = ("Bärbel", "Aurélie", "Urs", "Flurina", "Noë", "Jürg", "Zoé", "Loïc", "Annamaria", "Björn")
_LAST_NAMES = ("Übermüller", "Gipfelmoser", "Sansterre", "D'Altrove", "Größler", "Wolkenbächler", "Niène", "Tschüttel")
_STREETS = ("Saumweg", "Seilbahnstrasse", "Chemin de l'Écho", "Über den Matten", "Via dal Götsch")


@dataclass
class _Line:
    article: int
    quantity: Decimal
    price: Decimal
    discount: Decimal | None = None
    text: str | None = None

    @property
    def vat(self) -> str:
        return _ARTICLES[self.article][4]

    @property
    def amount(self) -> Decimal:
        return _rounded(self.price * self.quantity * (100 - (self.discount or 0)) / 100)


@dataclass
class _Document:
    """An invoice or credit note: lines, or services (text, account, VAT, net amount)."""

    customer: int
    day: date
    title: str = "Lieferung"
    lines: list[_Line] = field(default_factory=list)
    services: list[tuple[str, str, str, Decimal]] = field(default_factory=list)
    kind: str = "invoice"
    status: str = "final"
    including_vat: bool = False
    department: int | None = None
    reference: str | None = None

    def vat(self) -> dict[str, Decimal]:
        """Tax by rate: summed over the document, then rounded once."""
        nets: dict[str, Decimal] = {}
        for rate, amount in [(line.vat, line.amount) for line in self.lines] + [
            (rate, amount) for _, _, rate, amount in self.services
        ]:
            nets[rate] = nets.get(rate, Decimal(0)) + amount
        return {rate: _rounded(net * _VAT[rate]) for rate, net in nets.items() if _VAT[rate]}

    def total(self) -> Decimal:
        """What the customer pays or gets back, in CHF."""
        amounts = [line.amount for line in self.lines] + [amount for *_, amount in self.services]
        return sum(amounts, Decimal("0.00")) + (0 if self.including_vat else sum(self.vat().values()))

    def reversed(self, day: date, title: str) -> _Document:
        """The credit note for all of it."""
        lines = [_Line(line.article, -line.quantity, line.price, line.discount, line.text) for line in self.lines]
        services = [(text, account, rate, -amount) for text, account, rate, amount in self.services]
        return _Document(
            self.customer, day, title, lines, services, "credit note", self.status, self.including_vat, self.department
        )


class _Dice:
    """Draws that are the same on every machine and in every version of Python: only ``random()`` promises that."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, and no secret

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def between(self, first: int, last: int) -> int:
        return first + self.below(last - first + 1)

    def one(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent


def create_erp(path: Path) -> bool:
    """Create the ERP; a file that exists stays as it is.

    :param path: the SQLite file.
    :returns: whether it was created.
    """
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with closing(sqlite3.connect(unfinished)) as erp, erp:
            _fill(erp)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def erp_total(path: Path) -> Decimal:
    """What the ERP has invoiced, less what it has credited, in CHF; drafts do not count."""
    with closing(sqlite3.connect(path)) as erp:
        totals = erp.execute("SELECT total FROM invoices WHERE status = 'final'").fetchall()
    return sum((Decimal(total) for (total,) in totals), Decimal("0.00"))


def _fill(erp: sqlite3.Connection) -> None:
    dice = _Dice(_SEED)
    erp.executescript(_TABLES)
    customers = list(_customers(dice))
    erp.executemany(f"INSERT INTO customers VALUES ({_marks(15)})", customers)  # noqa: S608 - question marks only
    erp.executemany("INSERT INTO articles (sku, name, unit, list_price, vat) VALUES (?, ?, ?, ?, ?)", _ARTICLES)
    erp.executemany("INSERT INTO departments (name) VALUES (?)", [(name,) for name in _DEPARTMENTS])
    payment_days = {row[0]: row[13] for row in customers}
    for index, document in enumerate(_documents(dice)):
        # A draft has no number yet.
        number = _number(index) if document.status == "final" else None
        _insert(erp, number, document, payment_days[document.customer])


def _customers(dice: _Dice) -> Iterator[tuple[Any, ...]]:
    for key in range(1, CUSTOMERS + 1):
        place, postcode, town = _PLACES[key % len(_PLACES)]
        first, last = _FIRST_NAMES[key % len(_FIRST_NAMES)], _LAST_NAMES[key % len(_LAST_NAMES)]
        person = key % 4 == 0
        yield (
            key,
            f"K-{100 + key}",
            None if person else f"{_TRADES[key % len(_TRADES)]} {place}",
            ("Madame" if first in ("Aurélie", "Zoé") else "Frau" if first in ("Bärbel", "Flurina") else None),
            first,
            last,
            f"{_STREETS[key % len(_STREETS)]} {dice.between(1, 80)}",
            f"Postfach {key}" if key % 9 == 0 else None,
            postcode,
            town,
            "Schweiz",
            None if key == 3 else f"rechnung{key}@{'privat' if person else 'betrieb'}.example",
            f"+41 00 000 {dice.between(10, 99)} {key:02d}",
            dice.one((10, 30, 30, 30, 60)),
            _SAMPLE_IBAN if key % 20 == 5 else None,
        )


def _documents(dice: _Dice) -> Iterator[_Document]:
    """All documents by date: one customer after the other first, so that each is billed at least once."""
    days = _working_days()
    invoices: list[tuple[str | None, _Document]] = []
    for index in range(DOCUMENTS):
        day = days[index * len(days) // DOCUMENTS]
        # Credit notes are spread evenly, and never come before there is an invoice to take back.
        if (index + 1) * CREDIT_NOTES // DOCUMENTS > index * CREDIT_NOTES // DOCUMENTS:
            number, document = invoices.pop(-1 - dice.below(min(80, len(invoices))))
            yield document.reversed(day, f"Gutschrift zu Rechnung {number}")
            continue
        customer = index + 1 if index < CUSTOMERS else dice.between(1, CUSTOMERS)
        document = _services(dice, customer, day) if index % 6 == 5 else _delivery(dice, customer, day, index)
        invoices.append((_number(index), document))
        yield document
    for customer in range(1, DRAFTS + 1):
        draft = _delivery(dice, customer, LAST_DAY, DOCUMENTS)
        draft.status = "draft"
        yield draft


def _delivery(dice: _Dice, customer: int, day: date, index: int) -> _Document:
    document = _Document(customer, day, department=dice.one((None, 1, 1, 2)))
    # Private customers see prices including VAT.
    document.including_vat = customer % 4 == 0
    articles = [dice.below(len(_ARTICLES)) for _ in range(dice.between(1, 5))]
    if index % 10 == 3:
        articles.append(articles[0])
    for article in articles:
        quantity = _quantity(dice, *_ARTICLES[article][:3:2])
        price = Decimal(_ARTICLES[article][3])
        discount = Decimal(dice.one((5, 10))) if dice.chance(15) else None
        document.lines.append(_Line(article, quantity, price, discount))
    if dice.chance(30):
        document.lines[0].text = f"{_ARTICLES[document.lines[0].article][1]} (Lieferung «frei Hütte»)"
    if dice.chance(40):
        document.reference = f"B-{dice.between(1000, 9999)}"
    return document


def _quantity(dice: _Dice, number: str, unit: str) -> Decimal:
    if number == "HB-104":
        return Decimal(dice.between(5, 95) * 5)
    if unit == "Flug":
        return Decimal(dice.between(1, 3))
    whole = Decimal(dice.between(1, 12))
    return whole + Decimal("0.25") * dice.between(1, 3) if unit == "kg" and dice.chance(40) else whole


def _services(dice: _Dice, customer: int, day: date) -> _Document:
    document = _Document(customer, day, f"Dienstleistungen {day:%m.%Y}")
    for _ in range(dice.between(1, 3)):
        text, account, rate = dice.one(_SERVICES)
        document.services.append((text, account, rate, _rounded(Decimal(dice.between(1600, 24000)) / 20)))
    return document


def _working_days() -> list[date]:
    days = [FIRST_DAY + timedelta(days) for days in range((LAST_DAY - FIRST_DAY).days + 1)]
    return [day for day in days if day.weekday() < 5 or day in (FIRST_DAY, LAST_DAY)]


def _number(index: int) -> str:
    """Number of a document: digits only, so that a QR reference can be made of it."""
    return str(260_001 + index)


def _insert(erp: sqlite3.Connection, number: str | None, document: _Document, payment_days: int) -> None:
    values = {
        "number": number,
        "kind": document.kind,
        "status": document.status,
        "customer_id": document.customer,
        "department_id": document.department,
        "invoice_date": document.day.isoformat(),
        "due_date": (document.day + timedelta(payment_days)).isoformat(),
        "title": document.title,
        "customer_reference": document.reference,
        "prices_include_vat": document.including_vat,
        "total": str(document.total()),
    }
    statement = f"INSERT INTO invoices ({', '.join(values)}) VALUES ({_marks(len(values))})"  # noqa: S608 - fixed names
    key = erp.execute(statement, list(values.values())).lastrowid
    erp.executemany(
        f"INSERT INTO invoice_lines VALUES ({_marks(7)})",  # noqa: S608 - question marks only
        [
            (key, position, line.article + 1, line.text, str(line.quantity), str(line.price), _text(line.discount))
            for position, line in enumerate(document.lines, start=1)
        ],
    )
    bookings = [("income", account, text, amount) for text, account, _, amount in document.services]
    if document.services:
        bookings += [("vat", _VAT_ACCOUNTS[rate], "", amount) for rate, amount in document.vat().items()]
    erp.executemany(
        f"INSERT INTO bookings VALUES ({_marks(6)})",  # noqa: S608 - question marks only
        [
            (key, position, kind, account, text or None, str(amount))
            for position, (kind, account, text, amount) in enumerate(bookings, start=1)
        ],
    )


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_RAPPEN, rounding=ROUND_HALF_UP)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _marks(count: int) -> str:
    return ", ".join("?" * count)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(f"{argument}: {'created' if create_erp(Path(argument)) else 'exists already'}")
