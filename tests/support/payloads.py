"""Requests and answers in the documented shapes, and what they say: our own always, the vendor's where they lie."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.reference import DATA, SHARED

#: Names the folder of the vendor's payloads; without it they are looked for beside the checkout.
VARIABLE = "RMA_DOCUMENTED_PAYLOADS"


@dataclass(frozen=True)
class ArticleInvoice:
    """An invoice with one article line, as sent and as its totals are read."""

    number: str
    transdate: str
    duedate: str
    quantity: str
    sellprice: str
    discount: str
    amount: str
    netamount: str


@dataclass(frozen=True)
class BookingInvoice:
    """An invoice by the booking method, its totals, and the row it posts on each account."""

    file: str
    number: str
    amount: str
    netamount: str
    postings: dict[str, float]


@dataclass(frozen=True)
class Posting:
    """A posting of the partial list of transactions."""

    voucher_id: int
    accno: str
    day: date
    reference: str
    amount: Decimal
    entry_id: int


@dataclass(frozen=True)
class Payloads:
    """A folder of payloads, and the facts that tests hold against what is read from them."""

    folder: Path
    articles: ArticleInvoice
    bookings: tuple[BookingInvoice, ...]
    customer: dict[str, Any]
    #: Amount, account and day of each payment, by file.
    payments: dict[str, tuple[str, str, date]]
    listed_payment: dict[str, Any]
    partnumber: str
    postings: tuple[Posting, Posting]
    department: dict[str, Any]
    balances: dict[str, str]
    first_account: str

    def read(self, name: str) -> bytes:
        """Read a payload as it stands."""
        return (self.folder / name).read_bytes()

    def mapped(self, name: str) -> Any:
        """Read a payload in JSON."""
        return json.loads(self.read(name))


def _payments(day: date, *amounts: str) -> dict[str, tuple[str, str, date]]:
    files = (
        ("transferkonto", "1090"),
        ("bankspesen-1-zahlung", "1030"),
        ("bankspesen-2-spesen", "6940"),
        ("preisnachlass-1-zahlung", "1030"),
        ("preisnachlass-2-nachlass", "3801"),
    )
    return {
        f"payment-post-{file}.json": (amount, account, day)
        for (file, account), amount in zip(files, amounts, strict=True)
    }


OURS = Payloads(
    folder=DATA / "payloads",
    articles=ArticleInvoice(
        "BH-1007",
        transdate="2024-03-31T00:00:00+01:00",
        duedate="2024-04-30T00:00:00+02:00",
        quantity="3.0",
        sellprice="189.0",
        discount="5.0",
        amount="582.28",
        netamount="538.65",
    ),
    bookings=(
        BookingInvoice("a1.1-simple", "BH-B1", "153.5", "142.0", {"3400": 142.0, "2201": 11.5, "1100": -153.5}),
        BookingInvoice("a3.1-akonto", "BH-B2", "270.25", "250.0", {"2030": 250.0, "2201": 20.25, "1100": -270.25}),
    ),
    customer={"id": 20417, "created": date(2023, 11, 6), "bank_bic": "UEBUCH22XXX"},
    payments=_payments(date(2024, 4, 18), "582.28", "577.28", "5.0", "500.0", "82.28"),
    listed_payment={"exchangerate": Decimal("0.97"), "datepaid": date(2024, 4, 30), "amount_paid": Decimal("145.5")},
    partnumber="HB-104",
    postings=(
        Posting(31077, "1000", date(2024, 3, 31), "BH-1007", Decimal("-82.35"), 4001),
        Posting(31120, "1020", date(2024, 4, 1), "BH-1031", Decimal("250.0"), 4077),
    ),
    department={"department_id": 301, "department_name": "Hüttenshop", "department_role": "P"},
    balances={"1500": "-18400", "2000": "6310.45", "2201": "2874.65", "2800": "100000", "2990": "-412.35"},
    first_account="Maschinen und Apparate",
)


def _documented(folder: Path) -> Payloads:
    midnight = "2012-08-06T00:00:00+02:00"
    return Payloads(
        folder=folder,
        articles=ArticleInvoice("R-002", midnight, midnight, "5.0", "99.0", "0.0", "534.6", "495.0"),
        bookings=(
            BookingInvoice("a1.1-simple", "A1.1", "106.92", "99.0", {"3400": 99.0, "2201": 7.92, "1100": -106.92}),
            BookingInvoice("a3.1-akonto", "A3.1", "648.0", "600.0", {"2030": 600.0, "2201": 48.0, "1100": -648.0}),
        ),
        customer={"id": 10199, "created": date(2012, 2, 21), "bank_bic": "CRESCHZZ80L"},
        payments=_payments(date(2011, 11, 23), "648.0", "644.0", "4.0", "448.0", "200.0"),
        listed_payment={"exchangerate": Decimal(1), "datepaid": date(2011, 10, 24), "amount_paid": Decimal("570.0")},
        partnumber="ART-2",
        postings=(
            Posting(10204, "1000", date(2015, 10, 22), "R-001", Decimal("-50.0"), 102),
            Posting(10246, "1020", date(2017, 3, 2), "A1.3", Decimal("-106.92"), 145),
        ),
        department={"department_id": 10319, "department_name": "Entwickliung", "department_role": "P"},
        balances={"2010": "41557.65", "2011": "-12827.85", "2012": "7723.70", "2013": "4776", "2014": "2731.30"},
        first_account="Verbindlichkeiten für AHV",
    )


def payload_sets() -> dict[str, Payloads]:
    """Our own payloads, and the vendor's if they are on this machine."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else SHARED / "rma-api" / "examples"
    if folder.is_dir():
        return {"ours": OURS, "documented": _documented(folder)}
    if named:
        raise FileNotFoundError(f"{VARIABLE} names no folder: {named}")
    return {"ours": OURS}
