"""An invented music shop's database: five years of invoices, names of many languages, and fields that RMA refuses."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from itertools import product
from pathlib import Path

_SCHEMA = """
CREATE TABLE Customer (CustomerId INTEGER PRIMARY KEY, FirstName NVARCHAR(40) NOT NULL, LastName NVARCHAR(20) NOT NULL,
    Company NVARCHAR(80), Address NVARCHAR(70), City NVARCHAR(40), State NVARCHAR(40), Country NVARCHAR(40),
    PostalCode NVARCHAR(10), Phone NVARCHAR(24), Fax NVARCHAR(24), Email NVARCHAR(60) NOT NULL);
CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name NVARCHAR(200) NOT NULL, UnitPrice NUMERIC(10,2) NOT NULL);
CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER NOT NULL REFERENCES Customer,
    InvoiceDate DATETIME NOT NULL, Total NUMERIC(10,2) NOT NULL);
CREATE TABLE InvoiceLine (InvoiceLineId INTEGER PRIMARY KEY, InvoiceId INTEGER NOT NULL REFERENCES Invoice,
    TrackId INTEGER NOT NULL REFERENCES Track, UnitPrice NUMERIC(10,2) NOT NULL, Quantity INTEGER NOT NULL);
"""

_FIRST_NAMES = ("Zoë", "Øyvind", "František", "Mária", "Jürg", "Łucja", "François", "Nuño", "Åsa", "Τάκης")
_LAST_NAMES = ("d'Exemple", "Beispiel-Müller", "Příklad", "Größe", "Ejemplo & Hijos", "Mönkkönen")
_PLACES = (
    ("Via Esempio 5/b", "Esempio", "TI", "Schweiz", "6999"),
    ("Beispielgasse 8 <Hof>", "Exempelach", None, "Österreich", "AT-0999"),
    ("Rua do Exemplo, 12 – 3º", "São Exemplo", "SP", "Brasil", "00000-000"),
    ("Příkladová 7", "Vzorov", None, "Česko", None),
    ("1 Sample Pkwy", "Sampleville", "CA", "USA", "90000"),
)
#: Longer than RMA takes: customers 7 and 35 live here.
LONG_ADDRESSES = {7: "Beispielstrasse an der langen Mauer 1", 35: "Rua do Exemplo Muito Comprido, 4000 Andar"}
_TRACKS = (
    "Così fan pütz", "“Encore”", "C'est la démo", "Polka №9", "Loop #7 (Live)", "A & B < C", "Über den Übungswolken",
    "Ei saa peittää", "Żółw", "2 Minutes 2 Long", "¿Ejemplo?", "…und noch ein Stück, dessen Name kein Ende nimmt",
)  # fmt: skip
CUSTOMERS, INVOICES = 59, 160


def create(path: Path) -> None:
    """Write the database; each call writes the same."""
    chance = random.Random(2)  # noqa: S311 - the same numbers each time
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_SCHEMA)
        tracks = [(number, name, 0.99 if number % 5 else 1.99) for number, name in enumerate(_TRACKS, 1)]
        database.executemany("INSERT INTO Track VALUES (?, ?, ?)", tracks)
        names = list(product(_LAST_NAMES, _FIRST_NAMES))
        for number in range(1, CUSTOMERS + 1):
            database.execute(f"INSERT INTO Customer VALUES ({', '.join('?' * 12)})", _customer(number, names[number]))
        for number in range(1, INVOICES + 1):
            day = date(2021, 1, 1) + timedelta(days=(number - 1) * 1820 // INVOICES)
            sold = chance.choices(tracks, k=chance.randint(1, 6))
            lines = [(track, price, chance.choice((1, 1, 1, 2, 14))) for track, _, price in sold]
            total = round(sum(price * quantity for _, price, quantity in lines), 2)
            customer = (number - 1) % CUSTOMERS + 1
            database.execute("INSERT INTO Invoice VALUES (?, ?, ?, ?)", (number, customer, f"{day} 00:00:00", total))
            database.executemany(
                "INSERT INTO InvoiceLine (InvoiceId, TrackId, UnitPrice, Quantity) VALUES (?, ?, ?, ?)",
                [(number, *line) for line in lines],
            )


def _customer(number: int, name: tuple[str, str]) -> tuple[object, ...]:
    last, first = name
    address, city, state, country, postal_code = _PLACES[number % len(_PLACES)]
    company = f"Beispiel Música {number} S.à r.l." if number % 6 == 1 else None
    phone = f"+00 ({number:02}) 555-0100" if number % 9 else None
    fax = "+00 555-0101" if number % 4 == 0 else None
    place = (LONG_ADDRESSES.get(number, address), city, state, country, postal_code)
    return number, first, last, company, *place, phone, fax, f"kunde{number}@shop.example"
